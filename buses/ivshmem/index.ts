// The ivshmem bus as a row of the table of buses.
import type { BusEnvironment, BusPlan } from '../../platform/contracts/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import {
  checkHotPlug,
  checkMessageSize,
  defineMessageBus,
  inBandMessages,
  linkEnds,
} from '../common/index.ts';
import { mmioTiming, ProxiedDriverEnd } from '../virtio-mmio/index.ts';
import { IvshmemDeviceLink } from './device-link.ts';
import { IvshmemDriverLink } from './driver-link.ts';
import { checkProxy, type IvshmemOptions, ivshmemOptions } from './options.ts';
import { DEVICE_QUEUE } from './shared-ram.ts';
import { ivshmemTiming } from './timing.ts';

const links = linkEnds({
  requestTimeout: 'ivshmem.requestTimeout',
  statusPoll: 'ivshmem.statusPoll',
  room: () => DEVICE_QUEUE.capacity,
  driverLink: (environment: BusEnvironment<IvshmemOptions>, client) =>
    new IvshmemDriverLink(environment, client),
  deviceLink: (environment, client) => new IvshmemDeviceLink(environment, client),
});

export const ivshmem = defineMessageBus({
  type: 'ivshmem',
  doc: 'Two VMs with shared RAM and doorbells (ivshmem): SPSC queues, a window on the RAM of the driver.',
  spec: 'QEMU ivshmem device specification; virtio-msg over it as in hvac-demo',
  options: ivshmemOptions,
  timing: [...ivshmemTiming, ...mmioTiming],
  latencies: ['memory.lineLatency', 'ivshmem.doorbellDelivery'],
  calls: ['doorbells'],
  messages: codec('v1', inBandMessages).names,
  ownMessages: { inBand: inBandMessages },
  hotPlug: true,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkHotPlug(plan as BusPlan, topology),
    ...checkProxy(plan as BusPlan, topology),
  ],
  ...links,
  proxyEnd: (environment) =>
    environment.plan.options.frontEnd === 'mmio'
      ? new ProxiedDriverEnd(environment, links.createDriverEnd(environment))
      : null,
});
