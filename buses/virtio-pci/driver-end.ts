// The host's end of a transport whose devices are PCI functions: one root port for all functions of the card,
// and a driver's transport for each.
import type {
  BusEnvironment,
  DevicePlan,
  DriverEnd,
  DriverTransport,
  Statistics,
} from '../../platform/contracts/index.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import { InterruptLine, interruptTotals, type Node } from '../../platform/node/index.ts';
import {
  DirectTranslation,
  Iommu,
  type PciePath,
  pathOf,
  RootPort,
  type Translation,
} from '../../platform/pcie/index.ts';
import { DriverRegions, HostPages } from '../common/index.ts';
import { emulatedHostWay, emulatedPath } from './emulated.ts';
import type { FunctionTransport, FunctionTransportOptions } from './function-transport.ts';
import type { FunctionOptions } from './options.ts';

export interface DriverEndOptions<Options, Transport> {
  readonly environment: BusEnvironment<Options>;
  readonly interrupts: FunctionTransportOptions['interrupts'];
  /** Makes the transport of one device. */
  make(options: FunctionTransportOptions): Transport;
}

export class FunctionDriverEnd<
  Options extends FunctionOptions,
  Transport extends FunctionTransport & DriverTransport,
> implements DriverEnd
{
  protected readonly transports: Transport[] = [];
  readonly #node: Node;
  readonly #options: DriverEndOptions<Options, Transport>;
  readonly #path: PciePath;
  readonly #port: RootPort;
  readonly #faults: FaultInjector;
  readonly #pages: HostPages;
  /** Regions of devices whose functions are made believe. */
  readonly #regions: DriverRegions | null;
  /** What has come or gone in slots, until a core comes to the interrupt. */
  readonly #slotChanges: { readonly functionId: number; readonly present: boolean }[] = [];
  #slotLine: InterruptLine | null = null;

  constructor(endOptions: DriverEndOptions<Options, Transport>) {
    const { node, plan, faults } = endOptions.environment;
    const { options } = plan;
    this.#node = node;
    this.#options = endOptions;
    const { emulated } = options;
    const iommu = options.iommu && !emulated;
    this.#path = emulated ? emulatedPath(node, pathOf(options)) : pathOf(options);
    const translation: Translation = iommu
      ? new Iommu(options.iotlb)
      : new DirectTranslation(node.memory);
    this.#faults = new FaultInjector(node.kernel, faults);
    this.#pages = new HostPages({
      node,
      translation,
      iommu,
      perRequest: iommu && options.mapping === 'perRequest',
      faults: this.#faults,
    });
    const way = emulated ? emulatedHostWay(node) : null;
    this.#regions = way === null ? null : new DriverRegions({ node, plan, link: way.memory });
    this.#port = new RootPort({
      node,
      path: this.#path,
      translation,
      cardNode: plan.device,
      cardPort: plan.devicePort,
      ownPort: plan.driverPort,
      name: plan.name,
      ...(way === null ? {} : { way }),
      beside: (packet) => this.#regions?.receive(packet) ?? false,
      linkChanged: (isUp) => {
        for (const transport of this.transports) transport.linkChanged(isUp);
      },
      slotChanged: (functionId, present) => {
        this.#slotChanges.push({ functionId, present });
        this.#slotLine!.raise();
      },
    });
    this.#port.bind();
  }

  transport(plan: DevicePlan): DriverTransport {
    const { environment, interrupts, make } = this.#options;
    const transport = make({
      node: this.#node,
      plan,
      options: environment.plan.options,
      interrupts,
      path: this.#path,
      port: this.#port,
      pages: this.#pages,
      ...(this.#regions === null ? {} : { regions: this.#regions }),
    });
    this.transports.push(transport);
    if (plan.addAt !== undefined || plan.removeAt !== undefined) {
      this.#slotLine ??= new InterruptLine(this.#node, () => this.#slotInterrupt());
    }
    return transport;
  }

  start(): void {
    for (const transport of this.transports) transport.start();
  }

  /** The slots tell what has changed. */
  #slotInterrupt(): void {
    for (const { functionId, present } of this.#slotChanges) {
      const transport = this.transports.find(({ number }) => number === functionId)!;
      transport.linkChanged(present);
    }
    this.#slotChanges.length = 0;
  }

  statistics(): Statistics {
    const { way, loads, stores, configAccesses } = this.#port;
    const slots = this.#slotLine === null ? [] : [this.#slotLine];
    const lines = [...this.transports.flatMap((transport) => transport.lines), ...slots];
    let notifications = 0;
    for (const transport of this.transports) notifications += transport.notifications;
    return {
      messages: 0,
      bytes: 0,
      notifications,
      ...interruptTotals(lines),
      ...this.#port.statistics(),
      ...this.#regions?.statistics(),
      ...(way.storesTrap ? { exits: loads + stores + configAccesses - notifications } : {}),
      faultsInjected: this.#faults.acted,
    };
  }
}
