// The driver's side of a virtio-msg bus whose guest has virtio-mmio devices in front: registers trap to a
// device model on the same node, which asks the device over the bus while the virtual CPU waits.
import type {
  BusEnvironment,
  DevicePlan,
  DriverBusClient,
  DriverBusEnd,
  DriverEnd,
  DriverTransport,
  Observed,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { InterruptLine, type Node } from '../../platform/node/index.ts';
import { revision } from '../../platform/virtio/messages/index.ts';
import { transportFeatures } from '../common/index.ts';
import { MmioMessageProxy } from './message-proxy.ts';
import { MmioDriverTransport } from './mmio-driver.ts';
import { ACCESS, NOTIFY } from './packets.ts';
import { MAGIC } from './registers.ts';
import { type MmioTiming, mmioTimingIds } from './timing.ts';
import { TrapPort } from './trap-port.ts';

/** Vendor of the devices that QEMU makes believe. */
const VENDOR = 0x554d_4551;

const SERVE = 0;
const NOTIFIED = 1;
const SERVED = 2;
const INJECTED = 3;

/** What the guest has of one device, and the bus end's client for it. */
class ProxiedDevice implements DriverBusClient {
  readonly proxy: MmioMessageProxy;
  readonly line: InterruptLine;
  readonly transport: MmioDriverTransport;

  constructor(proxy: MmioMessageProxy, transport: MmioDriverTransport, line: InterruptLine) {
    this.proxy = proxy;
    this.transport = transport;
    this.line = line;
  }

  online(): void {
    this.transport.start();
  }

  offline(reason: string): void {
    this.proxy.abandon();
    this.transport.stop(reason);
  }

  /** Registers have no way to tell a guest that a device will be back. */
  away(reason: string): void {
    this.offline(reason);
  }

  message(bytes: Uint8Array, length: number): void {
    this.proxy.message(bytes, length);
  }

  undeliverable(): void {
    this.proxy.abandon();
  }

  allocated(): void {
    assert(false, 'a guest takes its memory by itself');
  }
}

export class ProxiedDriverEnd implements DriverEnd, Component {
  readonly #node: Node;
  readonly #bus: DriverBusEnd & Observed;
  readonly #timing: MmioTiming;
  readonly #port: TrapPort;
  readonly #id: ComponentId;
  readonly #transportFeatures: number;
  readonly #devices = new Map<number, ProxiedDevice>();
  /** The access that the virtual CPU waits for: one at a time. */
  #access = { device: 0, offset: 0, value: 0, size: 0 };

  constructor({ node, plan }: BusEnvironment<unknown>, bus: DriverBusEnd & Observed) {
    this.#node = node;
    this.#bus = bus;
    this.#transportFeatures = transportFeatures(plan);
    this.#timing = mmioTimingIds(node.costs);
    this.#id = node.add(this);
    this.#port = new TrapPort({
      node,
      timing: this.#timing,
      post: (kind, a, b, c, d, delay) => this.#post(kind, [a, b, c, d], delay),
    });
  }

  transport({ name, number }: DevicePlan): DriverTransport {
    const bus = this.#bus;
    const transport = new MmioDriverTransport({
      ...{ node: this.#node, port: this.#port, device: number, exactConfig: true, ioeventfd: true },
    });
    const line = new InterruptLine(this.#node, () => transport.interrupted());
    const proxy = new MmioMessageProxy({
      node: this.#node,
      name: `${name}.proxy`,
      device: number,
      revision: revision(bus.revision),
      transportFeatures: this.#transportFeatures,
      maxMessageSize: bus.maxMessageSize,
      magic: MAGIC,
      vendor: VENDOR,
      send: (bytes, length) => bus.send(bytes, length),
      interrupt: () => this.#after(this.#timing.inject, INJECTED, number),
      completed: (value) => this.#after(this.#timing.exit, SERVED, value),
    });
    const device = new ProxiedDevice(proxy, transport, line);
    this.#devices.set(number, device);
    bus.attach(number, device);
    return transport;
  }

  start(): void {
    this.#bus.start();
  }

  deliver(step: number, a: number, b: number): void {
    switch (step) {
      case SERVE:
        return this.#serve();
      case SERVED:
        return this.#port.served(a);
      case NOTIFIED:
        return this.#devices.get(a)!.proxy.notify(b);
      case INJECTED:
        return this.#devices.get(a)!.line.raise();
    }
  }

  statistics(): Statistics {
    const { exits, kernelExits } = this.#port;
    return { ...this.#bus.statistics(), exits, kernelExits };
  }

  /** The device model hears of an access when the virtual CPU has left the guest, or is woken later. */
  #post(kind: number, [device, offset, value, size]: readonly number[], delay: number): void {
    const { kernel } = this.#node;
    if (kind === NOTIFY) {
      kernel.schedule(this.#id, delay, NOTIFIED, device, offset);
      return;
    }
    assert(kind === ACCESS, 'a trap is an access or a notification');
    this.#access = { device, offset, value, size };
    kernel.schedule(this.#id, delay + this.#node.charge(this.#timing.emulate), SERVE);
  }

  #serve(): void {
    const { device, offset, value, size } = this.#access;
    const { proxy } = this.#devices.get(device)!;
    if (size > 0) proxy.write(offset, size, value);
    else proxy.read(offset, this.#port.loadSize);
  }

  #after(constant: number, step: number, a: number): void {
    this.#node.kernel.schedule(this.#id, this.#node.charge(constant), step, a);
  }
}
