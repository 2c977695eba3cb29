// The kernel's calls into a process that reads messages and writes answers: one at a time, and the core
// that makes it spins until it is through.
import { emit, setup } from 'xstate';

export type SpinEvent =
  | { readonly type: 'WORK' }
  | { readonly type: 'CALLED' }
  | { readonly type: 'OVER' }
  | { readonly type: 'MORE' }
  | { readonly type: 'DONE' };

export type SpinEffect =
  | { readonly type: 'take' }
  | { readonly type: 'giveUp' }
  | { readonly type: 'look' };

export interface SpinInput {
  /** ps after which the kernel gives up. */
  readonly timeout: number;
}

export const spinChart = setup({
  types: {} as {
    context: SpinInput;
    input: SpinInput;
    events: SpinEvent;
    emitted: SpinEffect;
  },
  delays: { REQUEST_TIMEOUT: ({ context }) => context.timeout },
  actions: {
    take: emit({ type: 'take' }),
    giveUp: emit({ type: 'giveUp' }),
    look: emit({ type: 'look' }),
  },
}).createMachine({
  id: 'loopbackSpin',
  context: ({ input }) => input,
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'No message waits for the mutex.', on: { WORK: 'taking' } },
    taking: {
      description: 'The oldest message is put where the process reads it.',
      entry: 'take',
      on: { CALLED: 'spinning' },
    },
    spinning: {
      description: 'The core spins until the process has answered, or read an event.',
      on: { OVER: 'looking' },
      after: { REQUEST_TIMEOUT: { target: 'looking', actions: 'giveUp' } },
    },
    looking: {
      description: 'Does another message wait?',
      entry: 'look',
      on: { MORE: 'taking', DONE: 'idle' },
    },
  },
});
