// The life of a virtio device as its status register tells it (virtio 1.4 §2.1, §3.1, §3.4). One event for
// each status bit the driver sets; a bit out of order is a violation and does not stick.
import { emit, setup } from 'xstate';

export type DeviceEvent =
  | { readonly type: 'RESET' }
  | { readonly type: 'ACKNOWLEDGE' }
  | { readonly type: 'DRIVER' }
  | { readonly type: 'FEATURES_OK'; readonly acceptable: boolean }
  | { readonly type: 'DRIVER_OK' }
  | { readonly type: 'FAILED' }
  | { readonly type: 'SUSPEND'; readonly negotiated: boolean }
  /** Its queues are quiet: what was under way has been returned. */
  | { readonly type: 'QUIET' }
  | { readonly type: 'ERROR' };

export type DeviceEffect =
  | { readonly type: 'accepted' }
  | { readonly type: 'refused'; readonly event: string }
  | { readonly type: 'start' }
  | { readonly type: 'halt' }
  | { readonly type: 'reset' }
  | { readonly type: 'quiesce' }
  | { readonly type: 'suspended' }
  | { readonly type: 'resume' }
  | { readonly type: 'needsReset' }
  | { readonly type: 'needsResetUnheard' };

export interface DeviceInput {
  /** ps that a reset takes; with 0 it is over when the driver has asked for it. */
  readonly resetTime: number;
}

export const deviceChart = setup({
  types: {} as {
    context: DeviceInput;
    input: DeviceInput;
    events: DeviceEvent;
    emitted: DeviceEffect;
  },
  delays: { RESET_TIME: ({ context }) => context.resetTime },
  guards: {
    resetTakesTime: ({ context }) => context.resetTime > 0,
    acceptable: ({ event }) => event.type === 'FEATURES_OK' && event.acceptable,
    maySuspend: ({ event }) => event.type === 'SUSPEND' && event.negotiated,
  },
  actions: {
    accepted: emit({ type: 'accepted' }),
    refused: emit(({ event }) => ({ type: 'refused' as const, event: event.type })),
    start: emit({ type: 'start' }),
    halt: emit({ type: 'halt' }),
    reset: emit({ type: 'reset' }),
    quiesce: emit({ type: 'quiesce' }),
    suspended: emit({ type: 'suspended' }),
    resume: emit({ type: 'resume' }),
    needsReset: emit({ type: 'needsReset' }),
    needsResetUnheard: emit({ type: 'needsResetUnheard' }),
  },
}).createMachine({
  id: 'device',
  context: ({ input }) => input,
  initial: 'reset',
  on: {
    RESET: [
      { guard: 'resetTakesTime', target: '.resetting', actions: 'halt' },
      { target: '.reset', actions: 'reset' },
    ],
    FAILED: { target: '.failed', actions: 'accepted' },
    '*': { actions: 'refused' },
  },
  states: {
    reset: {
      description: 'Status 0: nothing is configured.',
      meta: { spec: 'virtio 1.4 §2.4' },
      on: {
        // There is nothing to undo that could take time.
        RESET: { actions: 'reset' },
        ACKNOWLEDGE: { target: 'acknowledged', actions: 'accepted' },
        ERROR: {},
      },
    },
    resetting: {
      description:
        'Queues are left alone, but the status does not show 0 before all else is undone.',
      meta: { spec: 'virtio 1.4 §2.4.1' },
      on: { RESET: {}, FAILED: { actions: 'refused' }, ERROR: {} },
      after: { RESET_TIME: { target: 'reset', actions: 'reset' } },
    },
    acknowledged: {
      description: 'The guest has noticed the device.',
      on: { DRIVER: { target: 'driverFound', actions: 'accepted' }, ERROR: {} },
    },
    driverFound: {
      description: 'The guest knows how to drive it; features are being negotiated.',
      on: {
        FEATURES_OK: [
          { guard: 'acceptable', target: 'featuresOk', actions: 'accepted' },
          { description: 'The bit does not stick; the driver must look.' },
        ],
        ERROR: {},
      },
    },
    featuresOk: {
      description: 'Features are fixed; the driver sets up queues.',
      on: {
        DRIVER_OK: { target: 'driverOk', actions: ['accepted', 'start'] },
        ERROR: { target: 'needsReset', actions: 'needsReset' },
      },
    },
    driverOk: {
      description: 'Live: queues are served.',
      on: {
        SUSPEND: [
          { guard: 'maySuspend', target: 'suspending', actions: 'quiesce' },
          { actions: 'refused' },
        ],
        ERROR: { target: 'needsReset', actions: 'needsReset' },
      },
    },
    suspending: {
      description:
        'No more buffers are taken; those under way are returned, and the driver is told.',
      meta: { spec: 'virtio 1.4 §3.4.2' },
      on: {
        QUIET: { target: 'suspended', actions: 'suspended' },
        // Said once more; the status shows it only in the end.
        SUSPEND: {},
        ERROR: { target: 'needsReset', actions: 'needsReset' },
      },
    },
    suspended: {
      description: 'SUSPEND without DRIVER_OK: queues and configuration are left alone.',
      meta: { spec: 'virtio 1.4 §3.4.2' },
      on: {
        DRIVER_OK: { target: 'driverOk', actions: ['accepted', 'resume'] },
        // The driver is told of nothing now: it sees the bit when it resumes the device.
        ERROR: { target: 'needsReset', actions: 'needsResetUnheard' },
      },
    },
    needsReset: {
      description: 'An error it cannot recover from; DEVICE_NEEDS_RESET is set.',
      meta: { spec: 'virtio 1.4 §2.1.2' },
      // The driver may not have heard of it when it goes live, suspends the device or resumes it.
      on: { ERROR: {}, DRIVER_OK: {}, SUSPEND: {} },
    },
    failed: {
      description: 'The guest has given up on the device.',
      on: { ERROR: {} },
    },
  },
});
