// A proxy of virtio-mmio over virtio-msg: one access at a time becomes a request, or two, and its response.
import { emit, setup } from 'xstate';

export type ProxyEvent =
  | { readonly type: 'REQUEST' }
  | { readonly type: 'FEATURES' }
  | { readonly type: 'RESPONSE' }
  | { readonly type: 'ABANDON' };

export type ProxyEffect = { readonly type: 'complete' };

export const proxyChart = setup({
  types: {} as {
    context: Record<string, never>;
    events: ProxyEvent;
    emitted: ProxyEffect;
  },
  actions: { complete: emit({ type: 'complete' }) },
}).createMachine({
  id: 'mmioProxy',
  context: {},
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: {
      description: 'No access is under way; what the proxy knows by itself it has answered.',
      on: { REQUEST: 'waiting', FEATURES: 'settingFeatures' },
    },
    settingFeatures: {
      description:
        'Both SET_DRIVER_FEATURES and SET_DEVICE_STATUS were sent; the first is not answered.',
      on: { RESPONSE: 'waiting', ABANDON: { target: 'idle', actions: 'complete' } },
    },
    waiting: {
      description: 'The access ends with the response.',
      on: {
        RESPONSE: { target: 'idle', actions: 'complete' },
        ABANDON: { target: 'idle', actions: 'complete' },
      },
    },
  },
});
