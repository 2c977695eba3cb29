// The host's end of virtio-pci: one root port for all devices of the card, each of which is a function.
import type {
  BusEnvironment,
  DevicePlan,
  DriverEnd,
  DriverTransport,
  Statistics,
} from '../../platform/contracts/index.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  BarWindow,
  DirectTranslation,
  Iommu,
  type PciePath,
  pathOf,
  RootPort,
  type Translation,
} from '../../platform/pcie/index.ts';
import { HostPages } from '../common/index.ts';
import { VirtioPciDriver } from './driver-transport.ts';
import { emulatedHostWay, emulatedPath } from './emulated.ts';
import type { VirtioPciOptions } from './options.ts';

export class VirtioPciDriverEnd implements DriverEnd {
  readonly #node: Node;
  readonly #options: VirtioPciOptions;
  readonly #path: PciePath;
  readonly #translation: Translation;
  readonly #port: RootPort;
  readonly #faults: FaultInjector;
  readonly #pages: HostPages;
  readonly #window = new BarWindow();
  readonly #transports: VirtioPciDriver[] = [];

  constructor({ node, plan, faults }: BusEnvironment<VirtioPciOptions>) {
    const { options } = plan;
    this.#node = node;
    this.#options = options;
    const { emulated } = options;
    const iommu = options.iommu && !emulated;
    this.#path = emulated ? emulatedPath(pathOf(options)) : pathOf(options);
    this.#translation = iommu ? new Iommu(options.iotlb) : new DirectTranslation(node.memory);
    this.#faults = new FaultInjector(node.kernel, faults);
    this.#pages = new HostPages({
      node,
      translation: this.#translation,
      iommu,
      faults: this.#faults,
    });
    this.#port = new RootPort({
      node,
      path: this.#path,
      translation: this.#translation,
      cardNode: plan.device,
      cardPort: plan.devicePort,
      ownPort: plan.driverPort,
      name: plan.name,
      ...(emulated ? { way: emulatedHostWay(node) } : {}),
      linkChanged: (isUp) => {
        for (const transport of this.#transports) transport.linkChanged(isUp);
      },
    });
    this.#port.bind();
  }

  transport(plan: DevicePlan): DriverTransport {
    const transport = new VirtioPciDriver({
      node: this.#node,
      plan,
      options: this.#options,
      path: this.#path,
      port: this.#port,
      pages: this.#pages,
      window: this.#window,
    });
    this.#transports.push(transport);
    return transport;
  }

  start(): void {
    for (const transport of this.#transports) transport.start();
  }

  statistics(): Statistics {
    const { way, loads, stores, configAccesses } = this.#port;
    const { tlps, bytes, busy } = way.data;
    const { hits, misses, faults } = this.#translation;
    const lines = this.#transports.flatMap((transport) => transport.lines);
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
    const notifications = total(this.#transports.map((transport) => transport.notifications));
    return {
      messages: 0,
      bytes: 0,
      notifications,
      interrupts: total(lines.map(({ taken }) => taken)),
      interruptsCoalesced: total(lines.map(({ coalesced }) => coalesced)),
      loads,
      stores,
      configAccesses,
      ...(way.storesTrap ? { exits: loads + stores + configAccesses - notifications } : {}),
      iotlbHits: hits,
      iotlbMisses: misses,
      iommuFaults: faults,
      faultsInjected: this.#faults.acted,
      tlps,
      bytesToDevice: bytes,
      linkBusyPs: busy,
    };
  }
}
