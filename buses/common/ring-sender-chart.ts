// The producer of a message ring: messages go out one after another, as long as the ring has room; a
// full one is looked at again after a while.
import { emit, setup } from 'xstate';

export type RingSenderEvent =
  | { readonly type: 'OPEN' }
  | { readonly type: 'CLOSE' }
  | { readonly type: 'WORK' }
  | { readonly type: 'MORE' }
  | { readonly type: 'DONE' }
  | { readonly type: 'FULL' };

export type RingSenderEffect = { readonly type: 'load' } | { readonly type: 'take' };

export interface RingSenderInput {
  /** ps before a full ring is looked at again. */
  readonly fullRetry: number;
}

export const ringSenderChart = setup({
  types: {} as {
    context: RingSenderInput;
    input: RingSenderInput;
    events: RingSenderEvent;
    emitted: RingSenderEffect;
  },
  delays: { FULL_RETRY: ({ context }) => context.fullRetry },
  actions: { load: emit({ type: 'load' }), take: emit({ type: 'take' }) },
}).createMachine({
  id: 'ringSender',
  context: ({ input }) => input,
  initial: 'closed',
  on: { CLOSE: '.closed', '*': {} },
  states: {
    closed: {
      description: 'The ring is not there yet, or not any more; messages wait.',
      on: { OPEN: 'loading' },
    },
    loading: {
      description: 'Both indexes are read: the ring may have been used before.',
      entry: 'load',
      on: { MORE: 'sending', DONE: 'idle' },
    },
    idle: { description: 'Nothing waits to be sent.', on: { WORK: 'sending' } },
    sending: {
      description: 'The oldest message is put into a slot, and the doorbell is rung.',
      entry: 'take',
      on: { MORE: { target: 'sending', reenter: true }, DONE: 'idle', FULL: 'full' },
    },
    full: {
      description: 'The consumer has to free a slot first.',
      after: { FULL_RETRY: 'sending' },
    },
  },
});
