// The host's end of a PCI Express path: cores load and store through it, and it serves the card's DMA
// from the host's memory, behind an IOMMU or not.
//
// A load stalls the core that makes it until the completion is back. A store is posted: the core goes on.
import { assert } from '../errors.ts';
import type { Component, ComponentId, Packet } from '../kernel/index.ts';
import { type CpuClient, copyBytes, labels, type Node } from '../node/index.ts';
import { writeU32 } from '../wire/index.ts';
import { Direction } from './direction.ts';
import { pieceAddress, pieceLength } from './dma-engine.ts';
import { psPerByte } from './generation.ts';
import type { Translation } from './iommu.ts';
import type { PciePath } from './options.ts';
import {
  COMPLETION,
  CONFIG_READ,
  CONFIG_WRITE,
  CROSSED,
  DMA_COMPLETION,
  DMA_LOAD,
  DMA_STORE,
  INTX,
  LINK,
  MEMORY_LOAD,
  MEMORY_STORE,
  MSI,
  PIECE_SIZE,
  Status,
  TAKEN_IN,
} from './packets.ts';
import { type PcieTiming, pcieTimingIds } from './timing.ts';
import { TlpTally } from './tlp.ts';
import { tallyArrived, type Uplink, uplinkOf } from './uplink.ts';

/** Where message signalled interrupts are written to; the data is the vector. */
export const MSI_ADDRESS = 0xfee0_0000;

const LOADED = 0;
const SIGNALLED = 1;
const LINE_ASSERTED = 2;
/** A core loads 64 bytes at the most. */
const LOAD_MAX = 64;

/** Whoever loads. It is called on the core that made the load. */
export interface LoadClient {
  /** All ones when nobody answered. The bytes are valid only during the call. */
  loaded(tag: number, bytes: Uint8Array, length: number): void;
}

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
  /** The card went or came. */
  linkChanged(isUp: boolean): void;
}

export class RootPort implements Component, CpuClient {
  readonly down: Direction;
  loads = 0;
  stores = 0;
  configAccesses = 0;
  linkUp = true;
  readonly #options: RootPortOptions;
  readonly #timing: PcieTiming;
  readonly #tally: TlpTally;
  readonly #id: ComponentId;
  readonly #uplink: Uplink | null;
  readonly #psPerByte: number;
  /** Who is told of an interrupt, by vector, and by function for INTx. */
  readonly #vectors: ((() => void) | undefined)[] = [];
  readonly #lines = new Map<number, () => void>();
  /** Until then, translations of what has arrived are under way. */
  #translatedAt = 0;
  // The load of each core: a core has one at a time.
  readonly #clients: (LoadClient | null)[];
  readonly #tags: number[] = [];
  readonly #bytes: Uint8Array[];
  readonly #lengths: number[] = [];

  constructor(options: RootPortOptions) {
    this.#options = options;
    const { node, path } = options;
    this.#timing = pcieTimingIds(node.costs);
    this.#tally = new TlpTally(path);
    this.#uplink = path.uplink === null ? null : uplinkOf(node, path.uplink);
    this.#psPerByte = psPerByte(path.generation, path.lanes);
    this.down = new Direction(node, path, this.#timing, this.#uplink?.down);
    this.#clients = new Array<LoadClient | null>(node.cpu.count).fill(null);
    this.#bytes = Array.from({ length: node.cpu.count }, () => new Uint8Array(LOAD_MAX));
    this.#id = node.add(this);
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
    if (!this.linkUp) return this.#complete(core, null);
    this.#tally.clear();
    this.#tally.readRequest(address);
    const packet = this.#options.node.kernel.packets.acquire(0);
    label(packet, MEMORY_LOAD, address, length, 0, core);
    this.#send(packet);
  }

  /** Writes memory behind a BAR. The caller charges `pcie.coreAccess` for each store. */
  store(address: number, bytes: Uint8Array, from: number, length: number): void {
    this.stores++;
    if (!this.linkUp) return;
    const { node, cardNode, cardPort } = this.#options;
    const packet = node.kernel.packets.acquire(length);
    copyBytes(bytes, from, packet.bytes, 0, length);
    this.#tally.clear();
    this.#tally.write(address, length);
    label(packet, MEMORY_STORE, address, 0, 0, 0);
    node.kernel.send(node.index, cardNode, cardPort, this.down.post(this.#tally), packet);
  }

  /** Reads configuration space. Called on a core, which waits. */
  readConfig(place: ConfigPlace, client: LoadClient, tag: number): void {
    this.configAccesses++;
    const core = this.#stall(client, tag, place.size);
    if (!this.linkUp) return this.#complete(core, null);
    this.#tally.clear();
    this.#tally.headerOnly();
    const packet = this.#options.node.kernel.packets.acquire(0);
    label(packet, CONFIG_READ, place.functionId, place.offset, place.size, core);
    this.#send(packet);
  }

  /** Writes configuration space, which is not posted: the core waits. */
  writeConfig(place: ConfigPlace, value: number, client: LoadClient, tag: number): void {
    this.configAccesses++;
    const core = this.#stall(client, tag, 0);
    if (!this.linkUp) return this.#complete(core, null);
    this.#tally.clear();
    this.#tally.configWrite();
    const packet = this.#options.node.kernel.packets.acquire(4);
    writeU32(packet.bytes, 0, value);
    label(packet, CONFIG_WRITE, place.functionId, place.offset, place.size, core);
    this.#send(packet);
  }

  receive(packet: Packet): void {
    if (this.#uplink !== null && packet.kind < TAKEN_IN && this.#waitsForUplink(packet)) return;
    switch (packet.kind & ~CROSSED) {
      case COMPLETION:
        return this.#complete(packet.a, packet.b === Status.successful ? packet : null);
      case DMA_STORE:
        return this.#dmaStore(packet);
      case DMA_STORE | TAKEN_IN:
        return this.#apply(packet);
      case DMA_LOAD:
        return this.#dmaLoad(packet);
      case DMA_LOAD | TAKEN_IN:
        return this.#serve(packet);
      case MSI:
      case INTX:
        return this.#signal(packet);
      case LINK:
        return this.#linkChanged(packet.a === 1);
      default:
        assert(false, `${this.#options.name}: packet of kind ${packet.kind} at the root port`);
    }
  }

  deliver(kind: number, a: number): void {
    switch (kind) {
      case LOADED:
        return this.#loaded(a);
      case SIGNALLED:
        return this.#vectors[a]!();
      case LINE_ASSERTED:
        return this.#lines.get(a)?.();
    }
  }

  /** A core has its data. */
  #loaded(core: number): void {
    const client = this.#clients[core]!;
    this.#clients[core] = null;
    client.loaded(this.#tags[core], this.#bytes[core], this.#lengths[core]);
  }

  /** The core that runs now waits for the answer to what it asks. */
  #stall(client: LoadClient, tag: number, length: number): number {
    const core = this.#options.node.cpu.hold();
    this.#clients[core] = client;
    this.#tags[core] = tag;
    this.#lengths[core] = length;
    return core;
  }

  /** Sends a request that is not posted. */
  #send(packet: Packet): void {
    const { node, cardNode, cardPort } = this.#options;
    node.kernel.send(node.index, cardNode, cardPort, this.down.send(this.#tally), packet);
  }

  #complete(core: number, packet: Packet | null): void {
    const { node } = this.#options;
    const length = this.#lengths[core];
    if (packet === null) this.#bytes[core].fill(0xff, 0, length);
    else copyBytes(packet.bytes, 0, this.#bytes[core], 0, length);
    node.cpu.resume(core, node.charge(this.#timing.coreAccess), this, LOADED, core, 0);
  }

  #dmaStore(packet: Packet): void {
    if (!this.#allowed(packet, true)) return;
    const delay = this.#translationDelay();
    if (delay === 0) this.#apply(packet);
    else this.#sendBack(packet, TAKEN_IN, delay);
  }

  #dmaLoad(packet: Packet): void {
    if (!this.#allowed(packet, false)) return;
    const { node } = this.#options;
    const delay = this.#translationDelay() + node.charge(this.#timing.memoryRead);
    this.#sendBack(packet, TAKEN_IN, delay);
  }

  /** Checks every piece; the first that is not allowed is reported, and the whole refused. */
  #allowed(packet: Packet, write: boolean): boolean {
    const { translation, node, name } = this.#options;
    for (let i = 0; i < packet.b; i++) {
      const at = pieceAddress(packet.bytes, i);
      const length = pieceLength(packet.bytes, i);
      if (translation.allows(at, length, write)) continue;
      const verb = write ? 'write' : 'read';
      node.violations.report(
        'DMA_FAULT',
        `${name}: ${verb} of ${length} bytes at bus address 0x${at.toString(16)} by function ` +
          `${packet.c} refused: ${translation.denial}`,
      );
      if (!write) this.#refuse(packet.a, at, length);
      return false;
    }
    return true;
  }

  /** ps until everything that has arrived is translated; page walks go one after another. */
  #translationDelay(): number {
    const { node, translation } = this.#options;
    const { now } = node.kernel;
    const wait = Math.max(0, this.#translatedAt - now);
    node.noteWait(labels.WAIT_ORDER, wait);
    const { walks } = translation;
    translation.walks = 0;
    const delay = wait + (walks === 0 ? 0 : node.chargeTimes(this.#timing.iotlbMiss, walks));
    this.#translatedAt = now + delay;
    return delay;
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
    const copy = node.kernel.packets.acquire(packet.length);
    copyBytes(packet.bytes, 0, copy.bytes, 0, packet.length);
    label(copy, (packet.kind & ~CROSSED) | stage, packet.a, packet.b, packet.c, packet.d);
    node.kernel.send(node.index, node.index, ownPort, delay, copy);
  }

  #apply(packet: Packet): void {
    const { translation, node } = this.#options;
    let from = packet.b * PIECE_SIZE;
    for (let i = 0; i < packet.b; i++) {
      const end = from + pieceLength(packet.bytes, i);
      for (let at = pieceAddress(packet.bytes, i); from < end; ) {
        const step = translation.run(at, end - from);
        const own = translation.find(at);
        // Unmapped since it was looked at: the write is lost, as it would be behind a real IOMMU.
        if (own >= 0) node.memory.copyIn(own, packet.bytes, from, step);
        at += step;
        from += step;
      }
    }
  }

  #serve(packet: Packet): void {
    const { translation, node } = this.#options;
    this.#tally.clear();
    let total = 0;
    for (let i = 0; i < packet.b; i++) total += pieceLength(packet.bytes, i);
    const answer = node.kernel.packets.acquire(total);
    let to = 0;
    for (let i = 0; i < packet.b; i++) {
      const address = pieceAddress(packet.bytes, i);
      const length = pieceLength(packet.bytes, i);
      this.#tally.completion(address, length);
      for (let done = 0; done < length; ) {
        const step = translation.run(address + done, length - done);
        const own = translation.find(address + done);
        if (own < 0) {
          node.kernel.packets.release(answer);
          return this.#refuse(packet.a, address, length);
        }
        node.memory.copyOut(own, answer.bytes, to, step);
        done += step;
        to += step;
      }
    }
    label(answer, DMA_COMPLETION, packet.a, Status.successful, 0, 0);
    this.#answer(answer);
  }

  #refuse(slot: number, address: number, length: number): void {
    const { kernel } = this.#options.node;
    this.#tally.clear();
    this.#tally.headerOnly();
    const answer = kernel.packets.acquire(0);
    label(answer, DMA_COMPLETION, slot, Status.unsupported, address, length);
    this.#answer(answer);
  }

  #answer(answer: Packet): void {
    if (this.linkUp) this.#send(answer);
    else this.#options.node.kernel.packets.release(answer);
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
    const delay = this.#translationDelay() + node.charge(this.#timing.msiDelivery);
    if (isMessage) node.kernel.schedule(this.#id, delay, SIGNALLED, b);
    else node.kernel.schedule(this.#id, delay, LINE_ASSERTED, c);
  }

  #linkChanged(isUp: boolean): void {
    this.linkUp = isUp;
    if (!isUp) {
      // The root port completes what will never be answered.
      for (const [core, client] of this.#clients.entries()) {
        if (client !== null) this.#complete(core, null);
      }
    }
    this.#options.linkChanged(isUp);
  }
}

/** A place in the configuration space of a function. */
export interface ConfigPlace {
  readonly functionId: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
}

function label(packet: Packet, kind: number, a: number, b: number, c: number, d: number): void {
  packet.kind = kind;
  packet.a = a;
  packet.b = b;
  packet.c = c;
  packet.d = d;
}
