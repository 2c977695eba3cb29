// How a driver gets to where it can send commands: reset, make the administration virtqueue, agree on the
// commands; and what becomes of a device that does not answer.
import { emit, setup } from 'xstate';

export type SessionEvent =
  | { readonly type: 'FOUND' }
  | { readonly type: 'GONE' }
  /** The driver wants a reset. */
  | { readonly type: 'RESET' }
  /** The step under way has succeeded, or has not. */
  | { readonly type: 'DONE' }
  | { readonly type: 'REFUSED' }
  /** A command was sent; a command was answered. */
  | { readonly type: 'SENT' }
  | { readonly type: 'ANSWERED' };

export type SessionEffect =
  | { readonly type: 'reset' }
  | { readonly type: 'create' }
  | { readonly type: 'query' }
  | { readonly type: 'use' }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly reason: string };

export interface SessionInput {
  /** ps that an answer may take. */
  readonly timeout: number;
}

const NO_ANSWER = { reason: 'the device does not answer' } as const;

export const sessionChart = setup({
  types: {} as {
    context: SessionInput;
    input: SessionInput;
    events: SessionEvent;
    emitted: SessionEffect;
  },
  delays: { COMMAND_TIMEOUT: ({ context }) => context.timeout },
  actions: {
    reset: emit({ type: 'reset' }),
    create: emit({ type: 'create' }),
    query: emit({ type: 'query' }),
    use: emit({ type: 'use' }),
    ready: emit({ type: 'ready' }),
    failed: emit((_, params: { reason: string }) => ({
      type: 'failed' as const,
      reason: params.reason,
    })),
  },
}).createMachine({
  id: 'adminVqSession',
  context: ({ input }) => input,
  initial: 'absent',
  on: { GONE: '.absent', RESET: '.resetting', '*': {} },
  states: {
    absent: {
      description: 'There is no such function, or it was not looked for.',
      on: { FOUND: 'resetting', RESET: {} },
    },
    resetting: {
      description: 'RESET is written to State, which is read until it says so.',
      entry: 'reset',
      on: {
        DONE: 'creating',
        REFUSED: {
          target: 'failed',
          actions: { type: 'failed', params: { reason: 'the registers are not known' } },
        },
      },
    },
    creating: {
      description: 'The administration virtqueue is placed in memory and told to the device.',
      entry: 'create',
      on: {
        DONE: 'agreeing',
        REFUSED: {
          target: 'failed',
          actions: {
            type: 'failed',
            params: { reason: 'the administration virtqueue could not be made' },
          },
        },
      },
    },
    agreeing: {
      description: 'Device and driver agree on the commands.',
      meta: { spec: 'virtio 1.4 §2.12.1' },
      initial: 'querying',
      on: {
        REFUSED: {
          target: 'failed',
          actions: { type: 'failed', params: { reason: 'the device does not have the commands' } },
        },
      },
      after: {
        COMMAND_TIMEOUT: { target: 'failed', actions: { type: 'failed', params: NO_ANSWER } },
      },
      states: {
        querying: {
          description: 'LIST_QUERY: which are there?',
          entry: 'query',
          on: { DONE: 'using' },
        },
        using: {
          description: 'LIST_USE: they will be used.',
          entry: 'use',
          on: { DONE: { target: '#adminVqSession.idle', actions: 'ready' } },
        },
      },
    },
    idle: {
      description: 'Commands can be sent; none is under way.',
      on: { SENT: 'waiting' },
    },
    waiting: {
      description: 'A command is with the device.',
      on: { ANSWERED: 'idle' },
      after: {
        COMMAND_TIMEOUT: { target: 'failed', actions: { type: 'failed', params: NO_ANSWER } },
      },
    },
    failed: {
      description: 'Commands lead to nothing; a reset may help.',
    },
  },
});
