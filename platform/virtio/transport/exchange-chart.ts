// The driver side of one virtio-msg device as requests see it: one operation at a time, each made of
// one or more exchanges of a request and its response, with a bounded time and number of tries.
import { assign, emit, setup } from 'xstate';

export type ExchangeEvent =
  | { readonly type: 'ONLINE' }
  | { readonly type: 'OFFLINE' }
  | { readonly type: 'OPERATION' }
  | { readonly type: 'RESPONSE' }
  | { readonly type: 'UNDELIVERABLE' }
  | { readonly type: 'NEXT' }
  | { readonly type: 'LATER' }
  | { readonly type: 'DONE' };

export type ExchangeEffect =
  | { readonly type: 'send' }
  | { readonly type: 'handle' }
  | { readonly type: 'finish' }
  | { readonly type: 'timedOut' }
  | { readonly type: 'undeliverable' }
  | { readonly type: 'unreachable' };

export interface ExchangeInput {
  /** ps a response may take. */
  readonly timeout: number;
  /** How often a request is sent again after a time-out. */
  readonly retriesMax: number;
  /** ps between two looks at something that is not ready yet. */
  readonly pollInterval: number;
}

interface ExchangeContext extends ExchangeInput {
  readonly retries: number;
}

export const exchangeChart = setup({
  types: {} as {
    context: ExchangeContext;
    input: ExchangeInput;
    events: ExchangeEvent;
    emitted: ExchangeEffect;
  },
  delays: {
    RESPONSE_TIMEOUT: ({ context }) => context.timeout,
    POLL_INTERVAL: ({ context }) => context.pollInterval,
  },
  guards: { triesLeft: ({ context }) => context.retries < context.retriesMax },
  actions: {
    send: emit({ type: 'send' }),
    handle: emit({ type: 'handle' }),
    finish: emit({ type: 'finish' }),
    timedOut: emit({ type: 'timedOut' }),
    undeliverable: emit({ type: 'undeliverable' }),
    unreachable: emit({ type: 'unreachable' }),
    firstTry: assign({ retries: 0 }),
    anotherTry: assign({ retries: ({ context }) => context.retries + 1 }),
  },
}).createMachine({
  id: 'exchange',
  context: ({ input }) => ({ ...input, retries: 0 }),
  initial: 'offline',
  on: { '*': {} },
  states: {
    offline: {
      description: 'The bus has not found the device, or has lost it.',
      on: { ONLINE: 'idle', OPERATION: { actions: 'unreachable' } },
    },
    idle: {
      description: 'No request is under way.',
      entry: 'firstTry',
      on: { OPERATION: 'waiting', OFFLINE: 'offline' },
    },
    waiting: {
      description: 'A request is on its way and its response is awaited.',
      meta: { spec: 'virtio-msg Error Handling: bounded completion' },
      entry: 'send',
      on: {
        RESPONSE: 'handling',
        UNDELIVERABLE: { target: 'idle', actions: 'undeliverable' },
        OFFLINE: { target: 'offline', actions: 'unreachable' },
      },
      after: {
        RESPONSE_TIMEOUT: [
          { guard: 'triesLeft', target: 'waiting', reenter: true, actions: 'anotherTry' },
          { target: 'idle', actions: 'timedOut' },
        ],
      },
    },
    handling: {
      description: 'The response is looked at: is the operation complete?',
      entry: 'handle',
      on: {
        NEXT: { target: 'waiting', actions: 'firstTry' },
        LATER: 'pausing',
        DONE: { target: 'idle', actions: 'finish' },
        OFFLINE: { target: 'offline', actions: 'unreachable' },
      },
    },
    pausing: {
      description: 'The device is not ready yet; ask again soon.',
      on: { OFFLINE: { target: 'offline', actions: 'unreachable' } },
      after: { POLL_INTERVAL: { target: 'waiting', actions: 'firstTry' } },
    },
  },
});
