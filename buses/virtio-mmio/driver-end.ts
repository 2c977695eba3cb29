// The guest's end of virtio-mmio: a window of registers for each device, an interrupt for each, and all
// of its memory open to the device model.
import type {
  BusEnvironment,
  DevicePlan,
  DriverEnd,
  DriverTransport,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { InterruptLine, interruptTotals, type Node } from '../../platform/node/index.ts';
import { DMA_READ, DMA_WRITE, DriverRegions, GuestMemory } from '../common/index.ts';
import { MmioDriverTransport } from './mmio-driver.ts';
import type { MmioOptions, MmioPlan } from './options.ts';
import { ACCESS_DONE, INTERRUPT } from './packets.ts';
import { mmioTimingIds } from './timing.ts';
import { TrapPort } from './trap-port.ts';

export class MmioDriverEnd implements DriverEnd, Component {
  readonly #node: Node;
  readonly #plan: MmioPlan;
  readonly #port: TrapPort;
  readonly #memory: GuestMemory;
  readonly #regions: DriverRegions;
  readonly #transports = new Map<number, MmioDriverTransport>();
  readonly #lines = new Map<number, InterruptLine>();

  constructor({ node, plan }: BusEnvironment<MmioOptions>) {
    this.#node = node;
    this.#plan = plan;
    node.kernel.bindPort(plan.driverPort, node.add(this));
    this.#port = new TrapPort({
      node,
      timing: mmioTimingIds(node.costs),
      post: (kind, a, b, c, d, delay) => {
        const packet = node.kernel.packets.acquire(0).label(kind, a, b, c, d);
        node.kernel.send(node.index, plan.device, plan.devicePort, delay, packet);
      },
    });
    this.#memory = new GuestMemory(node, plan);
    this.#regions = new DriverRegions({ node, plan, link: this.#memory.target.link });
  }

  transport({ number }: DevicePlan): DriverTransport {
    const { ioeventfd } = this.#plan.options;
    const transport = new MmioDriverTransport({
      ...{ node: this.#node, port: this.#port, device: number, ioeventfd },
      regions: this.#regions,
    });
    this.#transports.set(number, transport);
    this.#lines.set(number, new InterruptLine(this.#node, () => transport.interrupted()));
    return transport;
  }

  start(): void {
    for (const transport of this.#transports.values()) transport.start();
  }

  receive(packet: Packet): void {
    if (this.#regions.receive(packet)) return;
    switch (packet.kind) {
      case ACCESS_DONE:
        return this.#port.served(packet.b);
      case INTERRUPT:
        return this.#lines.get(packet.a)!.raise();
      case DMA_READ:
      case DMA_WRITE:
        return this.#memory.target.receive(packet);
      default:
        assert(false, `${this.#plan.name}: packet of kind ${packet.kind} at the guest's end`);
    }
  }

  /** All its work is the port's and the lines'. */
  deliver(): void {}

  statistics(): Statistics {
    return {
      messages: 0,
      bytes: 0,
      exits: this.#port.exits,
      kernelExits: this.#port.kernelExits,
      ...interruptTotals(this.#lines.values()),
      ...this.#memory.target.link.statistics('driver'),
      ...this.#regions.statistics(),
    };
  }
}
