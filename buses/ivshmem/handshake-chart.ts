// How the two peers of an ivshmem bus find each other: the device side says that it is ready in a word of
// the shared memory, at which the driver side looks until it does.
import { emit, setup } from 'xstate';

export type DeviceReadyEvent = { readonly type: 'BOOT' };
export type DeviceReadyEffect = { readonly type: 'ready' };

export interface DeviceReadyInput {
  /** ps until the device side is ready. */
  readonly readyAfter: number;
}

export const deviceReadyChart = setup({
  types: {} as {
    context: DeviceReadyInput;
    input: DeviceReadyInput;
    events: DeviceReadyEvent;
    emitted: DeviceReadyEffect;
  },
  delays: { READY_AFTER: ({ context }) => context.readyAfter },
  actions: { ready: emit({ type: 'ready' }) },
}).createMachine({
  id: 'ivshmemDevice',
  context: ({ input }) => input,
  initial: 'off',
  on: { '*': {} },
  states: {
    off: { description: 'Before the start of the run.', on: { BOOT: 'booting' } },
    booting: {
      description: 'The device side starts; the flag is whatever it was.',
      after: { READY_AFTER: 'ready' },
    },
    ready: { description: 'Queues are reset and the flag is set.', entry: 'ready' },
  },
});

export type DriverReadyEvent =
  | { readonly type: 'CONNECT' }
  | { readonly type: 'READY' }
  | { readonly type: 'NOT_YET' };

export type DriverReadyEffect = { readonly type: 'look' } | { readonly type: 'connected' };

export interface DriverReadyInput {
  /** ps between two looks. */
  readonly readyPoll: number;
}

export const driverReadyChart = setup({
  types: {} as {
    context: DriverReadyInput;
    input: DriverReadyInput;
    events: DriverReadyEvent;
    emitted: DriverReadyEffect;
  },
  delays: { READY_POLL: ({ context }) => context.readyPoll },
  actions: { look: emit({ type: 'look' }), connected: emit({ type: 'connected' }) },
}).createMachine({
  id: 'ivshmemDriver',
  context: ({ input }) => input,
  initial: 'stopped',
  on: { '*': {} },
  states: {
    stopped: { description: 'Before the start of the run.', on: { CONNECT: 'looking' } },
    looking: {
      description: 'The flag is read.',
      entry: 'look',
      on: { READY: 'connected', NOT_YET: 'waiting' },
    },
    waiting: {
      description: 'The peer is not ready; look again later.',
      after: { READY_POLL: 'looking' },
    },
    connected: { description: 'Both sides know of each other.', entry: 'connected' },
  },
});
