// The life of one device-side queue: what the fetch engine does next. Ring bytes, batches and DMA are
// the engine's (queue-engine.ts); the chart only sees what came of them.
import { emit, setup } from 'xstate';

export type QueueEvent =
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
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
  | { readonly type: 'discard' }
  | { readonly type: 'fail' };

export const queueChart = setup({
  types: {} as { context: Record<string, never>; events: QueueEvent; emitted: QueueEffect },
  actions: {
    look: emit({ type: 'look' }),
    readMore: emit({ type: 'readMore' }),
    accept: emit({ type: 'accept' }),
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
      on: { LOOK: 'looking', BROKEN: 'broken' },
    },
    looking: {
      description: 'Reading what tells of new chains, and which signals the driver wants.',
      entry: 'look',
      on: {
        NEW: 'fetching',
        CHAINS: { target: 'looking', reenter: true, actions: 'accept' },
        AGAIN: { target: 'looking', reenter: true },
        EMPTY: 'idle',
        BROKEN: 'broken',
      },
    },
    fetching: {
      description: 'Reading entries, descriptors and tables until every chain is complete.',
      entry: 'readMore',
      on: {
        MORE: { target: 'fetching', reenter: true },
        CHAINS: { target: 'looking', actions: 'accept' },
        BROKEN: 'broken',
      },
    },
    broken: {
      description: 'The ring cannot be read or makes no sense; the device needs a reset.',
      entry: 'fail',
    },
  },
});
