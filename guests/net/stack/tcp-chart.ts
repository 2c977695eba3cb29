// The life of one TCP connection (RFC 9293 §3.3.2). Bytes, windows and retransmission are apart, in
// sender and receiver; both ends do not open at once here.
import { emit, setup } from 'xstate';

export type TcpEvent =
  | { readonly type: 'OPEN' }
  | { readonly type: 'CALLED' }
  | { readonly type: 'AGREED' }
  | { readonly type: 'CLOSE' }
  | { readonly type: 'END_ACKED' }
  | { readonly type: 'PEER_ENDED' }
  | { readonly type: 'RESET' }
  | { readonly type: 'GIVE_UP' };

export type TcpEffect =
  | { readonly type: 'connected' }
  | { readonly type: 'end' }
  | { readonly type: 'peerEnded' }
  | { readonly type: 'closed'; readonly reason: string | null }
  | { readonly type: 'forget' };

export interface TcpInput {
  /** ps that a closed connection still answers late segments. */
  readonly timeWait: number;
}

export const tcpChart = setup({
  types: {} as { context: TcpInput; input: TcpInput; events: TcpEvent; emitted: TcpEffect },
  delays: { TIME_WAIT: ({ context }) => context.timeWait },
  actions: {
    connected: emit({ type: 'connected' }),
    end: emit({ type: 'end' }),
    peerEnded: emit({ type: 'peerEnded' }),
    closed: emit((_, { reason }: { reason: string | null }) => ({
      type: 'closed' as const,
      reason,
    })),
    forget: emit({ type: 'forget' }),
  },
}).createMachine({
  id: 'tcp',
  context: ({ input }) => input,
  initial: 'closed',
  on: {
    RESET: {
      target: '.over',
      actions: { type: 'closed', params: { reason: 'the peer has reset the connection' } },
    },
    GIVE_UP: {
      target: '.over',
      actions: { type: 'closed', params: { reason: 'the peer does not answer' } },
    },
    '*': {},
  },
  states: {
    closed: {
      description: 'Nothing was sent yet.',
      on: { OPEN: 'synSent', CALLED: 'synReceived' },
    },
    synSent: {
      description: 'SYN is sent.',
      on: { AGREED: { target: 'established', actions: 'connected' } },
    },
    synReceived: {
      description: 'SYN came in and is answered.',
      on: { AGREED: { target: 'established', actions: 'connected' } },
    },
    established: {
      description: 'Bytes flow both ways.',
      on: {
        CLOSE: { target: 'finWait1', actions: 'end' },
        PEER_ENDED: { target: 'closeWait', actions: 'peerEnded' },
      },
    },
    finWait1: {
      description: 'We have no more to send.',
      on: {
        END_ACKED: 'finWait2',
        PEER_ENDED: { target: 'closing', actions: 'peerEnded' },
      },
    },
    finWait2: {
      description: 'The peer knows that we have no more to send.',
      on: { PEER_ENDED: { target: 'timeWait', actions: 'peerEnded' } },
    },
    closing: {
      description: 'Both have no more to send; the peer has still to learn it.',
      on: { END_ACKED: 'timeWait' },
    },
    closeWait: {
      description: 'The peer has no more to send.',
      on: { CLOSE: { target: 'lastAck', actions: 'end' } },
    },
    lastAck: {
      description: 'Neither has more to send; the peer has still to learn it.',
      on: {
        END_ACKED: { target: 'over', actions: { type: 'closed', params: { reason: null } } },
      },
    },
    timeWait: {
      description: 'It is over in order, but the last ACK may have been lost.',
      entry: { type: 'closed', params: { reason: null } },
      on: { RESET: 'over' },
      after: { TIME_WAIT: 'over' },
    },
    over: {
      description: 'Nothing is left of it.',
      entry: 'forget',
      on: { RESET: {}, GIVE_UP: {} },
    },
  },
});
