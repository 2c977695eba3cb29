// The card's end of virtio-pci: a function for each device, and the card's core that hears of
// notifications.
import type {
  BusEnvironment,
  DeviceEnd,
  DeviceModel,
  DevicePlan,
  Statistics,
} from '../../platform/contracts/index.ts';
import { InterruptLine, type Node } from '../../platform/node/index.ts';
import { Endpoint, type PciePath, pathOf } from '../../platform/pcie/index.ts';
import { DeviceFunction } from './device-function.ts';
import type { VirtioPciOptions, VirtioPciPlan } from './options.ts';

interface Notification {
  readonly model: DeviceModel;
  readonly queue: number;
  readonly next: number;
}

export class VirtioPciDeviceEnd implements DeviceEnd {
  readonly #node: Node;
  readonly #plan: VirtioPciPlan;
  readonly #path: PciePath;
  readonly #endpoint: Endpoint;
  readonly #line: InterruptLine;
  readonly #notifications: Notification[] = [];
  #notified = 0;

  constructor({ node, plan }: BusEnvironment<VirtioPciOptions>) {
    this.#node = node;
    this.#plan = plan;
    this.#path = pathOf(plan.options);
    this.#endpoint = new Endpoint({
      node,
      path: this.#path,
      hostNode: plan.driver,
      hostPort: plan.driverPort,
      ownPort: plan.devicePort,
      iommu: plan.options.iommu,
    });
    this.#endpoint.bind();
    this.#line = new InterruptLine(node, () => this.#serve());
  }

  connect({ name, number }: DevicePlan, model: DeviceModel): void {
    new DeviceFunction({
      path: this.#path,
      options: this.#plan.options,
      endpoint: this.#endpoint,
      functionId: number,
      model,
      notified: (queue, next) => {
        this.#notified++;
        this.#notifications.push({ model, queue, next });
        this.#line.raise();
      },
      objected: (text) => this.#node.violations.report('BAD_REQUEST', `${name}: ${text}`),
    });
  }

  statistics(): Statistics {
    const { dma, up, interrupts, unclaimed } = this.#endpoint;
    return {
      messages: 0,
      bytes: 0,
      notificationsTaken: this.#notified,
      interrupts: this.#line.taken,
      interruptsCoalesced: this.#line.coalesced,
      interruptsSent: interrupts,
      unclaimed,
      dmaReads: dma.reads,
      dmaWrites: dma.writes,
      dmaRefused: dma.refusals,
      dmaReadBytes: dma.readBytes,
      dmaWriteBytes: dma.writeBytes,
      tagsMax: dma.tagsMax,
      tagWaits: dma.tagWaits,
      tlps: up.tlps,
      bytesToDriver: up.bytes,
      linkBusyPs: up.busy,
    };
  }

  /** One interrupt is for all notifications that have come. */
  #serve(): void {
    for (const { model, queue, next } of this.#notifications.splice(0)) {
      model.available(queue, next);
    }
  }
}
