// A stream socket of the guest that connects to a service of the host: asked for, connected, closed by
// either side, each step within its time.
import { emit, setup } from 'xstate';

export type SocketEvent =
  | { readonly type: 'CONNECT' }
  | { readonly type: 'RESPONSE' }
  | { readonly type: 'PEER_IS_DONE' }
  | { readonly type: 'RST' }
  | { readonly type: 'CLOSE' }
  | { readonly type: 'ABORT' }
  | { readonly type: 'TRANSPORT_RESET' }
  | { readonly type: 'LOST' };

export type SocketEffect =
  | { readonly type: 'request' }
  | { readonly type: 'connected' }
  | { readonly type: 'sendShutdown' }
  | { readonly type: 'sendReset' }
  | { readonly type: 'closed'; readonly reason: string | null };

export interface SocketInput {
  /** ps that the answer to a request, and to a shutdown, may take. */
  readonly connectTimeout: number;
  readonly closeTimeout: number;
}

export const socketChart = setup({
  types: {} as {
    context: SocketInput;
    input: SocketInput;
    events: SocketEvent;
    emitted: SocketEffect;
  },
  delays: {
    CONNECT_TIMEOUT: ({ context }) => context.connectTimeout,
    CLOSE_TIMEOUT: ({ context }) => context.closeTimeout,
  },
  actions: {
    request: emit({ type: 'request' }),
    connected: emit({ type: 'connected' }),
    sendShutdown: emit({ type: 'sendShutdown' }),
    sendReset: emit({ type: 'sendReset' }),
    closed: emit((_, params: { reason: string | null }) => ({
      type: 'closed' as const,
      reason: params.reason,
    })),
  },
}).createMachine({
  id: 'vsockSocket',
  context: ({ input }) => input,
  initial: 'closed',
  // When the device itself is lost its driver tells everybody.
  on: { LOST: '.closed', '*': {} },
  states: {
    closed: { description: 'Not connected.', on: { CONNECT: 'connecting' } },
    connecting: {
      description: 'A connection was asked for.',
      meta: { spec: 'virtio 1.4 §5.10.6.5' },
      entry: 'request',
      on: {
        RESPONSE: { target: 'established', actions: 'connected' },
        TRANSPORT_RESET: {
          target: 'closed',
          actions: { type: 'closed', params: { reason: 'the host has forgotten the connection' } },
        },
        RST: {
          target: 'closed',
          actions: { type: 'closed', params: { reason: 'the peer refused the connection' } },
        },
      },
      after: {
        CONNECT_TIMEOUT: {
          target: 'closed',
          actions: [
            'sendReset',
            { type: 'closed', params: { reason: 'the peer does not answer' } },
          ],
        },
      },
    },
    established: {
      description: 'Bytes flow both ways.',
      on: {
        CLOSE: 'closing',
        TRANSPORT_RESET: {
          target: 'closed',
          actions: { type: 'closed', params: { reason: 'the host has forgotten the connection' } },
        },
        PEER_IS_DONE: {
          target: 'closed',
          actions: ['sendReset', { type: 'closed', params: { reason: 'the peer has closed' } }],
        },
        RST: {
          target: 'closed',
          actions: { type: 'closed', params: { reason: 'the peer has reset the connection' } },
        },
        ABORT: {
          target: 'closed',
          actions: [
            'sendReset',
            { type: 'closed', params: { reason: 'the peer broke the rules' } },
          ],
        },
      },
    },
    closing: {
      description: 'Nothing more will be sent or received; the peer confirms that with a reset.',
      entry: 'sendShutdown',
      on: {
        RST: { target: 'closed', actions: { type: 'closed', params: { reason: null } } },
        TRANSPORT_RESET: {
          target: 'closed',
          actions: { type: 'closed', params: { reason: null } },
        },
        PEER_IS_DONE: {
          target: 'closed',
          actions: ['sendReset', { type: 'closed', params: { reason: null } }],
        },
      },
      after: {
        CLOSE_TIMEOUT: {
          target: 'closed',
          actions: [
            'sendReset',
            { type: 'closed', params: { reason: 'the peer does not confirm the end' } },
          ],
        },
      },
    },
  },
});
