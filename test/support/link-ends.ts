// Both ends of a bus that moves messages over a link, without transports, with recorders in their place.
import {
  type DeviceLink,
  type DriverLink,
  deviceBitsOf,
  type LinkClient,
} from '../../buses/common/index.ts';
import { LinkDeviceEnd } from '../../buses/common/link-device-end.ts';
import { LinkDriverEnd } from '../../buses/common/link-driver-end.ts';
import { IvshmemDeviceLink } from '../../buses/ivshmem/device-link.ts';
import { IvshmemDriverLink } from '../../buses/ivshmem/driver-link.ts';
import { BridgeKernel } from '../../buses/loopback/bridge-kernel.ts';
import { BridgeProcess } from '../../buses/loopback/bridge-process.ts';
import { MailboxDeviceLink } from '../../buses/mailbox/device-link.ts';
import { MailboxDriverLink } from '../../buses/mailbox/driver-link.ts';
import { XenDeviceLink } from '../../buses/xen/device-link.ts';
import { XenDriverLink } from '../../buses/xen/driver-link.ts';
import type { BusEnvironment } from '../../platform/contracts/index.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { Node } from '../../platform/node/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import { recordDevices, recordDrivers } from './bus-recorders.ts';
import { disk, type LinkScenario, linkTopology } from './link-scenarios.ts';

type Make<Link> = (environment: BusEnvironment<never>, client: LinkClient) => Link;

const LINKS: Readonly<
  Record<string, { readonly driver: Make<DriverLink>; readonly device: Make<DeviceLink> }>
> = {
  ivshmem: {
    driver: (environment, client) => new IvshmemDriverLink(environment, client),
    device: (environment, client) => new IvshmemDeviceLink(environment, client),
  },
  loopback: {
    driver: (environment, client) => new BridgeKernel(environment, client),
    device: (environment, client) => new BridgeProcess(environment, client),
  },
  mailbox: {
    driver: (environment, client) => new MailboxDriverLink(environment, client),
    device: (environment, client) => new MailboxDeviceLink(environment, client),
  },
  xen: {
    driver: (environment, client) => new XenDriverLink(environment, client),
    device: (environment, client) => new XenDeviceLink(environment, client),
  },
};

/** Types of bus that are made of links. */
export const LINK_BUSES = Object.keys(LINKS);

/** ps that a request may take. */
export const TIMEOUT = 100_000_000_000;

/** Makes both ends, each with recorders for these device numbers; nothing is started. */
export function makeLinkEnds(
  scenario: LinkScenario,
  numbers: readonly number[],
  discovery: 'messages' | 'static' = 'messages',
) {
  const topology = linkTopology({ devices: { disk0: disk() }, workloads: [], ...scenario });
  const kernel = new Kernel(topology.nodes.length);
  const [plan] = topology.buses;
  const nodes = topology.nodes.map(
    (each) =>
      new Node({
        plan: each,
        kernel,
        costs: new Costs(topology.profile),
        seed: topology.seed,
        engine: 'compiled',
      }),
  );
  const { driver, device } = LINKS[plan.type];
  const maxMessageSize = plan.options['maxMessageSize'] as number;
  const deviceBits = deviceBitsOf(plan.options);
  const inBand = plan.options['data'] === 'inBand';
  const timing = {
    requestTimeout: TIMEOUT,
    statusPollInterval: TIMEOUT,
    maxMessageSize,
    deviceBits,
  };
  const environment = (node: Node) => ({
    node,
    plan: plan as never,
    faults: topology.faults,
  });
  const driverEnvironment = environment(nodes[plan.driver]);
  const driverEnd = new LinkDriverEnd({
    ...timing,
    environment: driverEnvironment,
    discovery,
    inBand,
    pingInterval: (plan.options['pingInterval'] as number | undefined) ?? Infinity,
    link: (client) => driver(driverEnvironment, client),
  });
  const deviceEnvironment = environment(nodes[plan.device]);
  const deviceEnd = new LinkDeviceEnd({
    ...timing,
    environment: deviceEnvironment,
    inBand: inBand ? { window: (plan.options['elements'] as number) - 2 } : null,
    link: (client) => device(deviceEnvironment, client),
  });
  const drivers = recordDrivers(kernel, driverEnd, numbers);
  const devices = recordDevices(deviceEnd, numbers);
  const [driverNode, deviceNode] = [nodes[plan.driver], nodes[plan.device]];
  return { kernel, driverEnd, deviceEnd, drivers, devices, driverNode, deviceNode };
}
