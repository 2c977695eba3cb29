// A subchannel as the device model has it: it takes a program, runs it command by command, and has a
// status to tell until the driver collects it.
import { emit, setup } from 'xstate';

export type SubchannelEvent =
  | { readonly type: 'ENABLE' }
  | { readonly type: 'DISABLE' }
  | { readonly type: 'START' }
  | { readonly type: 'ALERT' }
  | { readonly type: 'NEEDS_DATA' }
  | { readonly type: 'READY' }
  | { readonly type: 'NEXT' }
  | { readonly type: 'END' }
  | { readonly type: 'TEST' }
  | { readonly type: 'GONE' };

/** The events, made once. */
export const SubchannelEvents = {
  ENABLE: { type: 'ENABLE' },
  DISABLE: { type: 'DISABLE' },
  START: { type: 'START' },
  ALERT: { type: 'ALERT' },
  NEEDS_DATA: { type: 'NEEDS_DATA' },
  READY: { type: 'READY' },
  NEXT: { type: 'NEXT' },
  END: { type: 'END' },
  TEST: { type: 'TEST' },
  GONE: { type: 'GONE' },
} as const satisfies Record<string, SubchannelEvent>;

export type SubchannelEffect =
  | { readonly type: 'forgetRevision' }
  | { readonly type: 'fetchCommand' }
  | { readonly type: 'fetchData' }
  | { readonly type: 'execute' }
  | { readonly type: 'interrupt' };

export const subchannelChart = setup({
  types: {} as { events: SubchannelEvent; emitted: SubchannelEffect },
  actions: {
    forgetRevision: emit({ type: 'forgetRevision' }),
    fetchCommand: emit({ type: 'fetchCommand' }),
    fetchData: emit({ type: 'fetchData' }),
    execute: emit({ type: 'execute' }),
    interrupt: emit({ type: 'interrupt' }),
  },
}).createMachine({
  id: 'ccwSubchannel',
  initial: 'disabled',
  on: { GONE: '.disabled', '*': {} },
  states: {
    disabled: {
      description: 'The driver has not enabled the subchannel.',
      on: { ENABLE: { target: 'idle', actions: 'forgetRevision' } },
    },
    idle: {
      description: 'Enabled, with nothing to do or to tell.',
      on: { START: 'fetching', ALERT: 'pending', DISABLE: 'disabled' },
    },
    fetching: {
      description: 'The next command word is read from guest memory.',
      entry: 'fetchCommand',
      on: {
        NEEDS_DATA: 'gathering',
        READY: 'executing',
        NEXT: { target: 'fetching', reenter: true },
        END: 'pending',
      },
    },
    gathering: {
      description: "The command's data is read from guest memory.",
      entry: 'fetchData',
      on: { READY: 'executing', END: 'pending' },
    },
    executing: {
      description: 'The command is done.',
      entry: 'execute',
      on: { NEXT: 'fetching', END: 'pending' },
    },
    pending: {
      description: 'A status waits for TEST SUBCHANNEL; it is told by an interrupt.',
      entry: 'interrupt',
      on: { TEST: 'idle' },
    },
  },
});
