// The phases of a workload: it waits for its driver, runs, lets the last requests come back, is done.
import { emit, setup } from 'xstate';

export type PhaseEvent =
  | { readonly type: 'READY' }
  | { readonly type: 'ENOUGH' }
  | { readonly type: 'DRAINED' }
  | { readonly type: 'DOWN' }
  /** The node has stopped, and will start again. */
  | { readonly type: 'STOP' };

export type PhaseEffect = { readonly type: 'begin' } | { readonly type: 'finish' };

export interface PhaseInput {
  /** ps that the workload runs, or Infinity when something else ends it. */
  readonly duration: number;
}

export const phaseChart = setup({
  types: {} as {
    context: PhaseInput;
    input: PhaseInput;
    events: PhaseEvent;
    emitted: PhaseEffect;
  },
  delays: { DURATION: ({ context }) => context.duration },
  actions: { begin: emit({ type: 'begin' }), finish: emit({ type: 'finish' }) },
}).createMachine({
  id: 'workload',
  context: ({ input }) => input,
  initial: 'waiting',
  on: { '*': {} },
  states: {
    waiting: {
      description: 'The driver is not live yet.',
      on: { READY: 'running', DOWN: 'failed' },
    },
    running: {
      description: 'Requests are submitted.',
      entry: 'begin',
      on: { ENOUGH: 'draining', DOWN: 'failed', STOP: 'waiting' },
      after: { DURATION: 'draining' },
    },
    draining: {
      description: 'Nothing more is submitted; the last requests come back.',
      on: { DRAINED: 'done', DOWN: 'failed', STOP: 'waiting' },
    },
    done: { description: 'All requests are back.', entry: 'finish' },
    failed: { description: 'The device was lost.', entry: 'finish' },
  },
});
