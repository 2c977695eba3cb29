// The host's end of a PCI Express path: cores load and store through it, and it serves the card's DMA
// from the host's memory, behind an IOMMU or not.
//
// A load stalls the core that makes it until the completion is back. A store is posted: the core goes on.
import type { Statistics } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import type { Component, ComponentId, Packet } from '../kernel/index.ts';
import { type CpuClient, copyBytes, labels, type Node } from '../node/index.ts';
import { writeU32 } from '../wire/index.ts';
import type { AccessRunner } from './access-runner.ts';
import { BarWindow } from './bar-window.ts';
import { DmaServer } from './dma-server.ts';
import { psPerByte } from './generation.ts';
import { type Hierarchy, hierarchyOf, type Slot } from './hierarchy.ts';
import type { Translation } from './iommu.ts';
import type { PciePath } from './options.ts';
import {
  COMPLETION,
  CONFIG_READ,
  CONFIG_WRITE,
  CROSSED,
  copyAs,
  DMA_LOAD,
  DMA_STORE,
  INTX,
  LINK,
  MEMORY_LOAD,
  MEMORY_STORE,
  MSI,
  SLOT,
  Status,
  TAKEN_IN,
} from './packets.ts';
import type { BusPlace, ConfigPlace, LoadClient, RegisterPort } from './register-port.ts';
import { RequestSender } from './request-sender.ts';
import { pcieTimingIds } from './timing.ts';
import { TlpTally } from './tlp.ts';
import { tallyArrived, type Uplink } from './uplink.ts';
import { chargeIf, type HostWay, hostWay } from './way.ts';

/** Where message signalled interrupts are written to; the data is the vector. */
export const MSI_ADDRESS = 0xfee0_0000;

const LOADED = 0;
const SIGNALLED = 1;
const LINE_ASSERTED = 2;
const SLOT_CHANGED = 3;
const UNANSWERED = 4;
/** A core loads 64 bytes at the most. */
const LOAD_MAX = 64;

export interface RootPortOptions {
  readonly node: Node;
  readonly path: PciePath;
  readonly translation: Translation;
  /** The card's node and port, and the host's own port. */
  readonly cardNode: number;
  readonly cardPort: number;
  readonly ownPort: number;
  /** Names the bus in violations. */
  readonly name: string;
  /** How the card is reached; over links when left out. */
  readonly way?: HostWay;
  /** The card went or came. */
  linkChanged(isUp: boolean): void;
  /** Takes packets of the bus that are none of the path's; false for others. */
  beside?(packet: Packet): boolean;
  /** An interrupt of the port: what is in the slot of a function went or came. */
  slotChanged?(functionId: number, present: boolean): void;
}

export class RootPort implements RegisterPort, Component, CpuClient {
  readonly way: HostWay;
  loads = 0;
  stores = 0;
  configAccesses = 0;
  linkUp = true;
  readonly #options: RootPortOptions;
  readonly #coreAccess: number;
  readonly #dma: DmaServer;
  readonly #tally: TlpTally;
  readonly #id: ComponentId;
  /** Ports on the way to the card; null where there are none, as its functions are made believe. */
  readonly #hierarchy: Hierarchy | null;
  readonly #slot: Slot | null;
  readonly #uplink: Uplink | null;
  readonly #psPerByte: number;
  #barWindow: BarWindow | null = null;
  /** Who is told of an interrupt, by vector, and by function for INTx. */
  readonly #vectors: ((() => void) | undefined)[] = [];
  readonly #lines = new Map<number, () => void>();
  // The load of each core: a core has one at a time.
  readonly #clients: (LoadClient | null)[];
  readonly #tags: number[] = [];
  readonly #bytes: Uint8Array[];
  readonly #lengths: number[] = [];
  readonly #requests: RequestSender;

  constructor(options: RootPortOptions) {
    this.#options = options;
    const { node, path } = options;
    this.#coreAccess = pcieTimingIds(node.costs).coreAccess;
    this.#tally = new TlpTally(path);
    this.#hierarchy = options.way === undefined ? hierarchyOf(node, path) : null;
    this.#slot = this.#hierarchy?.addSlot(this, path) ?? null;
    this.#uplink = this.#hierarchy?.uplink ?? null;
    this.#psPerByte = psPerByte(path.generation, path.lanes);
    this.way = options.way ?? hostWay(node, path, this.#uplink);
    this.#dma = new DmaServer({
      ...options,
      memoryRead: this.way.memoryRead,
      answer: (packet, tlps) => this.#answer(packet, tlps),
      takeIn: (packet, delay) => this.#sendBack(packet, TAKEN_IN, delay),
    });
    this.#clients = new Array<LoadClient | null>(node.cpu.count).fill(null);
    this.#bytes = Array.from({ length: node.cpu.count }, () => new Uint8Array(LOAD_MAX));
    this.#id = node.add(this);
    const lane = this.way.registers;
    this.#requests = new RequestSender({ ...options, lane });
  }

  /** Takes the packets that arrive at the host's port of this path. */
  bind(): void {
    this.#options.node.kernel.bindPort(this.#options.ownPort, this.#id);
  }

  /**
   * Makes interrupt vectors with consecutive numbers and returns the first, a multiple of as many as
   * MSI can give. A vector's number is the data of its message; `raised` gets its index among these.
   */
  addVectors(count: number, raised: (index: number) => void): number {
    const granted = 2 ** Math.ceil(Math.log2(count));
    const first = Math.ceil(this.#vectors.length / granted) * granted;
    for (let i = 0; i < count; i++) this.#vectors[first + i] = () => raised(i);
    return first;
  }

  /** Says who is told of Assert_INTA of a function. */
  setLine(functionId: number, raised: () => void): void {
    this.#lines.set(functionId, raised);
  }

  /** Reads memory behind a BAR. Called on a core, which waits. */
  load(address: number, length: number, client: LoadClient, tag: number): void {
    assert(length <= LOAD_MAX, 'a core loads 64 bytes at the most');
    this.loads++;
    const core = this.#stall(client, tag, length);
    if (!this.#reaches(address)) return this.#complete(core, null);
    const packet = this.#options.node.kernel.packets.acquire(0);
    packet.label(MEMORY_LOAD, address, length, 0, core);
    this.#requests.send(packet);
  }

  /**
   * Writes memory behind a BAR and goes on: the write is posted. The caller charges what the store costs
   * its core.
   */
  store(address: number, bytes: Uint8Array, from: number, length: number): void {
    this.stores++;
    if (!this.#reaches(address)) return;
    const packet = this.#storePacket(address, bytes, from, length);
    const { node, cardNode, cardPort } = this.#options;
    this.#tally.clear();
    this.#tally.write(address, length);
    const delay = this.way.registers.post(this.#tally);
    node.kernel.send(node.index, cardNode, cardPort, delay, packet);
  }

  /** The same where a store traps: the core waits until it has been served. */
  trapStore(address: number, bytes: Uint8Array, length: number, client: LoadClient): void {
    this.stores++;
    const core = this.#stall(client, 0, 0);
    if (!this.#reaches(address)) return this.#complete(core, null);
    const packet = this.#storePacket(address, bytes, 0, length);
    packet.c = 1;
    packet.d = core;
    this.#requests.send(packet);
  }

  /** Reads configuration space. Called on a core, which waits. */
  readConfig(place: ConfigPlace, client: LoadClient, tag: number): void {
    this.configAccesses++;
    const core = this.#stall(client, tag, place.size);
    if (!this.linkUp) return this.#complete(core, null);
    const packet = this.#options.node.kernel.packets.acquire(0);
    packet.label(CONFIG_READ, place.functionId, place.offset, place.size, core);
    this.#requests.send(packet);
  }

  /** Writes configuration space, which is not posted: the core waits. */
  writeConfig(place: ConfigPlace, value: number, client: LoadClient, tag: number): void {
    this.configAccesses++;
    const core = this.#stall(client, tag, 0);
    if (!this.linkUp) return this.#complete(core, null);
    const packet = this.#options.node.kernel.packets.acquire(4);
    writeU32(packet.bytes, 0, value);
    packet.label(CONFIG_WRITE, place.functionId, place.offset, place.size, core);
    this.#requests.send(packet);
  }

  /** Sets up the ports on the way, if nobody has, and calls `done` when they are. */
  scan(runner: AccessRunner, done: () => void): void {
    if (this.#hierarchy === null) done();
    else this.#hierarchy.scan(runner, done);
  }

  /** Addresses for the BARs of the card, once the ports on the way are set up. */
  get barWindow(): BarWindow {
    this.#barWindow ??= new BarWindow(this.#slot?.window, this.#slot?.prefetchable);
    return this.#barWindow;
  }

  /** Reads configuration space of whatever is at a bus number. Called on a core, which waits. */
  readBus(place: BusPlace, client: LoadClient, tag: number): void {
    const hierarchy = this.#hierarchy!;
    const slot = hierarchy.slotAt(place);
    if (slot !== null) return slot.port.readConfig({ ...place, functionId: 0 }, client, tag);
    this.configAccesses++;
    hierarchy.read(place, client, tag);
  }

  /** Writes a register of a port on the way; those of cards are written by their function's number. */
  writeBus(place: BusPlace, value: number, client: LoadClient, tag: number): void {
    this.configAccesses++;
    this.#hierarchy!.write(place, value, client, tag);
  }

  statistics(): Statistics {
    const { loads, stores, configAccesses } = this;
    const { hits, misses, faults } = this.#options.translation;
    const { tlps, bytes, busy } = this.way.data;
    return {
      loads,
      stores,
      configAccesses,
      iotlbHits: hits,
      iotlbMisses: misses,
      iommuFaults: faults,
      tlps,
      bytesToDevice: bytes,
      linkBusyPs: busy,
    };
  }

  /** True when an access to this address gets to the card. */
  #reaches(address: number): boolean {
    return this.linkUp && (this.#slot === null || this.#slot.claims(address));
  }

  receive(packet: Packet): void {
    if (this.#options.beside?.(packet)) return;
    if (this.#uplink !== null && packet.kind < TAKEN_IN && this.#waitsForUplink(packet)) return;
    switch (packet.kind & ~CROSSED) {
      case COMPLETION:
        return this.#complete(packet.a, packet.b === Status.successful ? packet : null);
      case DMA_STORE:
      case DMA_LOAD:
      case DMA_STORE | TAKEN_IN:
      case DMA_LOAD | TAKEN_IN:
        return this.#dma.receive(packet, packet.kind & ~CROSSED);
      case MSI:
      case INTX:
        return this.#signal(packet);
      case LINK:
        return this.#linkChanged(packet.a === 1);
      case SLOT:
        return this.#signalSlot(packet);
      default:
        assert(false, `${this.#options.name}: packet of kind ${packet.kind} at the root port`);
    }
  }

  deliver(kind: number, a: number, b: number): void {
    switch (kind) {
      case LOADED:
        return this.#loaded(a);
      case UNANSWERED:
        return this.#unanswered(a);
      case SIGNALLED:
        return this.#vectors[a]!();
      case LINE_ASSERTED:
        return this.#lines.get(a)?.();
      case SLOT_CHANGED:
        return this.#options.slotChanged?.(a, b === 1);
    }
  }

  /** A core has its data. */
  #loaded(core: number): void {
    const client = this.#clients[core]!;
    this.#clients[core] = null;
    client.loaded(this.#tags[core], this.#bytes[core], this.#lengths[core]);
  }

  /** Nobody has answered a core, which may get all ones instead. */
  #unanswered(core: number): void {
    const client = this.#clients[core]!;
    if (client.unanswered === undefined) return this.#loaded(core);
    this.#clients[core] = null;
    client.unanswered(this.#tags[core]);
  }

  /** The core that runs now waits for the answer to what it asks. */
  #stall(client: LoadClient, tag: number, length: number): number {
    const core = this.#options.node.cpu.hold();
    this.#clients[core] = client;
    this.#tags[core] = tag;
    this.#lengths[core] = length;
    return core;
  }

  #storePacket(address: number, bytes: Uint8Array, from: number, length: number): Packet {
    const packet = this.#options.node.kernel.packets.acquire(length);
    copyBytes(bytes, from, packet.bytes, 0, length);
    packet.label(MEMORY_STORE, address);
    return packet;
  }

  /** Sends an answer to DMA. */
  #answer(packet: Packet, tlps: TlpTally): void {
    const { node, cardNode, cardPort } = this.#options;
    if (!this.linkUp) return node.kernel.packets.release(packet);
    node.kernel.send(node.index, cardNode, cardPort, this.way.data.send(tlps), packet);
  }

  #complete(core: number, packet: Packet | null): void {
    const { node } = this.#options;
    const length = this.#lengths[core];
    if (packet === null) this.#bytes[core].fill(0xff, 0, length);
    else copyBytes(packet.bytes, 0, this.#bytes[core], 0, length);
    const kind = packet === null ? UNANSWERED : LOADED;
    node.cpu.resume(core, node.charge(this.#coreAccess), this, kind, core);
  }

  /** True when a packet has to wait for those of other cards; it comes back. */
  #waitsForUplink(packet: Packet): boolean {
    const { node } = this.#options;
    tallyArrived(this.#tally, packet);
    const wait = this.#uplink!.wait(node.kernel.now, this.#tally, this.#psPerByte);
    if (wait === 0) return false;
    node.noteWait(labels.WAIT_LINK, wait);
    this.#sendBack(packet, CROSSED, wait);
    return true;
  }

  /** The packet comes back to this node after the delay, its kind saying how far it is. */
  #sendBack(packet: Packet, stage: number, delay: number): void {
    const { node, ownPort } = this.#options;
    const copy = copyAs((packet.kind & ~CROSSED) | stage, packet, node.kernel.packets);
    node.kernel.send(node.index, node.index, ownPort, delay, copy);
  }

  /** An interrupt follows the writes that came before it. */
  #signal({ kind, a, b, c }: Packet): void {
    const { node, name } = this.#options;
    const isMessage = (kind & ~CROSSED) === MSI;
    if (!isMessage && a === 0) return;
    if (isMessage && (a !== MSI_ADDRESS || this.#vectors[b] === undefined)) {
      const text = `${name}: interrupt message ${b} to 0x${a.toString(16)} by function ${c}`;
      return node.violations.report('UNEXPECTED_MESSAGE', text);
    }
    const delay = this.#dma.translationDelay() + chargeIf(node, this.way.delivery);
    if (isMessage) node.kernel.schedule(this.#id, delay, SIGNALLED, b);
    else node.kernel.schedule(this.#id, delay, LINE_ASSERTED, c);
  }

  #signalSlot({ a, c }: Packet): void {
    const { node } = this.#options;
    node.kernel.schedule(this.#id, chargeIf(node, this.way.delivery), SLOT_CHANGED, c, a);
  }

  #linkChanged(isUp: boolean): void {
    this.linkUp = isUp;
    if (!isUp) {
      this.#requests.clear();
      // The root port completes what will never be answered.
      for (const [core, client] of this.#clients.entries()) {
        if (client !== null) this.#complete(core, null);
      }
    }
    this.#options.linkChanged(isUp);
  }
}
