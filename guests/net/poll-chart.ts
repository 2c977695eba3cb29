// How a queue pair hears of its device: an interrupt starts a round of polling, with interrupts off; a
// round ends when nothing is left or its budget is spent, so that other work gets its turn (NAPI).
import { emit, setup } from 'xstate';

export type PollEvent =
  | { readonly type: 'INTERRUPT' }
  | { readonly type: 'SPENT' }
  | { readonly type: 'DRAINED' }
  | { readonly type: 'FOUND' }
  | { readonly type: 'NOTHING' }
  | { readonly type: 'STOP' };

export type PollEffect =
  | { readonly type: 'mask' }
  | { readonly type: 'poll'; readonly yielding: boolean }
  | { readonly type: 'unmask' };

export const pollChart = setup({
  types: {} as { context: Record<string, never>; events: PollEvent; emitted: PollEffect },
  actions: {
    mask: emit({ type: 'mask' }),
    poll: emit((_, { yielding }: { yielding: boolean }) => ({ type: 'poll' as const, yielding })),
    unmask: emit({ type: 'unmask' }),
  },
}).createMachine({
  id: 'poll',
  context: {},
  initial: 'idle',
  on: { STOP: '.idle', '*': {} },
  states: {
    idle: {
      description: 'Interrupts are on.',
      on: {
        INTERRUPT: {
          target: 'polling',
          actions: ['mask', { type: 'poll', params: { yielding: false } }],
        },
      },
    },
    polling: {
      description: 'Packets are taken from the ring, no more than the budget allows.',
      on: {
        SPENT: { actions: { type: 'poll', params: { yielding: true } } },
        DRAINED: 'unmasking',
      },
    },
    unmasking: {
      description: 'Interrupts are asked for again; has something come in meanwhile?',
      entry: 'unmask',
      on: {
        FOUND: {
          target: 'polling',
          actions: ['mask', { type: 'poll', params: { yielding: false } }],
        },
        NOTHING: 'idle',
      },
    },
  },
});
