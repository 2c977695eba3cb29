// Requests without tokens: one at a time for the whole bus, as the mutex of the Linux driver has it, and
// given up when no answer comes.
import { emit, setup } from 'xstate';

export type AlphaExchangeEvent =
  | { readonly type: 'WORK' }
  | { readonly type: 'ASKED' }
  | { readonly type: 'ANSWERED' }
  | { readonly type: 'NOTHING' };

export type AlphaExchangeEffect = { readonly type: 'next' } | { readonly type: 'giveUp' };

export interface AlphaExchangeInput {
  /** ps that an answer may take. */
  readonly timeout: number;
}

export const alphaExchangeChart = setup({
  types: {} as {
    context: AlphaExchangeInput;
    input: AlphaExchangeInput;
    events: AlphaExchangeEvent;
    emitted: AlphaExchangeEffect;
  },
  delays: { ANSWER_TIMEOUT: ({ context }) => context.timeout },
  actions: { next: emit({ type: 'next' }), giveUp: emit({ type: 'giveUp' }) },
}).createMachine({
  id: 'alphaExchange',
  context: ({ input }) => input,
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'No request is under way.', on: { WORK: 'taking' } },
    taking: {
      description: 'The oldest request is sent, if there is one.',
      entry: 'next',
      on: { ASKED: 'waiting', NOTHING: 'idle' },
    },
    waiting: {
      description: 'Its answer is awaited; other requests wait behind it.',
      on: { ANSWERED: 'taking' },
      after: { ANSWER_TIMEOUT: { target: 'taking', actions: 'giveUp' } },
    },
  },
});
