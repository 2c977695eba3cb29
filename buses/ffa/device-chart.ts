// The device side of an FF-A bus session: nothing but VERSION and RESET is legal until the driver has
// echoed the version pair it was offered.
import { emit, setup } from 'xstate';

export type DeviceSessionEvent =
  | { readonly type: 'VERSION'; readonly matches: boolean }
  | { readonly type: 'RESET' };

export type DeviceSessionEffect = { readonly type: 'drop' };

export const deviceSessionChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: DeviceSessionEvent;
    emitted: DeviceSessionEffect;
  },
  guards: { matches: ({ event }) => event.type === 'VERSION' && event.matches },
  actions: { drop: emit({ type: 'drop' }) },
}).createMachine({
  id: 'ffaDevice',
  context: {},
  initial: 'unnegotiated',
  on: { RESET: { target: '.unnegotiated', actions: 'drop' }, '*': {} },
  states: {
    unnegotiated: {
      description: 'Only VERSION and RESET are answered; all else gets ERROR.',
      on: { VERSION: { guard: 'matches', target: 'negotiated' } },
    },
    negotiated: { description: 'All messages are legal.' },
  },
});
