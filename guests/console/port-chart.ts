// One port of a console as its driver sees it: announced by the device, set up here, and of use while
// the far side has it open.
import { emit, setup } from 'xstate';

export type PortEvent =
  | { readonly type: 'ADD' }
  | { readonly type: 'FILLED' }
  | { readonly type: 'HOST_OPEN' }
  | { readonly type: 'HOST_CLOSE' }
  | { readonly type: 'REMOVE' }
  | { readonly type: 'LOST' };

export type PortEffect =
  | { readonly type: 'fill' }
  | { readonly type: 'ready' }
  | { readonly type: 'opened' }
  | { readonly type: 'closed'; readonly reason: string }
  | { readonly type: 'unexpected'; readonly event: string };

export const portChart = setup({
  types: {} as { context: Record<string, never>; events: PortEvent; emitted: PortEffect },
  actions: {
    fill: emit({ type: 'fill' }),
    ready: emit({ type: 'ready' }),
    opened: emit({ type: 'opened' }),
    closed: emit((_, params: { reason: string }) => ({
      type: 'closed' as const,
      reason: params.reason,
    })),
    unexpected: emit(({ event }) => ({ type: 'unexpected' as const, event: event.type })),
  },
}).createMachine({
  id: 'consolePort',
  context: {},
  initial: 'absent',
  on: {
    // When the device itself is lost its driver tells everybody.
    LOST: '.absent',
    '*': { actions: 'unexpected' },
  },
  states: {
    absent: {
      description: 'The device has not announced the port, or has taken it away.',
      on: { ADD: 'filling' },
    },
    filling: {
      description: 'Buffers for what the port receives are being offered.',
      meta: { spec: 'virtio 1.4 §5.3.5' },
      entry: 'fill',
      on: { FILLED: { target: 'ready', actions: 'ready' }, REMOVE: 'absent' },
    },
    ready: {
      description: 'The port is set up, but nobody on the far side has it open.',
      on: { HOST_OPEN: { target: 'open', actions: 'opened' }, HOST_CLOSE: {}, REMOVE: 'absent' },
    },
    open: {
      description: 'Both sides can use the port.',
      on: {
        HOST_OPEN: {},
        HOST_CLOSE: {
          target: 'ready',
          actions: { type: 'closed', params: { reason: 'the far side closed the port' } },
        },
        REMOVE: {
          target: 'absent',
          actions: { type: 'closed', params: { reason: 'the port was taken away' } },
        },
      },
    },
  },
});
