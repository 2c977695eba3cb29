// How a driver takes an administration virtqueue into use (virtio 1.4 §2.12.1): it asks which commands the
// self group has, says which of them it will use, and only then sends others.
import { assign, emit, setup } from 'xstate';

export type AdminEvent =
  | { readonly type: 'BEGIN' }
  | { readonly type: 'STOP' }
  /** What became of the command under way. */
  | { readonly type: 'OK' }
  | { readonly type: 'AGAIN' }
  | { readonly type: 'FAILED' };

export type AdminEffect = { readonly type: 'query' } | { readonly type: 'use' };

export interface AdminInput {
  /** How often a command is sent again to which the device says EAGAIN. */
  readonly retriesMax: number;
}

interface Context extends AdminInput {
  readonly retries: number;
}

export const adminChart = setup({
  types: {} as { context: Context; input: AdminInput; events: AdminEvent; emitted: AdminEffect },
  guards: { mayRetry: ({ context }) => context.retries < context.retriesMax },
  actions: {
    query: emit({ type: 'query' }),
    use: emit({ type: 'use' }),
    firstTry: assign({ retries: 0 }),
    anotherTry: assign({ retries: ({ context }) => context.retries + 1 }),
  },
}).createMachine({
  id: 'admin',
  context: ({ input }) => ({ ...input, retries: 0 }),
  initial: 'stopped',
  on: { STOP: '.stopped', '*': {} },
  states: {
    stopped: {
      description: 'There is no such queue, or the device is not live.',
      entry: 'firstTry',
      on: { BEGIN: 'querying' },
    },
    querying: {
      description: 'LIST_QUERY: which commands are there?',
      meta: { spec: 'virtio 1.4 §2.12.1' },
      entry: 'query',
      on: {
        OK: { target: 'using', actions: 'firstTry' },
        AGAIN: [
          { guard: 'mayRetry', target: 'querying', reenter: true, actions: 'anotherTry' },
          { target: 'refused' },
        ],
        FAILED: 'refused',
      },
    },
    using: {
      description: 'LIST_USE: these the driver will use.',
      meta: { spec: 'virtio 1.4 §2.12.1' },
      entry: 'use',
      on: {
        OK: 'ready',
        AGAIN: [
          { guard: 'mayRetry', target: 'using', reenter: true, actions: 'anotherTry' },
          { target: 'refused' },
        ],
        FAILED: 'refused',
      },
    },
    ready: { description: 'Device and driver agree on the commands.' },
    refused: { description: 'They do not; the driver works without the queue.' },
  },
});
