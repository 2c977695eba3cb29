// The life of one device-side queue: what the fetch engine does next. Ring bytes, batches and DMA are
// the engine's (queue-engine.ts); the chart only sees what came of them.
import { emit, setup } from 'xstate';

export type QueueEvent =
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
  /** The device is to be suspended, and goes on. */
  | { readonly type: 'PAUSE' }
  | { readonly type: 'RESUME' }
  /** All chains that were taken have been returned, or are kept. */
  | { readonly type: 'SETTLED' }
  /** The driver was told of what was returned. */
  | { readonly type: 'TOLD' }
  | { readonly type: 'LOOK' }
  | { readonly type: 'NEW' }
  | { readonly type: 'AGAIN' }
  | { readonly type: 'EMPTY' }
  | { readonly type: 'MORE' }
  | { readonly type: 'CHAINS' }
  | { readonly type: 'BROKEN' };

export type QueueEffect =
  | { readonly type: 'look' }
  | { readonly type: 'readMore' }
  | { readonly type: 'accept' }
  | { readonly type: 'settle' }
  | { readonly type: 'lookForSignals' }
  | { readonly type: 'quiet' }
  | { readonly type: 'discard' }
  | { readonly type: 'fail' };

export const queueChart = setup({
  types: {} as { context: Record<string, never>; events: QueueEvent; emitted: QueueEffect },
  actions: {
    look: emit({ type: 'look' }),
    readMore: emit({ type: 'readMore' }),
    accept: emit({ type: 'accept' }),
    settle: emit({ type: 'settle' }),
    lookForSignals: emit({ type: 'lookForSignals' }),
    quiet: emit({ type: 'quiet' }),
    discard: emit({ type: 'discard' }),
    fail: emit({ type: 'fail' }),
  },
}).createMachine({
  id: 'queue',
  context: {},
  initial: 'stopped',
  on: { STOP: '.stopped', '*': {} },
  states: {
    stopped: {
      description: 'Not set up, or the driver has not said DRIVER_OK.',
      entry: 'discard',
      on: { START: 'idle' },
    },
    idle: {
      description: 'All that was available is fetched; a notification wakes the engine.',
      on: { LOOK: 'looking', PAUSE: 'draining', BROKEN: 'broken' },
    },
    looking: {
      description: 'Reading what tells of new chains, and which signals the driver wants.',
      entry: 'look',
      on: {
        NEW: 'fetching',
        CHAINS: { target: 'looking', reenter: true, actions: 'accept' },
        AGAIN: { target: 'looking', reenter: true },
        EMPTY: 'idle',
        PAUSE: 'pausing',
        BROKEN: 'broken',
      },
    },
    fetching: {
      description: 'Reading entries, descriptors and tables until every chain is complete.',
      entry: 'readMore',
      on: {
        MORE: { target: 'fetching', reenter: true },
        CHAINS: { target: 'looking', actions: 'accept' },
        PAUSE: 'pausing',
        BROKEN: 'broken',
      },
    },
    pausing: {
      description:
        'The read under way is the last; chains that it has begun to take become complete.',
      meta: { spec: 'virtio 1.4 §3.4.2' },
      on: {
        NEW: { actions: 'readMore' },
        MORE: { actions: 'readMore' },
        CHAINS: { target: 'draining', actions: 'accept' },
        AGAIN: 'draining',
        EMPTY: 'draining',
        BROKEN: 'broken',
      },
    },
    draining: {
      description: 'Nothing more is taken; the device returns what it has taken.',
      meta: { spec: 'virtio 1.4 §3.4.2' },
      entry: 'settle',
      on: { SETTLED: 'telling', BROKEN: 'broken' },
    },
    telling: {
      description: 'A last look at which signals the driver wants.',
      entry: 'lookForSignals',
      on: { TOLD: 'paused', BROKEN: 'broken' },
    },
    paused: {
      description: 'The device is suspended, or will be once its other queues are quiet as well.',
      meta: { spec: 'virtio 1.4 §3.4.2' },
      entry: 'quiet',
      on: { RESUME: 'looking', BROKEN: 'broken' },
    },
    broken: {
      description: 'The ring cannot be read or makes no sense; the device needs a reset.',
      entry: 'fail',
    },
  },
});
