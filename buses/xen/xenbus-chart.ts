// The front end's view of the two ends of a Xen bus, as XenStore tells it (xenbus states): the page is
// granted and a port offered, the back end connects, and one day it may be gone and come again.
import { emit, setup } from 'xstate';

export type FrontEndEvent =
  | { readonly type: 'CONNECT' }
  | { readonly type: 'BACK_CONNECTED' }
  | { readonly type: 'BACK_REFUSED' }
  | { readonly type: 'BACK_CLOSED' }
  | { readonly type: 'BACK_WAITS' };

export type FrontEndEffect =
  | { readonly type: 'offer' }
  | { readonly type: 'open' }
  | { readonly type: 'close' }
  | { readonly type: 'refused' };

export const frontEndChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: FrontEndEvent;
    emitted: FrontEndEffect;
  },
  actions: {
    offer: emit({ type: 'offer' }),
    open: emit({ type: 'open' }),
    close: emit({ type: 'close' }),
    refused: emit({ type: 'refused' }),
  },
}).createMachine({
  id: 'xenFrontEnd',
  context: {},
  initial: 'initialising',
  on: { '*': {} },
  states: {
    initialising: { description: 'Before the start of the run.', on: { CONNECT: 'initialised' } },
    initialised: {
      description: 'Reference of the page and port are in XenStore; the back end is to connect.',
      entry: 'offer',
      on: {
        BACK_CONNECTED: 'connected',
        BACK_REFUSED: { target: 'refused', actions: 'refused' },
        BACK_CLOSED: 'closed',
      },
    },
    connected: {
      description: 'Messages flow.',
      entry: 'open',
      on: { BACK_CLOSED: 'closed' },
    },
    closed: {
      description: 'The back end is gone: nothing of what it was given is used by it any more.',
      entry: 'close',
      on: { BACK_WAITS: 'initialised' },
    },
    refused: {
      description: 'The back end could not map the page of the queues.',
      on: { BACK_CLOSED: 'closed' },
    },
  },
});
