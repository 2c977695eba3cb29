// How system software takes a function into use: set up what is on the way to it, find it, give its BARs addresses, read what it can do,
// enable it; after a reset or a hot plug all over again.
import { emit, setup } from 'xstate';

export type ProbeEvent =
  | { readonly type: 'PROBE' }
  | { readonly type: 'DONE' }
  | { readonly type: 'NONE' }
  | { readonly type: 'RESET' }
  | { readonly type: 'REMOVED' }
  | { readonly type: 'INSERTED' };

export type ProbeEffect =
  | { readonly type: 'scan' }
  | { readonly type: 'identify' }
  | { readonly type: 'placeBars' }
  | { readonly type: 'readCapabilities' }
  | { readonly type: 'enable' }
  | { readonly type: 'startReset' }
  | { readonly type: 'ready' }
  | { readonly type: 'absent' };

export interface ProbeInput {
  /** ps that a function is left alone after its reset or a new link. */
  readonly readyTime: number;
}

export const probeChart = setup({
  types: {} as { context: ProbeInput; input: ProbeInput; events: ProbeEvent; emitted: ProbeEffect },
  delays: { READY_TIME: ({ context }) => context.readyTime },
  actions: {
    scan: emit({ type: 'scan' }),
    identify: emit({ type: 'identify' }),
    placeBars: emit({ type: 'placeBars' }),
    readCapabilities: emit({ type: 'readCapabilities' }),
    enable: emit({ type: 'enable' }),
    startReset: emit({ type: 'startReset' }),
    ready: emit({ type: 'ready' }),
    absent: emit({ type: 'absent' }),
  },
}).createMachine({
  id: 'pcieProbe',
  context: ({ input }) => input,
  initial: 'unknown',
  on: { REMOVED: '.absent', '*': {} },
  states: {
    unknown: { description: 'Nobody has looked yet.', on: { PROBE: 'scanning' } },
    scanning: {
      description: 'Ports on the way get bus numbers and windows, unless they have them.',
      meta: { spec: 'PCI-to-PCI Bridge 1.2 §3.2.5' },
      entry: 'scan',
      on: { DONE: 'identifying' },
    },
    identifying: {
      description: 'The vendor and device ids are read; all ones mean that nothing is there.',
      meta: { spec: 'PCI 3.0 §6.1' },
      entry: 'identify',
      on: { DONE: 'placing', NONE: 'absent' },
    },
    placing: {
      description: 'Each BAR is written with ones, read back and given an address.',
      meta: { spec: 'PCI 3.0 §6.2.5.1' },
      entry: 'placeBars',
      on: { DONE: 'reading', NONE: 'absent' },
    },
    reading: {
      description: 'The chain of capabilities is walked.',
      meta: { spec: 'PCI 3.0 §6.7' },
      entry: 'readCapabilities',
      on: { DONE: 'enabling' },
    },
    enabling: {
      description: 'Memory accesses, bus mastering and interrupts are enabled.',
      entry: 'enable',
      on: { DONE: 'ready', NONE: 'absent' },
    },
    ready: {
      description: 'The function is in use.',
      entry: 'ready',
      on: { RESET: 'resetting' },
    },
    resetting: {
      description: 'A function-level reset is being asked for.',
      meta: { spec: 'PCI Express §6.6.2' },
      entry: 'startReset',
      on: { DONE: 'settling', NONE: 'absent' },
    },
    settling: {
      description: 'The function is left alone after a reset or a new link.',
      after: { READY_TIME: 'scanning' },
    },
    absent: {
      description: 'There is no function, or it is of no use.',
      entry: 'absent',
      on: { INSERTED: 'settling', PROBE: 'scanning' },
    },
  },
});
