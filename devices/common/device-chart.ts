// The life of a virtio device as its status register tells it (virtio 1.4 §2.1, §3.1). One event for
// each status bit the driver sets; a bit out of order is a violation and does not stick.
import { emit, setup } from 'xstate';

export type DeviceEvent =
  | { readonly type: 'RESET' }
  | { readonly type: 'ACKNOWLEDGE' }
  | { readonly type: 'DRIVER' }
  | { readonly type: 'FEATURES_OK'; readonly acceptable: boolean }
  | { readonly type: 'DRIVER_OK' }
  | { readonly type: 'FAILED' }
  | { readonly type: 'ERROR' };

export type DeviceEffect =
  | { readonly type: 'accepted' }
  | { readonly type: 'refused'; readonly event: string }
  | { readonly type: 'start' }
  | { readonly type: 'halt' }
  | { readonly type: 'reset' }
  | { readonly type: 'needsReset' };

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
  },
  actions: {
    accepted: emit({ type: 'accepted' }),
    refused: emit(({ event }) => ({ type: 'refused' as const, event: event.type })),
    start: emit({ type: 'start' }),
    halt: emit({ type: 'halt' }),
    reset: emit({ type: 'reset' }),
    needsReset: emit({ type: 'needsReset' }),
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
      on: { ERROR: { target: 'needsReset', actions: 'needsReset' } },
    },
    needsReset: {
      description: 'An error it cannot recover from; DEVICE_NEEDS_RESET is set.',
      meta: { spec: 'virtio 1.4 §2.1.2' },
      // The driver may not have heard of it when it goes live.
      on: { ERROR: {}, DRIVER_OK: {} },
    },
    failed: {
      description: 'The guest has given up on the device.',
      on: { ERROR: {} },
    },
  },
});
