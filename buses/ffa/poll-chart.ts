// How the driver side fetches events with EVENT_POLL: woken by a notification or by a timer, it asks
// until the answer is empty.
import { emit, setup } from 'xstate';

export type PollEvent =
  | { readonly type: 'ENABLE' }
  | { readonly type: 'DISABLE' }
  | { readonly type: 'WAKE' }
  | { readonly type: 'EVENT' }
  | { readonly type: 'EMPTY' }
  | { readonly type: 'LOST' };

/** The events without data, made once. */
export const PollEvents = {
  WAKE: { type: 'WAKE' },
  EVENT: { type: 'EVENT' },
  EMPTY: { type: 'EMPTY' },
  LOST: { type: 'LOST' },
} as const satisfies Record<string, PollEvent>;

export type PollEffect = { readonly type: 'poll' };

export interface PollInput {
  /** ps between polls, or Infinity when a notification wakes the poller. */
  readonly interval: number;
}

export const pollChart = setup({
  types: {} as { context: PollInput; input: PollInput; events: PollEvent; emitted: PollEffect },
  delays: { POLL_INTERVAL: ({ context }) => context.interval },
  actions: { poll: emit({ type: 'poll' }) },
}).createMachine({
  id: 'ffaPoll',
  context: ({ input }) => input,
  initial: 'off',
  on: { DISABLE: '.off', '*': {} },
  states: {
    off: { description: 'Events are not configured.', on: { ENABLE: 'polling' } },
    idle: {
      description: 'No events are known to wait.',
      on: { WAKE: 'polling' },
      after: { POLL_INTERVAL: 'polling' },
    },
    polling: {
      description: 'An EVENT_POLL is under way.',
      entry: 'poll',
      on: {
        EVENT: { target: 'polling', reenter: true },
        EMPTY: 'idle',
        WAKE: 'pollingAgain',
        LOST: { target: 'polling', reenter: true },
      },
    },
    pollingAgain: {
      description: 'Woken while polling: an empty answer may be older than the wake-up.',
      on: { EVENT: 'polling', EMPTY: 'polling', LOST: 'polling' },
    },
  },
});
