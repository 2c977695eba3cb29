// The card's side of a virtio-msg PCI bus: one function with its FIFOs, the ways into and out of the slot,
// and DMA for the devices.
import type {
  BusEnvironment,
  DmaPort,
  SharedRegion,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { Endpoint, type PciePath, pathOf, pcieTimingIds } from '../../platform/pcie/index.ts';
import {
  peekDevice,
  peekId,
  peekIsBus,
  peekIsResponse,
  standardMessages,
} from '../../platform/virtio/messages/index.ts';
import {
  type DeviceLink,
  headerSizeOf,
  type LinkClient,
  OwnRingMemory,
  PeerRingMemory,
  planSlot,
  type RingMemory,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { CardFunction } from './card-function.ts';
import { Fifo } from './fifo.ts';
import type { PciOptions } from './options.ts';
import { FIFO_SPAN, FIFO_START, fifoBarSize } from './registers.ts';
import {
  HEAD_MAGIC,
  layoutHeader,
  PEER_STATE_MASK,
  PeerState,
  QEMU_LAYOUT,
  queueHead,
} from './self-describing.ts';
import { sumOf } from './sum-of.ts';

const PING = standardMessages.PING.id;

export class PciDeviceLink implements DeviceLink {
  readonly dma: DmaPort;
  readonly #environment: BusEnvironment<PciOptions>;
  readonly #client: LinkClient;
  readonly #path: PciePath;
  readonly #endpoint: Endpoint;
  readonly #card: CardFunction;
  /** DMA of the FIFOs, apart from that of devices. */
  readonly #fifoDma: DmaPort;
  /** Memory behind BAR 1. */
  readonly #memory: number;
  readonly #headerSize: number;
  #fifos: (Fifo | null)[] = [];
  /** Counters of FIFOs that are no more. */
  #past: Statistics = {};
  /** Counts resets: FIFOs of before have other names. */
  #epoch = 0;
  #resets = -1;

  constructor(environment: BusEnvironment<PciOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { options } = plan;
    this.#environment = environment;
    this.#client = client;
    this.#path = pathOf(options);
    this.#headerSize = headerSizeOf(options);
    this.#endpoint = new Endpoint({
      node,
      path: this.#path,
      hostNode: plan.driver,
      hostPort: plan.driverPort,
      ownPort: plan.devicePort,
      iommu: options.iommu,
    });
    this.#memory = node.memory.allocate(fifoBarSize(options.fifos), PAGE_SIZE);
    this.#card = new CardFunction({
      node,
      plan,
      path: this.#path,
      endpoint: this.#endpoint,
      fifoMemory: this.#memory,
      notified: (fifo) => this.#fifos[fifo]?.rung(),
      addressed: (fifo, busAddress) => this.#addressed(fifo, busAddress),
      reset: () => this.#reset(),
    });
    this.dma = this.#endpoint.dmaOf(this.#card.own);
    // A core that waits for a read of a FIFO must go on some day.
    this.#fifoDma = this.#endpoint.dmaOf(this.#card.own, true);
    this.#reset();
    planSlot(node, this.#endpoint, options);
  }

  send(bytes: Uint8Array, length: number): void {
    const fifo = fifoOf(bytes, this.#fifos.length, this.#headerSize);
    const { quirks } = this.#environment.plan.options;
    if (quirks.includes('shortPing')) shortenPing(bytes, length, this.#headerSize);
    this.#fifos[fifo]?.send(bytes, length);
  }

  /** GET_SHM tells of a region by its offset in the BAR. */
  shareRegion(_deviceNumber: number, region: SharedRegion): number {
    return this.#card.addRegion(region);
  }

  receive(packet: Packet): void {
    this.#endpoint.receive(packet);
  }

  statistics(): Statistics {
    return {
      ...this.#fifoStatistics(),
      resets: this.#resets,
      ...this.#endpoint.statistics(),
    };
  }

  #fifoStatistics(): Statistics {
    return sumOf([this.#past, ...this.#fifos.map((fifo) => fifo?.statistics() ?? {})]);
  }

  /** After power-on or a reset: empty FIFOs, and devices as new. */
  #reset(): void {
    const { node, plan } = this.#environment;
    const { fifos, fifoPlace } = plan.options;
    for (const fifo of this.#fifos) fifo?.stop();
    this.#past = this.#fifoStatistics();
    this.#epoch++;
    node.memory.fill(this.#memory, fifoBarSize(fifos), 0);
    this.#fifos = new Array<Fifo | null>(fifos).fill(null);
    if (this.#resets++ >= 0) this.#client.reset?.();
    if (fifoPlace === 'host') return;
    for (let fifo = 0; fifo < fifos; fifo++) {
      const base = this.#memory + fifo * FIFO_SPAN + FIFO_START;
      const { lineLatency } = node.timing;
      this.#begin(fifo, base, () => new OwnRingMemory(node, base, lineLatency, SPSC_SLOT_SIZE));
    }
  }

  /** The driver says where in its memory a FIFO is. */
  #addressed(fifo: number, busAddress: number): void {
    const { node, plan } = this.#environment;
    if (plan.options.fifoPlace !== 'host') return;
    this.#fifos[fifo]?.stop();
    const port = this.#fifoDma;
    this.#begin(fifo, -1, () => new PeerRingMemory(node, port, busAddress, SPSC_SLOT_SIZE));
  }

  /** `base` is the FIFO's place in own memory, or -1. */
  #begin(index: number, base: number, memory: () => RingMemory): void {
    const { node, plan } = this.#environment;
    const { name, options } = plan;
    if (options.fifoLayout === 'selfDescribing') {
      const header = new Uint8Array(layoutHeader.fixedSize);
      layoutHeader.encode(QEMU_LAYOUT, header, 0);
      memory().write(0, header, header.length);
    }
    const fifo = new Fifo({
      node,
      plan,
      side: 'device',
      name: `${name}.device.fifo${index}.${this.#epoch++}`,
      memory,
      put: pcieTimingIds(node.costs).coreAccess,
      ringDoorbell: () => this.#card.signal(index),
      frame: (bytes, length) => this.#client.frame(bytes, length),
      ...(base < 0 ? {} : { peerHasRestarted: () => this.#driverRestarted(base) }),
      up: () => {},
      down: (reason) => this.#client.down(reason),
    });
    this.#fifos[index] = fifo;
    fifo.start();
  }

  /** The driver's head lies in the line that is read anyway. */
  #driverRestarted(base: number): boolean {
    const { memory } = this.#environment.node;
    const head = base + Number(QEMU_LAYOUT.driverHead);
    const magic = memory.readU16(head + queueHead.offsetOf('magic'));
    const status = memory.readU16(head + queueHead.offsetOf('status'));
    return magic === HEAD_MAGIC && (status & PEER_STATE_MASK) === PeerState.INIT;
  }
}

/** The FIFO that a message goes through: that of its device. Messages of the bus have number 0. */
export function fifoOf(bytes: Uint8Array, fifos: number, headerSize: number): number {
  return peekDevice(bytes, 0, headerSize) % fifos;
}

/** Clears the upper half of what an answer to PING repeats. */
function shortenPing(bytes: Uint8Array, length: number, headerSize: number): void {
  const isAnswer = peekIsBus(bytes) && peekIsResponse(bytes) && peekId(bytes) === PING;
  if (isAnswer) bytes.fill(0, headerSize + 2, length);
}
