// The device side's use of grants, one transaction after another: hypercalls that map pages or copy
// through them, before the bytes can move.
import { emit, setup } from 'xstate';

export type GrantEvent =
  | { readonly type: 'WORK' }
  | { readonly type: 'CALLED' }
  | { readonly type: 'ANSWERED' }
  | { readonly type: 'READY' }
  | { readonly type: 'MAP' }
  | { readonly type: 'COPY' }
  | { readonly type: 'EMPTY' }
  | { readonly type: 'DISCARD' };

export type GrantEffect =
  | { readonly type: 'next' }
  | { readonly type: 'callMap' }
  | { readonly type: 'ask' }
  | { readonly type: 'callCopy' }
  | { readonly type: 'perform' };

export const grantChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: GrantEvent;
    emitted: GrantEffect;
  },
  actions: {
    next: emit({ type: 'next' }),
    callMap: emit({ type: 'callMap' }),
    ask: emit({ type: 'ask' }),
    callCopy: emit({ type: 'callCopy' }),
    perform: emit({ type: 'perform' }),
  },
}).createMachine({
  id: 'xenGrants',
  context: {},
  initial: 'idle',
  on: { DISCARD: '.idle', '*': {} },
  states: {
    idle: { description: 'No transaction waits.', on: { WORK: 'choosing' } },
    choosing: {
      description: 'What does the oldest transaction need?',
      entry: 'next',
      on: { MAP: 'calling', COPY: 'copying', READY: 'moving', EMPTY: 'idle' },
    },
    calling: {
      description: 'The hypercall that maps pages is made.',
      entry: 'callMap',
      on: { CALLED: 'mapping' },
    },
    mapping: {
      description: 'The hypervisor looks the grants up.',
      entry: 'ask',
      on: { ANSWERED: 'moving' },
    },
    copying: {
      description: 'The hypercall that copies is made.',
      entry: 'callCopy',
      on: { CALLED: 'moving' },
    },
    moving: {
      description: 'The bytes are on their way.',
      entry: 'perform',
      on: { READY: 'choosing' },
    },
  },
});
