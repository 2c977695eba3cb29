// The device model's end of virtio-mmio: it serves trapped accesses and notifications, and injects
// interrupts.
import type {
  BusEnvironment,
  DeviceEnd,
  DeviceModel,
  DevicePlan,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  DeviceRegions,
  DMA_DATA,
  DMA_REFUSED,
  guestMemoryPort,
  REGION_WINDOW,
  type SharedMemoryPort,
} from '../common/index.ts';
import { MmioDeviceTransport } from './mmio-device.ts';
import type { MmioOptions, MmioPlan } from './options.ts';
import { ACCESS, ACCESS_DONE, INTERRUPT, NOTIFY } from './packets.ts';
import { type MmioTiming, mmioTimingIds } from './timing.ts';

const SERVE = 0;
const NOTIFIED = 1;

export class MmioDeviceEnd implements DeviceEnd, Component, CpuClient {
  readonly #node: Node;
  readonly #plan: MmioPlan;
  readonly #timing: MmioTiming;
  readonly #port: SharedMemoryPort;
  readonly #regions: DeviceRegions;
  readonly #devices = new Map<number, MmioDeviceTransport>();
  /** The access being served; the guest has one under way at a time. */
  #access = { device: 0, offset: 0, value: 0, size: 0 };
  #interrupts = 0;

  constructor({ node, plan }: BusEnvironment<MmioOptions>) {
    this.#node = node;
    this.#plan = plan;
    this.#timing = mmioTimingIds(node.costs);
    node.kernel.bindPort(plan.devicePort, node.add(this));
    this.#port = guestMemoryPort(node, plan);
    this.#regions = new DeviceRegions({ node, plan, link: this.#port.link });
  }

  connect({ name, number }: DevicePlan, model: DeviceModel): void {
    const device = new MmioDeviceTransport({
      model,
      dma: this.#port,
      mapRegion: (region) => REGION_WINDOW + this.#regions.share(region),
      interrupt: () => this.#interrupt(number),
      objected: (text) => this.#node.violations.report('BAD_REQUEST', `${name}: ${text}`),
    });
    this.#devices.set(number, device);
  }

  receive(packet: Packet): void {
    if (this.#regions.receive(packet)) return;
    switch (packet.kind) {
      case ACCESS: {
        const { a: device, b: offset, c: value, d: size } = packet;
        this.#access = { device, offset, value, size };
        const cost = this.#node.charge(this.#timing.emulate);
        return this.#node.cpu.submit(Priority.interrupt, cost, this, SERVE);
      }
      case NOTIFY: {
        const cost = this.#node.charge(this.#timing.emulate);
        return this.#node.cpu.submit(Priority.task, cost, this, NOTIFIED, packet.a, packet.b);
      }
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#port.receive(packet);
      default:
        assert(false, `${this.#plan.name}: packet of kind ${packet.kind} at the model's end`);
    }
  }

  deliver(step: number, device: number, value: number): void {
    if (step === NOTIFIED) {
      this.#devices.get(device)?.notified(value);
      return;
    }
    this.#post(ACCESS_DONE, this.#access.device, this.#serve(), this.#timing.exit);
  }

  statistics(): Statistics {
    return {
      messages: 0,
      bytes: 0,
      interruptsInjected: this.#interrupts,
      ...this.#port.statistics(),
      ...this.#port.link.statistics('device'),
    };
  }

  #serve(): number {
    const { device, offset, value, size } = this.#access;
    const registers = this.#devices.get(device);
    if (registers === undefined) return 0;
    if (size === 0) return registers.read(offset);
    registers.write(offset, value, size);
    return 0;
  }

  #interrupt(device: number): void {
    this.#interrupts++;
    this.#post(INTERRUPT, device, 0, this.#timing.inject);
  }

  /** Nothing sent here overtakes DMA writes that were posted before. */
  #post(kind: number, a: number, b: number, latency: number): void {
    const { kernel, index } = this.#node;
    const packet = kernel.packets.acquire(0).label(kind, a, b);
    const delay = this.#node.charge(latency);
    const total = delay + this.#port.link.orderingDelay(delay);
    kernel.send(index, this.#plan.driver, this.#plan.driverPort, total, packet);
  }
}
