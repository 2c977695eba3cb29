// The time-out of a device's accesses: while some are under way, each is looked at now and then.
import { emit, setup } from 'xstate';

export type WatchEvent =
  | { readonly type: 'STARTED' }
  | { readonly type: 'MORE' }
  | { readonly type: 'NONE' };

export type WatchEffect = { readonly type: 'check' };

export interface WatchInput {
  /** ps that an answer may take. */
  readonly timeout: number;
}

export const watchChart = setup({
  types: {} as { context: WatchInput; input: WatchInput; events: WatchEvent; emitted: WatchEffect },
  delays: { ANSWER_TIMEOUT: ({ context }) => context.timeout },
  actions: { check: emit({ type: 'check' }) },
}).createMachine({
  id: 'inBandWatch',
  context: ({ input }) => input,
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'No access is under way.', on: { STARTED: 'waiting' } },
    waiting: {
      description: 'Accesses are under way, and have some time yet.',
      after: { ANSWER_TIMEOUT: 'checking' },
    },
    checking: {
      description: 'Has each been answered, at least in part, since the last time?',
      entry: 'check',
      on: { MORE: 'waiting', NONE: 'idle' },
    },
  },
});
