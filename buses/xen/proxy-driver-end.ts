// The guest's side of a Xen bus with a proxy: the guest sees a non-blocking virtio-mmio device, and the
// hypervisor speaks virtio-msg with the device domain, through a page of that domain.
import type {
  BusEnvironment,
  DevicePlan,
  DriverEnd,
  DriverTransport,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { GRANT_OKAY } from '../../platform/memory/index.ts';
import { InterruptLine, PAGE_SIZE } from '../../platform/node/index.ts';
import { codec, revision } from '../../platform/virtio/messages/index.ts';
import {
  coherentLink,
  DMA_DATA,
  DMA_READ,
  DMA_REFUSED,
  DMA_WRITE,
  type LinkClient,
  MessageCounter,
  type OrderedLink,
  PeerRingMemory,
  SharedMemoryPort,
  SharedMemoryTarget,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { MmioDriverTransport, MmioMessageProxy } from '../virtio-mmio/index.ts';
import { MAGIC_NON_BLOCKING, VENDOR } from './access-register.ts';
import { XenChannel } from './channel.ts';
import { ForeignMap } from './foreign-map.ts';
import { IndirectPort } from './indirect-port.ts';
import { mappingAnswer } from './mapping-answer.ts';
import { MmioWindow } from './mmio-window.ts';
import type { XenOptions } from './options.ts';
import { BIND, CONNECT, CONNECTED, EVENT, GRANT_MAP, GRANT_MAPPED } from './packets.ts';
import { SixByteFrames } from './six-byte-frames.ts';

/** What the guest has of its one device. */
interface Front {
  readonly transport: MmioDriverTransport;
  readonly port: IndirectPort;
  readonly window: MmioWindow;
  readonly proxy: MmioMessageProxy;
  readonly line: InterruptLine;
}

export class ProxyDriverEnd implements DriverEnd, Component, LinkClient {
  readonly #environment: BusEnvironment<XenOptions>;
  readonly #path: OrderedLink;
  readonly #foreign: ForeignMap;
  readonly #target: SharedMemoryTarget;
  /** The hypervisor's own mapping of the page. */
  readonly #page: SharedMemoryPort;
  readonly #channel: XenChannel;
  readonly #frames = new SixByteFrames();
  readonly #short = new Uint8Array(SPSC_SLOT_SIZE);
  readonly #long = new Uint8Array(SPSC_SLOT_SIZE);
  readonly #counter: MessageCounter;
  #front: Front | null = null;
  #connected = false;

  constructor(environment: BusEnvironment<XenOptions>) {
    const { node, plan, observer } = environment;
    this.#environment = environment;
    this.#path = coherentLink(node);
    this.#counter = new MessageCounter(codec(plan.revision, {}), observer);
    node.kernel.bindPort(plan.driverPort, node.add(this));
    this.#foreign = new ForeignMap(node.memory, plan.device);
    const peer = { borrowerNode: plan.device, borrowerPort: plan.devicePort };
    this.#target = new SharedMemoryTarget({
      ...{ node, handles: this.#foreign, ...peer, name: plan.name, link: this.#path },
    });
    this.#page = new SharedMemoryPort({
      node,
      ownerNode: plan.device,
      ownerPort: plan.devicePort,
      window: () => ({ handle: 0, length: PAGE_SIZE }),
      offset: (address) => address,
      link: this.#path,
    });
    this.#channel = new XenChannel({
      environment,
      side: 'driver',
      client: this,
      path: this.#path,
      memory: () => new PeerRingMemory(node, this.#page, 0, SPSC_SLOT_SIZE),
    });
    this.#channel.offerForHypervisor(plan.device);
  }

  transport({ name, number }: DevicePlan): DriverTransport {
    const { node, plan } = this.#environment;
    const proxy = new MmioMessageProxy({
      node,
      name: `${name}.proxy`,
      device: number,
      revision: revision(plan.revision),
      maxMessageSize: SPSC_SLOT_SIZE,
      magic: MAGIC_NON_BLOCKING,
      vendor: VENDOR,
      featuresAgain: plan.options.quirks.includes('featuresAgain'),
      send: (bytes, length) => this.#send(bytes, length),
      interrupt: () => this.#front!.line.raise(),
      completed: (value) => this.#front!.window.completed(value),
    });
    const window = new MmioWindow(proxy, {
      isReady: () => this.#connected && !this.#channel.rings.isWaiting,
      shortConfigReads: plan.options.quirks.includes('configWordLost'),
    });
    const port = new IndirectPort({ node, name: `${name}.access`, window });
    const transport = new MmioDriverTransport({
      ...{ node, port, device: number, magic: MAGIC_NON_BLOCKING, exactConfig: true },
      ioeventfd: true,
    });
    const line = new InterruptLine(node, () => transport.interrupted());
    this.#front = { transport, port, window, proxy, line };
    return transport;
  }

  /** The window is there from the start; its ACCESS is busy until the device domain has connected. */
  start(): void {
    this.#front?.transport.start();
  }

  receive(packet: Packet): void {
    const { plan } = this.#environment;
    switch (packet.kind) {
      case EVENT:
        return this.#channel.notified(packet.a, plan.device);
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#page.receive(packet);
      case CONNECT:
        return this.#channel.send(CONNECTED, this.#line(), 1, this.#channel.port);
      case BIND:
        this.#channel.bound(plan.device, packet.b);
        this.#connected = true;
        return this.#channel.rings.open();
      case GRANT_MAP:
        return this.#map(packet);
      default:
        assert(false, `${plan.name}: packet of kind ${packet.kind}`);
    }
  }

  /** All its work is that of its parts. */
  deliver(): void {}

  up(): void {}

  down(reason: string): void {
    this.#connected = false;
    const { node, plan } = this.#environment;
    node.violations.report('UNEXPECTED_MESSAGE', `${plan.name}: the link is down: ${reason}`);
  }

  frame(bytes: Uint8Array, length: number): void {
    const { node, plan } = this.#environment;
    const size = this.#frames.lengthen(bytes, length, 0, this.#long);
    if (size >= 0) return this.#front?.proxy.message(this.#long, size);
    node.violations.report('MALFORMED_MESSAGE', `${plan.name}: no message with a short header`);
  }

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#channel.statistics(),
      interrupts: this.#front?.line.taken ?? 0,
      interruptsCoalesced: this.#front?.line.coalesced ?? 0,
      exits: this.#front?.port.traps ?? 0,
      busyLooks: this.#front?.port.busyLooks ?? 0,
      ...this.#counter.byName(),
    };
  }

  #send(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    this.#channel.rings.send(this.#short, this.#frames.shorten(bytes, length, this.#short));
  }

  /** The hypervisor maps frames of the guest for the device domain. */
  #map(packet: Packet): void {
    const { node, plan } = this.#environment;
    const answer = mappingAnswer(node, packet, (frame) => {
      if (this.#foreign.map(frame, plan.device)) return GRANT_OKAY;
      const { denial, status } = this.#foreign;
      const text = `${plan.name}: mapping of frame 0x${frame.toString(16)} refused: ${denial}`;
      node.violations.report('DMA_FAULT', text);
      return status;
    });
    this.#channel.send(GRANT_MAPPED, this.#line(), packet.a, 0, answer);
  }

  #line(): number {
    const { node } = this.#environment;
    return node.charge(node.timing.lineLatency);
  }
}
