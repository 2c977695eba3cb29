// The driver side of an FF-A bus session, in the order of the Linux driver: find the partition, reset
// what a former session left, agree on versions, choose events, enumerate. What the partition had before is
// shared with it again. A partition that is lost is looked for again now and then.
import { assign, emit, setup } from 'xstate';

export type DriverSessionEvent =
  | { readonly type: 'START' }
  | { readonly type: 'FOUND' }
  | { readonly type: 'ABSENT' }
  | { readonly type: 'DONE' }
  | { readonly type: 'BUSY' }
  | { readonly type: 'MORE' }
  | { readonly type: 'REFUSED' }
  | { readonly type: 'ALIVE' }
  | { readonly type: 'SILENT' }
  /** The partition cannot be reached. */
  | { readonly type: 'LOST' }
  /** The driver wants to begin anew. */
  | { readonly type: 'RESET' }
  /** The VM stops. */
  | { readonly type: 'STOP' };

/** Why the session is suspended, and devices are away. */
export type Suspension = 'lost' | 'forgotten' | 'silent' | 'reset';

export type DriverSessionEffect =
  | { readonly type: 'findPartition' }
  | { readonly type: 'sendReset' }
  | { readonly type: 'probeVersion' }
  | { readonly type: 'echoVersion' }
  | { readonly type: 'configureFifo' }
  | { readonly type: 'configureEvents' }
  | { readonly type: 'getDevices' }
  | { readonly type: 'renewAreas' }
  | { readonly type: 'online' }
  | { readonly type: 'ping' }
  | { readonly type: 'check' }
  | { readonly type: 'suspend'; readonly why: Suspension }
  | { readonly type: 'failed'; readonly during: string };

export interface DriverSessionInput {
  /** ps that a bus request may take. */
  readonly timeout: number;
  /** ps before a busy partition is asked again. */
  readonly busyRetry: number;
  /** ps before a partition that does not run is looked for again. */
  readonly initRetry: number;
  /** ps between two PINGs; Infinity for none. */
  readonly pingInterval: number;
  /** Messages go through FIFOs, which must be announced. */
  readonly fifo: boolean;
  /** A partition that was lost is looked for again. */
  readonly reconnects: boolean;
}

/** RESET is repeated this often when the partition is busy (Linux: 3). */
const RESET_RETRIES_MAX = 3;
/** A partition that does not run is looked for this often (Linux: 60). */
const INIT_RETRIES_MAX = 60;

interface Context extends DriverSessionInput {
  readonly retries: number;
  /** How often in a row the partition did not run. */
  readonly attempts: number;
  /** The session has been up. */
  readonly wasUp: boolean;
}

const givesUp = (during: string) => ({
  target: 'failed',
  actions: { type: 'failed' as const, params: { during } },
});

/** What a refusal or a time-out leads to: the first set-up ends with it, a later one is tried again. */
const failsIn = (during: string) => [
  { guard: 'mayTryAgain' as const, target: 'waiting', actions: 'countAttempt' as const },
  givesUp(during),
];

export const driverSessionChart = setup({
  types: {} as {
    context: Context;
    input: DriverSessionInput;
    events: DriverSessionEvent;
    emitted: DriverSessionEffect;
  },
  delays: {
    REQUEST_TIMEOUT: ({ context }) => context.timeout,
    BUSY_RETRY: ({ context }) => context.busyRetry,
    INIT_RETRY: ({ context }) => context.initRetry,
    PING_INTERVAL: ({ context }) => context.pingInterval,
  },
  guards: {
    usesFifo: ({ context }) => context.fifo,
    resetTriesLeft: ({ context }) => context.retries < RESET_RETRIES_MAX,
    attemptsLeft: ({ context }) => context.attempts < INIT_RETRIES_MAX,
    reconnects: ({ context }) => context.reconnects,
    mayTryAgain: ({ context }) => context.wasUp && context.attempts < INIT_RETRIES_MAX,
  },
  actions: {
    findPartition: emit({ type: 'findPartition' }),
    sendReset: emit({ type: 'sendReset' }),
    probeVersion: emit({ type: 'probeVersion' }),
    echoVersion: emit({ type: 'echoVersion' }),
    configureFifo: emit({ type: 'configureFifo' }),
    configureEvents: emit({ type: 'configureEvents' }),
    getDevices: emit({ type: 'getDevices' }),
    renewAreas: emit({ type: 'renewAreas' }),
    online: emit({ type: 'online' }),
    ping: emit({ type: 'ping' }),
    check: emit({ type: 'check' }),
    firstTry: assign({ retries: 0 }),
    countRetry: assign({ retries: ({ context }) => context.retries + 1 }),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    forgetAttempts: assign({ attempts: 0 }),
    noteUp: assign({ attempts: 0, wasUp: true }),
    suspend: emit((_, params: { why: Suspension }) => ({ type: 'suspend' as const, ...params })),
    failed: emit((_, params: { during: string }) => ({ type: 'failed' as const, ...params })),
  },
}).createMachine({
  id: 'ffaDriver',
  context: ({ input }) => ({ ...input, retries: 0, attempts: 0, wasUp: false }),
  initial: 'stopped',
  on: {
    STOP: '.stopped',
    LOST: [
      { guard: 'attemptsLeft', target: '.waiting', actions: 'countAttempt' },
      { target: '.failed', actions: { type: 'failed', params: { during: 'reconnection' } } },
    ],
    '*': {},
  },
  states: {
    stopped: {
      description: 'Before the start of the run, or while the VM is down.',
      on: { START: { target: 'discovering', actions: 'forgetAttempts' }, LOST: {} },
    },
    discovering: {
      description: 'FFA_PARTITION_INFO_GET looks for the service.',
      meta: { spec: 'DEN0077 FFA_PARTITION_INFO_GET' },
      entry: ['findPartition', 'firstTry'],
      on: { FOUND: 'resetting', ABSENT: givesUp('partition discovery') },
    },
    waiting: {
      description: 'The partition does not run; it is looked for again after a while.',
      on: { LOST: {} },
      after: { INIT_RETRY: 'discovering' },
    },
    resetting: {
      description: 'RESET drops what an earlier session left behind.',
      entry: 'sendReset',
      on: { DONE: 'probing', BUSY: 'resetBusy', REFUSED: failsIn('RESET') },
      after: { REQUEST_TIMEOUT: failsIn('RESET') },
    },
    resetBusy: {
      description: 'The partition was busy; wait a little and ask again.',
      after: {
        BUSY_RETRY: [
          { guard: 'resetTriesLeft', target: 'resetting', actions: 'countRetry' },
          ...failsIn('RESET'),
        ],
      },
    },
    probing: {
      description: 'VERSION with zeroes asks what the partition speaks.',
      entry: 'probeVersion',
      on: { DONE: 'negotiating', REFUSED: failsIn('VERSION') },
      after: { REQUEST_TIMEOUT: failsIn('VERSION') },
    },
    negotiating: {
      description: 'VERSION echoes the answer, which makes it binding.',
      entry: 'echoVersion',
      on: {
        DONE: [{ guard: 'usesFifo', target: 'configuringFifo' }, { target: 'configuring' }],
        REFUSED: failsIn('VERSION'),
      },
      after: { REQUEST_TIMEOUT: failsIn('VERSION') },
    },
    configuringFifo: {
      description: 'FIFO_CONFIGURE announces the pages of the FIFOs.',
      entry: 'configureFifo',
      on: { DONE: 'configuring', REFUSED: failsIn('FIFO_CONFIGURE') },
      after: { REQUEST_TIMEOUT: failsIn('FIFO_CONFIGURE') },
    },
    configuring: {
      description: 'EVENT_CONFIGURE chooses how events are heard of.',
      entry: 'configureEvents',
      on: { DONE: 'enumerating', REFUSED: failsIn('EVENT_CONFIGURE') },
      after: { REQUEST_TIMEOUT: failsIn('EVENT_CONFIGURE') },
    },
    enumerating: {
      description: 'GET_DEVICES, window after window.',
      entry: 'getDevices',
      on: {
        MORE: { target: 'enumerating', reenter: true },
        DONE: 'renewing',
        REFUSED: failsIn('GET_DEVICES'),
      },
      after: { REQUEST_TIMEOUT: failsIn('GET_DEVICES') },
    },
    renewing: {
      description: 'Areas of a former session are shared again, with all that is in them.',
      entry: 'renewAreas',
      on: {
        DONE: { target: 'running', actions: ['noteUp', 'online'] },
        REFUSED: failsIn('AREA_SHARE'),
      },
      after: { REQUEST_TIMEOUT: failsIn('AREA_SHARE') },
    },
    running: {
      description: 'Devices are online; transport messages flow, and a PING now and then.',
      entry: 'ping',
      on: {
        RESET: { target: 'resetting', actions: { type: 'suspend', params: { why: 'reset' } } },
        LOST: [
          {
            guard: 'reconnects',
            target: 'discovering',
            actions: { type: 'suspend', params: { why: 'lost' } },
          },
          givesUp('operation'),
        ],
        REFUSED: [
          {
            guard: 'reconnects',
            target: 'discovering',
            actions: { type: 'suspend', params: { why: 'forgotten' } },
          },
          givesUp('operation'),
        ],
      },
      after: { PING_INTERVAL: 'checking' },
    },
    checking: {
      description: 'Has anything been heard since the last PING?',
      entry: 'check',
      on: {
        ALIVE: 'running',
        SILENT: [
          {
            guard: 'reconnects',
            target: 'discovering',
            actions: { type: 'suspend', params: { why: 'silent' } },
          },
          givesUp('operation'),
        ],
      },
    },
    failed: {
      description: 'The session could not be set up; devices stay offline.',
      on: { LOST: {} },
    },
  },
});
