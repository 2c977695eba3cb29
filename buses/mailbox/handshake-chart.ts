// How the two sides of a mailbox bus find each other: the device side waits for the shared area to be set
// up, marks its head as ready, and signals once; the driver side looks at that mark when it is signalled.
import { emit, setup } from 'xstate';

export type DeviceBootEvent =
  | { readonly type: 'BOOT' }
  | { readonly type: 'VALID' }
  | { readonly type: 'INVALID' };

export type DeviceBootEffect = { readonly type: 'look' } | { readonly type: 'ready' };

export interface DeviceBootInput {
  /** ps until the device side has booted, and between two looks. */
  readonly readyAfter: number;
  readonly readyPoll: number;
}

export const deviceBootChart = setup({
  types: {} as {
    context: DeviceBootInput;
    input: DeviceBootInput;
    events: DeviceBootEvent;
    emitted: DeviceBootEffect;
  },
  delays: {
    READY_AFTER: ({ context }) => context.readyAfter,
    READY_POLL: ({ context }) => context.readyPoll,
  },
  actions: { look: emit({ type: 'look' }), ready: emit({ type: 'ready' }) },
}).createMachine({
  id: 'mailboxDevice',
  context: ({ input }) => input,
  initial: 'off',
  on: { '*': {} },
  states: {
    off: { description: 'Before the start of the run.', on: { BOOT: 'booting' } },
    booting: { description: 'The core boots.', after: { READY_AFTER: 'looking' } },
    looking: {
      description: 'The definition of the shared area is read.',
      entry: 'look',
      on: { VALID: 'ready', INVALID: 'waiting' },
    },
    waiting: {
      description: 'The area is not set up, or for other elements.',
      after: { READY_POLL: 'looking' },
    },
    ready: { description: 'The own head says so, and the driver was signalled.', entry: 'ready' },
  },
});

export type DriverBootEvent =
  | { readonly type: 'CONNECT' }
  | { readonly type: 'SIGNAL' }
  | { readonly type: 'READY' }
  | { readonly type: 'NOT_YET' };

export type DriverBootEffect = { readonly type: 'look' } | { readonly type: 'connected' };

export const driverBootChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: DriverBootEvent;
    emitted: DriverBootEffect;
  },
  actions: { look: emit({ type: 'look' }), connected: emit({ type: 'connected' }) },
}).createMachine({
  id: 'mailboxDriver',
  context: {},
  initial: 'off',
  on: { '*': {} },
  states: {
    off: { description: 'Before the start of the run.', on: { CONNECT: 'looking' } },
    looking: {
      description: 'The head of the device side is read.',
      entry: 'look',
      on: { READY: 'connected', NOT_YET: 'waiting', SIGNAL: 'lookingAgain' },
    },
    lookingAgain: {
      description: 'Signalled while looking: what is read may be older.',
      on: { READY: 'connected', NOT_YET: 'looking' },
    },
    waiting: {
      description: 'The device side will signal when it is ready.',
      on: { SIGNAL: 'looking' },
    },
    connected: { description: 'Messages flow.', entry: 'connected' },
  },
});
