// One indirect access to the registers of a non-blocking virtio-mmio device, as the guest's driver makes
// it: ACCESS says when it may begin and when it has ended, and nothing blocks in between.
import { emit, setup } from 'xstate';

export type IndirectEvent =
  | { readonly type: 'BEGIN' }
  | { readonly type: 'BUSY' }
  | { readonly type: 'FREE' }
  | { readonly type: 'LOAD' }
  | { readonly type: 'STORE' }
  | { readonly type: 'POSTED' }
  | { readonly type: 'ENDED' };

export type IndirectEffect =
  | { readonly type: 'look' }
  | { readonly type: 'choose' }
  | { readonly type: 'putData' }
  | { readonly type: 'putAccess' }
  | { readonly type: 'getData' }
  | { readonly type: 'finish' };

export interface IndirectInput {
  /** ps between two looks at BUSY. */
  readonly accessPoll: number;
}

export const indirectChart = setup({
  types: {} as {
    context: IndirectInput;
    input: IndirectInput;
    events: IndirectEvent;
    emitted: IndirectEffect;
  },
  delays: { ACCESS_POLL: ({ context }) => context.accessPoll },
  actions: {
    look: emit({ type: 'look' }),
    choose: emit({ type: 'choose' }),
    putData: emit({ type: 'putData' }),
    putAccess: emit({ type: 'putAccess' }),
    getData: emit({ type: 'getData' }),
    finish: emit({ type: 'finish' }),
  },
}).createMachine({
  id: 'xenIndirectAccess',
  context: ({ input }) => input,
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'No access is under way.', on: { BEGIN: 'asking' } },
    asking: {
      description: 'ACCESS is read: a write to it while it is busy would abort.',
      entry: 'look',
      on: { BUSY: 'heldOff', FREE: 'choosing' },
    },
    heldOff: {
      description: 'The device domain is not connected, or its queue is full.',
      after: { ACCESS_POLL: 'asking' },
    },
    choosing: {
      description: 'Is it a load or a store?',
      entry: 'choose',
      on: { LOAD: 'starting', STORE: 'storing' },
    },
    storing: {
      description: 'The value is written to ACCESS_DATA.',
      entry: 'putData',
      on: { ENDED: 'starting' },
    },
    starting: {
      description: 'The write to ACCESS starts the access.',
      entry: 'putAccess',
      on: {
        ENDED: 'looking',
        POSTED: { target: 'idle', actions: 'finish' },
        BUSY: 'heldOff',
      },
    },
    looking: {
      description: 'ACCESS is read: has the access ended?',
      entry: 'look',
      on: {
        BUSY: 'pausing',
        LOAD: 'loading',
        STORE: { target: 'idle', actions: 'finish' },
      },
    },
    pausing: {
      description: 'The guest does something else.',
      after: { ACCESS_POLL: 'looking' },
    },
    loading: {
      description: 'The value is read from ACCESS_DATA.',
      entry: 'getData',
      on: { ENDED: { target: 'idle', actions: 'finish' } },
    },
  },
});
