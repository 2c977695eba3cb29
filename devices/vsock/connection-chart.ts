// One connection of the service behind a socket device, from the request of the peer to the last reset.
import { emit, setup } from 'xstate';

export type ConnectionEvent =
  | { readonly type: 'REQUEST' }
  | { readonly type: 'PEER_SENDS_NO_MORE' }
  | { readonly type: 'PEER_IS_DONE' }
  | { readonly type: 'DRAINED' }
  | { readonly type: 'RST' }
  | { readonly type: 'ABORT' }
  | { readonly type: 'FORGET' };

export type ConnectionEffect =
  | { readonly type: 'respond' }
  | { readonly type: 'drain' }
  | { readonly type: 'sendShutdown' }
  | { readonly type: 'sendReset' }
  | { readonly type: 'release' };

export interface ConnectionInput {
  /** ps that the answer to a shutdown may take. */
  readonly closeTimeout: number;
}

export const connectionChart = setup({
  types: {} as {
    context: ConnectionInput;
    input: ConnectionInput;
    events: ConnectionEvent;
    emitted: ConnectionEffect;
  },
  delays: { CLOSE_TIMEOUT: ({ context }) => context.closeTimeout },
  actions: {
    respond: emit({ type: 'respond' }),
    drain: emit({ type: 'drain' }),
    sendShutdown: emit({ type: 'sendShutdown' }),
    sendReset: emit({ type: 'sendReset' }),
    release: emit({ type: 'release' }),
  },
}).createMachine({
  id: 'vsockConnection',
  context: ({ input }) => input,
  initial: 'free',
  on: { FORGET: '.free', '*': {} },
  states: {
    free: {
      description: 'Nobody is connected here.',
      on: { REQUEST: { target: 'established', actions: 'respond' } },
    },
    established: {
      description: 'Bytes flow both ways.',
      meta: { spec: 'virtio 1.4 §5.10.6.5' },
      on: {
        PEER_SENDS_NO_MORE: 'draining',
        PEER_IS_DONE: { target: 'free', actions: ['sendReset', 'release'] },
        RST: { target: 'free', actions: 'release' },
        ABORT: { target: 'free', actions: ['sendReset', 'release'] },
      },
    },
    draining: {
      description: 'The peer sends no more; what it has sent is still on its way back.',
      entry: 'drain',
      on: {
        DRAINED: { target: 'closing', actions: 'sendShutdown' },
        PEER_IS_DONE: { target: 'free', actions: ['sendReset', 'release'] },
        RST: { target: 'free', actions: 'release' },
        ABORT: { target: 'free', actions: ['sendReset', 'release'] },
      },
    },
    closing: {
      description: 'Both sides are done; the peer confirms that with a reset.',
      on: {
        RST: { target: 'free', actions: 'release' },
        PEER_IS_DONE: { target: 'free', actions: ['sendReset', 'release'] },
        ABORT: { target: 'free', actions: ['sendReset', 'release'] },
      },
      after: { CLOSE_TIMEOUT: { target: 'free', actions: ['sendReset', 'release'] } },
    },
  },
});
