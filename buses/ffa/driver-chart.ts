// The driver side of an FF-A bus session, in the order of the Linux driver: find the partition, reset
// what a former session left, agree on versions, choose events, enumerate.
import { assign, emit, setup } from 'xstate';

export type DriverSessionEvent =
  | { readonly type: 'START' }
  | { readonly type: 'FOUND' }
  | { readonly type: 'ABSENT' }
  | { readonly type: 'DONE' }
  | { readonly type: 'BUSY' }
  | { readonly type: 'MORE' }
  | { readonly type: 'REFUSED' };

export type DriverSessionEffect =
  | { readonly type: 'findPartition' }
  | { readonly type: 'sendReset' }
  | { readonly type: 'probeVersion' }
  | { readonly type: 'echoVersion' }
  | { readonly type: 'configureFifo' }
  | { readonly type: 'configureEvents' }
  | { readonly type: 'getDevices' }
  | { readonly type: 'online' }
  | { readonly type: 'failed'; readonly during: string };

export interface DriverSessionInput {
  /** ps that a bus request may take. */
  readonly timeout: number;
  /** ps before a busy partition is asked again. */
  readonly busyRetry: number;
  /** Messages go through FIFOs, which must be announced. */
  readonly fifo: boolean;
}

/** RESET is repeated this often when the partition is busy (Linux: 3). */
export const RESET_RETRIES_MAX = 3;

interface Context extends DriverSessionInput {
  readonly retries: number;
}

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
  },
  guards: {
    usesFifo: ({ context }) => context.fifo,
    resetTriesLeft: ({ context }) => context.retries < RESET_RETRIES_MAX,
  },
  actions: {
    findPartition: emit({ type: 'findPartition' }),
    sendReset: emit({ type: 'sendReset' }),
    probeVersion: emit({ type: 'probeVersion' }),
    echoVersion: emit({ type: 'echoVersion' }),
    configureFifo: emit({ type: 'configureFifo' }),
    configureEvents: emit({ type: 'configureEvents' }),
    getDevices: emit({ type: 'getDevices' }),
    online: emit({ type: 'online' }),
    countRetry: assign({ retries: ({ context }) => context.retries + 1 }),
    failed: emit((_, params: { during: string }) => ({ type: 'failed' as const, ...params })),
  },
}).createMachine({
  id: 'ffaDriver',
  context: ({ input }) => ({ ...input, retries: 0 }),
  initial: 'stopped',
  on: { '*': {} },
  states: {
    stopped: { description: 'Before the start of the run.', on: { START: 'discovering' } },
    discovering: {
      description: 'FFA_PARTITION_INFO_GET looks for the device-role UUID.',
      meta: { spec: 'DEN0077 FFA_PARTITION_INFO_GET' },
      entry: 'findPartition',
      on: {
        FOUND: 'resetting',
        ABSENT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'partition discovery' } },
        },
      },
    },
    resetting: {
      description: 'RESET drops what an earlier session left behind.',
      entry: 'sendReset',
      on: {
        DONE: 'probing',
        BUSY: 'resetBusy',
        REFUSED: { target: 'failed', actions: { type: 'failed', params: { during: 'RESET' } } },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'RESET' } },
        },
      },
    },
    resetBusy: {
      description: 'The partition was busy; wait a little and ask again.',
      after: {
        BUSY_RETRY: [
          { guard: 'resetTriesLeft', target: 'resetting', actions: 'countRetry' },
          { target: 'failed', actions: { type: 'failed', params: { during: 'RESET' } } },
        ],
      },
    },
    probing: {
      description: 'VERSION with zeroes asks what the partition speaks.',
      entry: 'probeVersion',
      on: {
        DONE: 'negotiating',
        REFUSED: { target: 'failed', actions: { type: 'failed', params: { during: 'VERSION' } } },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'VERSION' } },
        },
      },
    },
    negotiating: {
      description: 'VERSION echoes the answer, which makes it binding.',
      entry: 'echoVersion',
      on: {
        DONE: [{ guard: 'usesFifo', target: 'configuringFifo' }, { target: 'configuring' }],
        REFUSED: { target: 'failed', actions: { type: 'failed', params: { during: 'VERSION' } } },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'VERSION' } },
        },
      },
    },
    configuringFifo: {
      description: 'FIFO_CONFIGURE announces the pages of the FIFOs.',
      entry: 'configureFifo',
      on: {
        DONE: 'configuring',
        REFUSED: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'FIFO_CONFIGURE' } },
        },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'FIFO_CONFIGURE' } },
        },
      },
    },
    configuring: {
      description: 'EVENT_CONFIGURE chooses how events are heard of.',
      entry: 'configureEvents',
      on: {
        DONE: 'enumerating',
        REFUSED: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'EVENT_CONFIGURE' } },
        },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'EVENT_CONFIGURE' } },
        },
      },
    },
    enumerating: {
      description: 'GET_DEVICES, window after window.',
      entry: 'getDevices',
      on: {
        MORE: { target: 'enumerating', reenter: true },
        DONE: { target: 'running', actions: 'online' },
        REFUSED: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'GET_DEVICES' } },
        },
      },
      after: {
        REQUEST_TIMEOUT: {
          target: 'failed',
          actions: { type: 'failed', params: { during: 'GET_DEVICES' } },
        },
      },
    },
    running: { description: 'Devices are online; transport messages flow.' },
    failed: { description: 'The session could not be set up; devices stay offline.' },
  },
});
