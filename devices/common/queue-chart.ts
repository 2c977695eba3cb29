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
  | { readonly type: 'ENTRIES' }
  | { readonly type: 'MORE' }
  | { readonly type: 'CHAINS' }
  | { readonly type: 'BROKEN' };

export type QueueEffect =
  | { readonly type: 'readHeader' }
  | { readonly type: 'readEntries' }
  | { readonly type: 'readChains' }
  | { readonly type: 'accept' }
  | { readonly type: 'discard' }
  | { readonly type: 'fail' };

export const queueChart = setup({
  types: {} as { context: Record<string, never>; events: QueueEvent; emitted: QueueEffect },
  actions: {
    readHeader: emit({ type: 'readHeader' }),
    readEntries: emit({ type: 'readEntries' }),
    readChains: emit({ type: 'readChains' }),
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
      on: { LOOK: 'header' },
    },
    header: {
      description: 'Reading flags and index of the driver area.',
      entry: 'readHeader',
      on: {
        NEW: 'entries',
        AGAIN: { target: 'header', reenter: true },
        EMPTY: 'idle',
        BROKEN: 'broken',
      },
    },
    entries: {
      description: 'Reading the heads that the driver made available.',
      entry: 'readEntries',
      on: { ENTRIES: 'chains', BROKEN: 'broken' },
    },
    chains: {
      description: 'Reading descriptors until every chain of the batch is complete.',
      entry: 'readChains',
      on: {
        MORE: { target: 'chains', reenter: true },
        CHAINS: { target: 'header', actions: 'accept' },
        BROKEN: 'broken',
      },
    },
    broken: {
      description: 'The ring cannot be read or makes no sense; the device needs a reset.',
      entry: 'fail',
    },
  },
});
