// The consumer of a message ring: rung, it wakes a thread, which takes messages until the ring is empty
// or the number it may take at one waking is spent.
import { assign, emit, setup } from 'xstate';

export type RingReceiverEvent =
  | { readonly type: 'OPEN' }
  | { readonly type: 'CLOSE' }
  | { readonly type: 'RUNG' }
  | { readonly type: 'AWAKE' }
  | { readonly type: 'FRAMES' }
  | { readonly type: 'EMPTY' }
  | { readonly type: 'MORE' }
  | { readonly type: 'LOOK' }
  | { readonly type: 'SPENT' };

export type RingReceiverEffect =
  | { readonly type: 'load' }
  | { readonly type: 'wake' }
  | { readonly type: 'look' }
  | { readonly type: 'fetch' }
  | { readonly type: 'rest' };

export interface RingReceiverInput {
  /** Rings that are remembered while it is awake: 1 when each waking empties the ring. */
  readonly ringsMax: number;
  /** A thread that has spent what it may take wakes itself again. */
  readonly continues: boolean;
}

interface Context extends RingReceiverInput {
  /** Rings that came while it was awake. */
  readonly rings: number;
}

export const ringReceiverChart = setup({
  types: {} as {
    context: Context;
    input: RingReceiverInput;
    events: RingReceiverEvent;
    emitted: RingReceiverEffect;
  },
  guards: {
    rungAgain: ({ context }) => context.rings > 0,
    continues: ({ context }) => context.continues,
  },
  actions: {
    load: emit({ type: 'load' }),
    wake: emit({ type: 'wake' }),
    look: emit({ type: 'look' }),
    fetch: emit({ type: 'fetch' }),
    rest: emit({ type: 'rest' }),
    remember: assign({ rings: ({ context }) => Math.min(context.rings + 1, context.ringsMax) }),
    forgetOne: assign({ rings: ({ context }) => Math.max(context.rings - 1, 0) }),
  },
}).createMachine({
  id: 'ringReceiver',
  context: ({ input }) => ({ ...input, rings: 0 }),
  initial: 'closed',
  on: { CLOSE: '.closed', RUNG: { actions: 'remember' }, '*': {} },
  states: {
    closed: { description: 'The ring is not there.', on: { OPEN: 'loading' } },
    loading: {
      description: 'Both indexes are read: the ring may have been used before.',
      entry: 'load',
      on: { LOOK: 'looking' },
    },
    idle: {
      description: 'Waits for the doorbell.',
      entry: 'rest',
      on: { RUNG: 'waking' },
    },
    waking: {
      description: 'The thread that takes messages is woken.',
      entry: 'wake',
      on: { AWAKE: 'looking' },
    },
    looking: {
      description: 'The producer index is read.',
      entry: 'look',
      on: {
        FRAMES: 'fetching',
        EMPTY: [
          { guard: 'rungAgain', target: 'looking', reenter: true, actions: 'forgetOne' },
          { target: 'idle' },
        ],
      },
    },
    fetching: {
      description: 'The oldest message is read, its slot given back, and the message handled.',
      entry: 'fetch',
      on: {
        MORE: { target: 'fetching', reenter: true },
        LOOK: 'looking',
        SPENT: [
          { guard: 'rungAgain', target: 'waking', actions: 'forgetOne' },
          { guard: 'continues', target: 'waking' },
          { target: 'idle' },
        ],
      },
    },
  },
});
