// The kernel's side of a session with the process that serves devices: it attaches; through a bridge it is
// told of the bus, adds its devices, and learns what memory it may map.
import { emit, setup } from 'xstate';

export type KernelEvent =
  | { readonly type: 'CONNECT' }
  | { readonly type: 'ATTACH' }
  | { readonly type: 'COMMIT' }
  | { readonly type: 'MAPPED' }
  | { readonly type: 'RESET' }
  | { readonly type: 'UNMAPPED' }
  | { readonly type: 'FAULT' };

export type KernelEffect =
  | { readonly type: 'attach' }
  | { readonly type: 'announce' }
  | { readonly type: 'mapPool' }
  | { readonly type: 'away' }
  | { readonly type: 'unmapPool' }
  | { readonly type: 'sayOffline' }
  | { readonly type: 'up' }
  | { readonly type: 'down' };

export interface KernelInput {
  /** Devices are added by message; otherwise by ioctl, before the process attaches. */
  readonly byMessage: boolean;
}

export const kernelChart = setup({
  types: {} as {
    context: KernelInput;
    input: KernelInput;
    events: KernelEvent;
    emitted: KernelEffect;
  },
  guards: { byMessage: ({ context }) => context.byMessage },
  actions: {
    attach: emit({ type: 'attach' }),
    announce: emit({ type: 'announce' }),
    mapPool: emit({ type: 'mapPool' }),
    away: emit({ type: 'away' }),
    unmapPool: emit({ type: 'unmapPool' }),
    sayOffline: emit({ type: 'sayOffline' }),
    up: emit({ type: 'up' }),
    down: emit({ type: 'down' }),
  },
}).createMachine({
  id: 'loopbackKernel',
  context: ({ input }) => input,
  initial: 'absent',
  on: { FAULT: { target: '.faulted', actions: 'down' }, '*': {} },
  states: {
    absent: {
      description: 'Neither is the bus started nor is a process attached.',
      on: { CONNECT: 'alone', ATTACH: { target: 'unstarted', actions: 'attach' } },
    },
    alone: {
      description: 'The bus is started and waits for a process.',
      on: { ATTACH: { target: 'attached', actions: 'attach' } },
    },
    unstarted: {
      description: 'A process is attached and waits for the bus.',
      on: { CONNECT: 'attached' },
    },
    attached: {
      description: 'Both are there: are devices known?',
      always: [{ guard: 'byMessage', target: 'announced' }, { target: 'running' }],
    },
    announced: {
      description: 'ENDPOINT_ONLINE is sent; the process adds its devices.',
      entry: 'announce',
      on: { COMMIT: 'mapping' },
    },
    mapping: {
      description: 'MAP_ADD tells of the pool.',
      entry: 'mapPool',
      on: { MAPPED: 'running' },
    },
    running: {
      description: 'Messages flow.',
      entry: 'up',
      on: { RESET: { target: 'unmapping', actions: 'away' } },
    },
    unmapping: {
      description: 'The bus is being reset: MAP_DEL takes the pool back.',
      entry: 'unmapPool',
      on: { UNMAPPED: { target: 'announced', actions: 'sayOffline' } },
    },
    faulted: {
      description: 'The process has broken the rules of the session, which is over.',
    },
  },
});
