// How a driver without interrupts hears of messages: it looks at the FIFOs on a timer.
import { emit, setup } from 'xstate';

export type PollEvent = { readonly type: 'ENABLE' } | { readonly type: 'DISABLE' };
export type PollEffect = { readonly type: 'poll' };

export interface PollInput {
  /** ps between two looks; Infinity with interrupts. */
  readonly interval: number;
}

export const pollChart = setup({
  types: {} as { context: PollInput; input: PollInput; events: PollEvent; emitted: PollEffect },
  delays: { POLL_INTERVAL: ({ context }) => context.interval },
  actions: { poll: emit({ type: 'poll' }) },
}).createMachine({
  id: 'pciPoll',
  context: ({ input }) => input,
  initial: 'off',
  on: { DISABLE: '.off', '*': {} },
  states: {
    off: { description: 'The FIFOs are not there.', on: { ENABLE: 'waiting' } },
    waiting: {
      description: 'The timer runs.',
      after: { POLL_INTERVAL: { target: 'waiting', reenter: true, actions: 'poll' } },
    },
  },
});
