// How the two sides of a self-describing FIFO find each other (reference B3, G2): each says that it is
// there, waits for the other, clears its indexes, says that it is ready, and runs.
import { assign, emit, setup } from 'xstate';

export type PeerEvent =
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
  | { readonly type: 'LAYOUT' }
  | { readonly type: 'INVALID' }
  | { readonly type: 'PEER_INIT' }
  | { readonly type: 'PEER_READY' };

/** What a side says of itself. */
export type Declared = 'INIT' | 'READY' | 'RUN' | 'SHUTDOWN' | 'PEER_DEAD';

export type PeerEffect =
  | { readonly type: 'readLayout' }
  | { readonly type: 'look' }
  | { readonly type: 'declare'; readonly state: Declared }
  | { readonly type: 'up' }
  | { readonly type: 'restarted' }
  | { readonly type: 'failed' };

export interface PeerInput {
  /** The driver checks the layout first; the device has written it. */
  readonly checksLayout: boolean;
  /** ps between two looks, and their number before the peer is given up. */
  readonly interval: number;
  readonly looksMax: number;
}

interface Context extends PeerInput {
  readonly looks: number;
}

export const peerChart = setup({
  types: {} as { context: Context; input: PeerInput; events: PeerEvent; emitted: PeerEffect },
  delays: { LOOK_INTERVAL: ({ context }) => context.interval },
  guards: {
    checksLayout: ({ context }) => context.checksLayout,
    looksLeft: ({ context }) => context.looks < context.looksMax,
  },
  actions: {
    readLayout: emit({ type: 'readLayout' }),
    look: emit({ type: 'look' }),
    declare: emit((_, params: { state: Declared }) => ({ type: 'declare' as const, ...params })),
    up: emit({ type: 'up' }),
    restarted: emit({ type: 'restarted' }),
    failed: emit({ type: 'failed' }),
    countLook: assign({ looks: ({ context }) => context.looks + 1 }),
    countAnew: assign({ looks: 0 }),
  },
}).createMachine({
  id: 'pciPeer',
  context: ({ input }) => ({ ...input, looks: 0 }),
  initial: 'off',
  on: { STOP: '.off', '*': {} },
  states: {
    off: {
      description: 'The FIFO is not there, or not any more.',
      on: {
        START: [
          { guard: 'checksLayout', target: 'checking', actions: 'countAnew' },
          {
            target: 'awaitingPeer',
            actions: ['countAnew', { type: 'declare', params: { state: 'INIT' } }],
          },
        ],
      },
    },
    checking: {
      description: 'The layout header is read until its magic is there.',
      entry: 'readLayout',
      on: {
        LAYOUT: {
          target: 'awaitingPeer',
          actions: { type: 'declare', params: { state: 'INIT' } },
        },
        INVALID: 'failed',
      },
      after: {
        LOOK_INTERVAL: [
          { guard: 'looksLeft', target: 'checking', reenter: true, actions: 'countLook' },
          { target: 'failed' },
        ],
      },
    },
    awaitingPeer: {
      description: 'INIT is declared; the peer must have declared itself, too.',
      entry: 'look',
      on: {
        PEER_INIT: {
          target: 'awaitingReady',
          actions: { type: 'declare', params: { state: 'READY' } },
        },
        PEER_READY: {
          target: 'awaitingReady',
          actions: { type: 'declare', params: { state: 'READY' } },
        },
      },
      after: {
        LOOK_INTERVAL: [
          { guard: 'looksLeft', target: 'awaitingPeer', reenter: true, actions: 'countLook' },
          { target: 'failed' },
        ],
      },
    },
    awaitingReady: {
      description: 'READY is declared, the indexes are zero; the peer must be ready, too.',
      entry: 'look',
      on: {
        PEER_READY: {
          target: 'running',
          actions: [{ type: 'declare', params: { state: 'RUN' } }, 'up'],
        },
      },
      after: {
        LOOK_INTERVAL: [
          { guard: 'looksLeft', target: 'awaitingReady', reenter: true, actions: 'countLook' },
          { target: 'failed' },
        ],
      },
    },
    running: {
      description: 'Messages flow. A peer that declares INIT again has been restarted.',
      on: {
        PEER_INIT: {
          target: 'awaitingPeer',
          actions: ['countAnew', 'restarted', { type: 'declare', params: { state: 'INIT' } }],
        },
        STOP: { target: 'off', actions: { type: 'declare', params: { state: 'SHUTDOWN' } } },
      },
    },
    failed: {
      description: 'The peer never came, or its layout makes no sense.',
      entry: [{ type: 'declare', params: { state: 'PEER_DEAD' } }, 'failed'],
    },
  },
});
