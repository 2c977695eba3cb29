// The driver side of a bus whose messages cross a link: the link comes up, devices are found, and a
// watchdog asks now and then whether the peer is still there.
import { emit, setup } from 'xstate';

export type LinkSessionEvent =
  | { readonly type: 'START' }
  | { readonly type: 'UP' }
  | { readonly type: 'DOWN' }
  | { readonly type: 'AWAY' }
  | { readonly type: 'MORE' }
  | { readonly type: 'DONE' }
  | { readonly type: 'ALIVE' }
  | { readonly type: 'SILENT' };

export type LinkSessionEffect =
  | { readonly type: 'connect' }
  | { readonly type: 'getDevices' }
  | { readonly type: 'online' }
  | { readonly type: 'ping' }
  | { readonly type: 'check' }
  | { readonly type: 'offline'; readonly why: 'down' | 'away' | 'silent' | 'noAnswer' };

export interface LinkSessionInput {
  /** Devices are asked for with GET_DEVICES. */
  readonly asks: boolean;
  /** ps that a bus request may take. */
  readonly timeout: number;
  /** ps between two PINGs; Infinity for a bus that sends none. */
  readonly pingInterval: number;
}

export const linkSessionChart = setup({
  types: {} as {
    context: LinkSessionInput;
    input: LinkSessionInput;
    events: LinkSessionEvent;
    emitted: LinkSessionEffect;
  },
  delays: {
    REQUEST_TIMEOUT: ({ context }) => context.timeout,
    PING_INTERVAL: ({ context }) => context.pingInterval,
  },
  guards: { asks: ({ context }) => context.asks },
  actions: {
    connect: emit({ type: 'connect' }),
    getDevices: emit({ type: 'getDevices' }),
    online: emit({ type: 'online' }),
    ping: emit({ type: 'ping' }),
    check: emit({ type: 'check' }),
    offline: emit((_, params: { why: 'down' | 'away' | 'silent' | 'noAnswer' }) => ({
      type: 'offline' as const,
      ...params,
    })),
  },
}).createMachine({
  id: 'linkSession',
  context: ({ input }) => input,
  initial: 'stopped',
  on: {
    DOWN: { target: '.failed', actions: { type: 'offline', params: { why: 'down' } } },
    AWAY: { target: '.failed', actions: { type: 'offline', params: { why: 'away' } } },
    '*': {},
  },
  states: {
    stopped: { description: 'Before the start of the run.', on: { START: 'connecting' } },
    connecting: {
      description: 'The link is set up with the peer.',
      entry: 'connect',
      on: { UP: 'discovering' },
    },
    discovering: {
      description: 'Which devices are there: asked for, or known beforehand?',
      always: [
        { guard: 'asks', target: 'enumerating' },
        { target: 'running', actions: 'online' },
      ],
    },
    enumerating: {
      description: 'GET_DEVICES, window after window.',
      entry: 'getDevices',
      on: {
        MORE: { target: 'enumerating', reenter: true },
        DONE: { target: 'running', actions: 'online' },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'lost',
          actions: { type: 'offline', params: { why: 'noAnswer' } },
        },
      },
    },
    running: {
      description: 'Devices are online; a PING is sent now and then.',
      entry: 'ping',
      after: { PING_INTERVAL: 'checking' },
    },
    checking: {
      description: 'Has anything been heard since the last PING?',
      entry: 'check',
      on: {
        ALIVE: 'running',
        SILENT: { target: 'lost', actions: { type: 'offline', params: { why: 'silent' } } },
      },
    },
    lost: {
      description: 'The peer does not answer; devices are offline until it does.',
      entry: 'ping',
      after: { PING_INTERVAL: 'listening' },
    },
    listening: {
      description: 'Has the peer come back?',
      entry: 'check',
      on: { ALIVE: 'discovering', SILENT: 'lost' },
    },
    failed: {
      description: 'The link is gone; devices are offline, or away until it comes up again.',
      on: { UP: 'discovering' },
    },
  },
});
