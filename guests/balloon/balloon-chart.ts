// How a balloon driver follows the device's target: look, give or take pages in batches, tell the device
// how many there are, look again.
import { emit, setup } from 'xstate';

export type BalloonEvent =
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
  | { readonly type: 'CHANGED' }
  | { readonly type: 'READ' }
  | { readonly type: 'REREAD' }
  | { readonly type: 'INFLATE' }
  | { readonly type: 'DEFLATE' }
  | { readonly type: 'USED' }
  | { readonly type: 'TELL' }
  | { readonly type: 'TOLD' }
  | { readonly type: 'REFUSED' }
  | { readonly type: 'SETTLED' }
  | { readonly type: 'STARVED' };

export type BalloonEffect =
  | { readonly type: 'read' }
  | { readonly type: 'choose' }
  | { readonly type: 'inflate' }
  | { readonly type: 'deflate' }
  | { readonly type: 'tell' }
  | { readonly type: 'settled' };

export interface BalloonInput {
  /** ps to wait for free memory. */
  readonly retryInterval: number;
}

export const balloonChart = setup({
  types: {} as {
    context: BalloonInput;
    input: BalloonInput;
    events: BalloonEvent;
    emitted: BalloonEffect;
  },
  delays: { RETRY_INTERVAL: ({ context }) => context.retryInterval },
  actions: {
    read: emit({ type: 'read' }),
    choose: emit({ type: 'choose' }),
    inflate: emit({ type: 'inflate' }),
    deflate: emit({ type: 'deflate' }),
    tell: emit({ type: 'tell' }),
    settled: emit({ type: 'settled' }),
  },
}).createMachine({
  id: 'balloon',
  context: ({ input }) => input,
  initial: 'off',
  on: { STOP: '.off', '*': {} },
  states: {
    off: { description: 'The device is not live.', on: { START: 'choosing' } },
    idle: {
      description: 'The balloon has the size that the device asked for.',
      on: { CHANGED: 'reading' },
    },
    reading: {
      description: 'What does the device ask for now?',
      meta: { spec: 'virtio 1.4 §5.5.6' },
      entry: 'read',
      on: { READ: 'choosing' },
    },
    choosing: {
      description: 'Compare target and balloon.',
      entry: 'choose',
      on: {
        REREAD: 'reading',
        INFLATE: 'inflating',
        DEFLATE: 'deflating',
        TELL: 'telling',
        STARVED: 'starved',
        SETTLED: { target: 'idle', actions: 'settled' },
      },
    },
    inflating: {
      description: 'Pages are on their way to the device, not yet acknowledged.',
      entry: 'inflate',
      on: { USED: 'telling', STARVED: 'starved' },
    },
    deflating: {
      description: 'Pages are asked back; none is used before the device has acknowledged that.',
      entry: 'deflate',
      on: { USED: 'telling' },
    },
    telling: {
      description: 'The device is told how many pages there are.',
      entry: 'tell',
      on: { TOLD: 'choosing', REFUSED: 'reading' },
    },
    starved: {
      description: 'The guest has no page to spare; look again later.',
      on: { CHANGED: 'reading' },
      after: { RETRY_INTERVAL: 'choosing' },
    },
  },
});
