// How a driver resets one queue of a live device and uses it again (virtio 1.4 §2.6.1), while the others
// go on: reset it, look whether it is, set it up anew, look again.
import { emit, setup } from 'xstate';
import type { TransportReply } from '../../platform/contracts/index.ts';

export type QueueResetEvent =
  | TransportReply
  | { readonly type: 'BEGIN' }
  | { readonly type: 'ABORT' };

export type QueueResetEffect =
  | { readonly type: 'resetQueue' }
  | { readonly type: 'getQueue' }
  | { readonly type: 'remake' }
  | { readonly type: 'setQueue' }
  | { readonly type: 'done' }
  | { readonly type: 'refused' };

export const queueResetChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: QueueResetEvent;
    emitted: QueueResetEffect;
  },
  guards: {
    isDisabled: ({ event }) => event.type === 'reply.queue' && event.size === 0,
    isEnabled: ({ event }) => event.type === 'reply.queue' && event.size > 0,
  },
  actions: {
    resetQueue: emit({ type: 'resetQueue' }),
    getQueue: emit({ type: 'getQueue' }),
    remake: emit({ type: 'remake' }),
    setQueue: emit({ type: 'setQueue' }),
    done: emit({ type: 'done' }),
    refused: emit({ type: 'refused' }),
  },
}).createMachine({
  id: 'queueReset',
  context: {},
  initial: 'idle',
  on: { ABORT: '.idle', '*': {} },
  states: {
    idle: { description: 'No queue is being reset.', on: { BEGIN: 'resetting' } },
    resetting: {
      description: 'The device is told to let go of the queue.',
      meta: { spec: 'virtio 1.4 §2.6.1.1' },
      entry: 'resetQueue',
      on: { 'reply.queueReset': 'verifying' },
    },
    verifying: {
      description: 'Has it let go?',
      entry: 'getQueue',
      on: {
        'reply.queue': [
          { guard: 'isDisabled', target: 'enabling', actions: 'remake' },
          { target: 'idle', actions: 'refused' },
        ],
      },
    },
    enabling: {
      description: 'The queue is set up anew, as it was in the beginning.',
      meta: { spec: 'virtio 1.4 §2.6.1.2' },
      entry: 'setQueue',
      on: { 'reply.queueSet': 'confirming' },
    },
    confirming: {
      description: 'Has the device taken it?',
      entry: 'getQueue',
      on: {
        'reply.queue': [
          { guard: 'isEnabled', target: 'idle', actions: 'done' },
          { target: 'idle', actions: 'refused' },
        ],
      },
    },
  },
});
