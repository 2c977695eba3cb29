// The Xen bus as a row of the table of buses.
import type { BusEnvironment, BusPlan } from '../../platform/contracts/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import {
  checkHotPlug,
  checkMessageSize,
  defineMessageBus,
  inBandMessages,
  linkEnds,
} from '../common/index.ts';
import { XenDeviceLink } from './device-link.ts';
import { XenDriverLink } from './driver-link.ts';
import { checkXen, type XenOptions, xenOptions } from './options.ts';
import { ProxyDeviceLink } from './proxy-device-link.ts';
import { ProxyDriverEnd } from './proxy-driver-end.ts';
import { DEVICE_QUEUE } from './shared-page.ts';
import { xenTiming } from './timing.ts';

// For FF-A under Xen: a domain has one grant table, whatever buses it is on.
export { domainOf } from './domain.ts';
export { GrantPort } from './grant-port.ts';
export { GrantedPages } from './granted-pages.ts';

export const xen = defineMessageBus({
  type: 'xen',
  doc: 'Two Xen domains: event channels, a granted page with two SPSC queues, memory by grants.',
  spec: 'Xen public headers (grant table v1, event channels); queues as in the Xen virtio-msg bus of 2025',
  options: xenOptions,
  timing: xenTiming,
  latencies: ['memory.lineLatency', 'xen.eventDelivery', 'xen.eventOutlier', 'xen.xenstore'],
  calls: ['doorbells', 'hypercalls'],
  messages: codec('v1', inBandMessages).names,
  ownMessages: { inBand: inBandMessages },
  hotPlug: true,
  restarts: true,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkHotPlug(plan as BusPlan, topology),
    ...checkXen(plan as BusPlan, topology),
  ],
  ...linkEnds({
    requestTimeout: 'xen.requestTimeout',
    statusPoll: 'xen.statusPoll',
    room: () => DEVICE_QUEUE.capacity,
    driverLink: (environment: BusEnvironment<XenOptions>, client) =>
      new XenDriverLink(environment, client),
    deviceLink: (environment, client) =>
      environment.plan.options.frontEnd === 'mmio'
        ? new ProxyDeviceLink(environment, client)
        : new XenDeviceLink(environment, client),
  }),
  proxyEnd: (environment) =>
    environment.plan.options.frontEnd === 'mmio' ? new ProxyDriverEnd(environment) : null,
});
