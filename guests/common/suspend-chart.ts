// How a driver suspends its device and resumes it (virtio 1.4 §3.4): it says so by a status bit, and looks
// until the status shows that it has come to pass.
import { assign, emit, setup } from 'xstate';
import type { TransportReply } from '../../platform/contracts/index.ts';
import { STATUS } from '../../platform/virtio/index.ts';

export type SuspendEvent =
  | TransportReply
  | { readonly type: 'BEGIN'; readonly time: number }
  | { readonly type: 'ABORT' };

export type SuspendEffect =
  | { readonly type: 'setStatus'; readonly status: number }
  | { readonly type: 'getStatus' }
  | { readonly type: 'resumed' }
  | { readonly type: 'refused' };

export interface SuspendInput {
  /** ps between two looks at the status. */
  readonly pollInterval: number;
  /** How often the driver looks before it takes the device for broken. */
  readonly looksMax: number;
}

interface Context extends SuspendInput {
  /** ps that the device is to be suspended. */
  readonly time: number;
  readonly looks: number;
}

const LIVE = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK;

export const suspendChart = setup({
  types: {} as {
    context: Context;
    input: SuspendInput;
    events: SuspendEvent;
    emitted: SuspendEffect;
  },
  delays: {
    POLL_INTERVAL: ({ context }) => context.pollInterval,
    TIME: ({ context }) => context.time,
  },
  guards: {
    saysNeedsReset: ({ event }) =>
      event.type === 'reply.status' && (event.status & STATUS.DEVICE_NEEDS_RESET) !== 0,
    isSuspended: ({ event }) =>
      event.type === 'reply.status' &&
      (event.status & (STATUS.SUSPEND | STATUS.DRIVER_OK)) === STATUS.SUSPEND,
    isLive: ({ event }) =>
      event.type === 'reply.status' &&
      (event.status & (STATUS.SUSPEND | STATUS.DRIVER_OK)) === STATUS.DRIVER_OK,
    mayLook: ({ context }) => context.looks < context.looksMax,
  },
  actions: {
    // Of the bits that were set none is cleared (§2.1.1), and the device tells by its state what is meant.
    writeSuspend: emit({ type: 'setStatus', status: LIVE | STATUS.SUSPEND }),
    writeDriverOk: emit({ type: 'setStatus', status: LIVE | STATUS.SUSPEND }),
    getStatus: emit({ type: 'getStatus' }),
    keepTime: assign({
      time: ({ context, event }) => (event.type === 'BEGIN' ? event.time : context.time),
    }),
    firstLook: assign({ looks: 0 }),
    countLook: assign({ looks: ({ context }) => context.looks + 1 }),
    resumed: emit({ type: 'resumed' }),
    refused: emit({ type: 'refused' }),
  },
}).createMachine({
  id: 'suspend',
  context: ({ input }) => ({ ...input, time: 0, looks: 0 }),
  initial: 'idle',
  on: { ABORT: '.idle', '*': {} },
  states: {
    idle: {
      description: 'The device is in use.',
      on: { BEGIN: { target: 'suspending', actions: 'keepTime' } },
    },
    suspending: {
      description: 'SUSPEND is set; from now on nothing is made available.',
      meta: { spec: 'virtio 1.4 §3.4.1' },
      entry: ['firstLook', 'writeSuspend'],
      on: { 'reply.status': 'verifying' },
    },
    verifying: {
      description: 'Is the device suspended?',
      meta: { spec: 'virtio 1.4 §3.4.1' },
      entry: ['countLook', 'getStatus'],
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', target: 'idle', actions: 'refused' },
          { guard: 'isSuspended', target: 'suspended' },
          { guard: 'mayLook', target: 'waitingForEnd' },
          { target: 'idle', actions: 'refused' },
        ],
      },
    },
    waitingForEnd: {
      description: 'Requests are still under way; look again soon.',
      after: { POLL_INTERVAL: 'verifying' },
    },
    suspended: {
      description: 'The device does nothing.',
      after: { TIME: 'resuming' },
    },
    resuming: {
      description: 'DRIVER_OK is set: the device shall go on.',
      meta: { spec: 'virtio 1.4 §3.4.1' },
      entry: ['firstLook', 'writeDriverOk'],
      on: { 'reply.status': 'confirming' },
    },
    confirming: {
      description: 'Does it?',
      meta: { spec: 'virtio 1.4 §3.4.1' },
      entry: ['countLook', 'getStatus'],
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', target: 'idle', actions: 'refused' },
          { guard: 'isLive', target: 'idle', actions: 'resumed' },
          { guard: 'mayLook', target: 'waitingForStart' },
          { target: 'idle', actions: 'refused' },
        ],
      },
    },
    waitingForStart: {
      description: 'Not yet; look again soon.',
      after: { POLL_INTERVAL: 'confirming' },
    },
  },
});
