// The card's end of a PCI Express path: it answers configuration requests and accesses to BARs for the
// functions of the card, and sends what they signal. Their DMA is in dma-engine.ts.
import type { DmaPort, Statistics } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import type { Component, Packet } from '../kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../node/index.ts';
import { readU32 } from '../wire/index.ts';
import { CONFIG } from './config-registers.ts';
import type { BarPlan, ConfigSpace } from './config-space.ts';
import { DmaEngine } from './dma-engine.ts';
import { type FunctionModel, PcieFunction } from './function.ts';
import { InterruptSender } from './interrupt-sender.ts';
import type { PciePath } from './options.ts';
import {
  COMPLETION,
  CONFIG_READ,
  CONFIG_WRITE,
  copyAs,
  DMA_COMPLETION,
  INTX,
  LINK,
  MEMORY_LOAD,
  MEMORY_STORE,
  MSI,
  SLOT,
  Status,
  TAKEN_IN,
} from './packets.ts';
import { type PcieTiming, pcieTimingIds } from './timing.ts';
import { TlpTally } from './tlp.ts';
import { type CardWay, cardWay } from './way.ts';

/** BARs are found by page; none is smaller. */
const BAR_PAGE = 4096;

export interface EndpointOptions {
  readonly node: Node;
  readonly path: PciePath;
  /** The host's node and port, and the card's own port. */
  readonly hostNode: number;
  readonly hostPort: number;
  readonly ownPort: number;
  /** True when the host has an IOMMU: its translation is on the way of all DMA. */
  readonly iommu: boolean;
  /** How the host is reached; over links when left out. */
  readonly way?: CardWay;
  /** Takes packets of the bus that are none of the path's; false for others. */
  beside?(packet: Packet): boolean;
}

interface BarPlace {
  readonly owner: PcieFunction;
  readonly bar: number;
  readonly start: number;
}

export class Endpoint implements Component, CpuClient {
  readonly way: CardWay;
  readonly dma: DmaEngine;
  /** Requests that no function claimed. */
  unclaimed = 0;
  interrupts = 0;
  readonly #options: EndpointOptions;
  readonly #timing: PcieTiming;
  readonly #tally: TlpTally;
  readonly #functions = new Map<number, PcieFunction>();
  /** Functions whose slot is empty. */
  readonly #absent = new Set<number>();
  /** The host has asked for something: it wants to be told what changes. */
  #heard = false;
  /** Accesses that wait for a core of the card. */
  readonly #accesses: (Packet | null)[] = [];
  /** What answers at each page of the bus address space. */
  readonly #pages = new Map<number, BarPlace>();
  /** BARs of each function that are in `#pages`, as first pages. */
  readonly #mapped = new Map<PcieFunction, { readonly start: number; readonly size: number }[]>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    const { node, path, iommu, hostNode, hostPort } = options;
    this.#timing = pcieTimingIds(node.costs);
    this.#tally = new TlpTally(path);
    this.way = options.way ?? cardWay(node, path);
    const translation = iommu ? this.#timing.iotlbHit : -1;
    // What is no link has no requests that could be joined.
    const readBurst = options.way === undefined ? node.costs.value(this.#timing.readBurst) : 0;
    const host = { hostNode, hostPort };
    this.dma = new DmaEngine({ node, path, lane: this.way.data, translation, readBurst, ...host });
  }

  /** Takes the packets that arrive at the card's port of this path. */
  bind(): void {
    const { node, ownPort } = this.#options;
    node.kernel.bindPort(ownPort, node.add(this));
  }

  /** Adds a function under its id, with so many interrupt vectors. */
  addFunction(
    id: number,
    parts: {
      readonly config: ConfigSpace;
      readonly model: FunctionModel;
      readonly vectors: number;
    },
  ): PcieFunction {
    assert(!this.#functions.has(id), 'a function is added once');
    const { config, model, vectors } = parts;
    for (const bar of config.plan.bars) assert(bar.size >= BAR_PAGE, 'a BAR is a page at least');
    const interrupts = new InterruptSender({
      config,
      vectors,
      message: (address, data) => this.#sendMessage(id, address, data),
      line: (asserted) => this.#sendLine(id, asserted),
    });
    const made = new PcieFunction(id, { config, model, interrupts });
    this.#functions.set(id, made);
    return made;
  }

  /**
   * A port through which a function reaches the host's memory. What is under way when the card is pulled
   * out is never answered, unless `untilTheEnd` asks for a refusal.
   */
  dmaOf(owner: PcieFunction, untilTheEnd = false): DmaPort {
    return this.dma.portOf(owner, untilTheEnd);
  }

  /** The card is pulled out of its slot. */
  remove(): void {
    this.#announce(LINK, false, 0);
    this.dma.linkUp = false;
    // Functions first: what they had under way is nothing to them any more.
    for (const each of this.#functions.values()) this.#resetFunction(each);
    this.dma.abandon('the card is not in its slot');
  }

  /** The card is put back, as after power-on. */
  insert(): void {
    this.dma.linkUp = true;
    this.#announce(LINK, true, 0);
  }

  /** What is in a slot of its own comes or goes; the host is told once it has looked for functions. */
  setPresent(id: number, present: boolean): void {
    const owner = this.#functions.get(id)!;
    if (present) this.#absent.delete(id);
    else {
      this.#absent.add(id);
      this.#resetFunction(owner);
    }
    if (this.#heard && this.dma.linkUp) this.#announce(SLOT, present, id);
  }

  receive(packet: Packet): void {
    if (this.#options.beside?.(packet) || !this.dma.linkUp) return;
    this.#heard = true;
    switch (packet.kind) {
      case DMA_COMPLETION:
        return this.dma.receive(packet);
      case MEMORY_STORE:
        // One that nobody waits for takes effect as it arrives.
        return packet.c === 1 ? this.#takeIn(packet) : this.#store(packet);
      case CONFIG_READ:
      case CONFIG_WRITE:
      case MEMORY_LOAD:
        return this.#takeIn(packet);
      default:
        this.#serve(packet);
    }
  }

  statistics(): Statistics {
    const { dma, way, interrupts, unclaimed } = this;
    const { tlps, bytes, busy } = way.data;
    return {
      interruptsSent: interrupts,
      unclaimed,
      dmaReads: dma.reads,
      dmaWrites: dma.writes,
      dmaRefused: dma.refusals,
      dmaReadBytes: dma.readBytes,
      dmaWriteBytes: dma.writeBytes,
      tagsMax: dma.tagsMax,
      tagWaits: dma.tagWaits,
      tlps,
      bytesToDriver: bytes,
      linkBusyPs: busy,
    };
  }

  /** A core of the card has come to an access. */
  deliver(_kind: number, index: number): void {
    const packet = this.#accesses[index]!;
    this.#accesses[index] = null;
    if (this.dma.linkUp) this.#serve(packet);
    this.#options.node.kernel.packets.release(packet);
  }

  /** Waits for the registers, with the packet coming back to this node; or for a core of the card. */
  #takeIn(packet: Packet): void {
    const { node, ownPort } = this.#options;
    const { kernel, cpu } = node;
    const copy = copyAs(packet.kind | TAKEN_IN, packet, kernel.packets);
    const cost = node.charge(this.way.serve);
    if (!this.way.servedByCore) return kernel.send(node.index, node.index, ownPort, cost, copy);
    const free = this.#accesses.indexOf(null);
    const index = free < 0 ? this.#accesses.length : free;
    this.#accesses[index] = copy;
    cpu.submit(Priority.interrupt, cost, this, 0, index);
  }

  #serve(packet: Packet): void {
    switch (packet.kind) {
      case CONFIG_READ | TAKEN_IN:
        return this.#readConfig(packet);
      case CONFIG_WRITE | TAKEN_IN:
        return this.#writeConfig(packet);
      case MEMORY_LOAD | TAKEN_IN:
        return this.#load(packet);
      case MEMORY_STORE | TAKEN_IN:
        this.#store(packet);
        return this.#acknowledge(packet.d);
      default:
        assert(false, 'a packet that no endpoint takes');
    }
  }

  #readConfig({ a: id, b: offset, c: size, d: tag }: Packet): void {
    const owner = this.#present(id);
    if (owner === null) return this.#unclaimed(tag);
    const value = owner.config.read(offset, size);
    const answer = this.#options.node.kernel.packets.acquire(size);
    for (let i = 0; i < size; i++) answer.bytes[i] = Math.floor(value / 256 ** i);
    this.#tally.clear();
    this.#tally.completion(offset, size);
    this.#answer(answer, tag, Status.successful);
  }

  #writeConfig({ a: id, b: offset, c: size, d: tag, bytes }: Packet): void {
    const owner = this.#present(id);
    if (owner === null) return this.#unclaimed(tag);
    const wantsReset = owner.writeConfig(offset, size, readU32(bytes, 0));
    if (wantsReset) this.#resetFunction(owner);
    else if (touchesAddresses(offset, size)) this.#mapBars(owner);
    this.#acknowledge(tag);
  }

  #present(id: number): PcieFunction | null {
    return this.#absent.has(id) ? null : (this.#functions.get(id) ?? null);
  }

  #load({ a: address, b: length, d: tag }: Packet): void {
    const place = this.#find(address, length);
    if (place === null) return this.#unclaimed(tag);
    const answer = this.#options.node.kernel.packets.acquire(length);
    place.owner.model.readBar(place.bar, address - place.start, answer.bytes, length);
    this.#tally.clear();
    this.#tally.completion(address, length);
    this.#answer(answer, tag, Status.successful);
  }

  #store({ a: address, bytes, length }: Packet): void {
    const place = this.#find(address, length);
    if (place === null) this.unclaimed++;
    else place.owner.model.writeBar(place.bar, address - place.start, bytes, length);
  }

  #unclaimed(tag: number): void {
    this.unclaimed++;
    this.#acknowledge(tag, Status.unsupported);
  }

  /** An answer without data. */
  #acknowledge(tag: number, status: number = Status.successful): void {
    this.#tally.clear();
    this.#tally.headerOnly();
    this.#answer(this.#options.node.kernel.packets.acquire(0), tag, status);
  }

  #answer(packet: Packet, tag: number, status: number): void {
    this.#send(packet, COMPLETION, tag, status, 0, this.way.answers.send(this.#tally));
  }

  #sendMessage(id: number, address: number, data: number): void {
    if (!this.dma.linkUp) return;
    this.interrupts++;
    this.#tally.clear();
    this.#tally.write(address, 4);
    const { node, iommu } = this.#options;
    const delay = this.way.signals.post(this.#tally, iommu ? this.#timing.iotlbHit : -1);
    this.#send(node.kernel.packets.acquire(0), MSI, address, data, id, delay);
  }

  #sendLine(id: number, asserted: boolean): void {
    if (!this.dma.linkUp) return;
    if (asserted) this.interrupts++;
    this.#tally.clear();
    this.#tally.message();
    const packet = this.#options.node.kernel.packets.acquire(0);
    this.#send(packet, INTX, asserted ? 1 : 0, 0, id, this.way.signals.post(this.#tally));
  }

  /** No packet of a link: its two ends see for themselves. */
  #announce(kind: number, present: boolean, id: number): void {
    this.#tally.clear();
    const packet = this.#options.node.kernel.packets.acquire(0);
    this.#send(packet, kind, present ? 1 : 0, 0, id, this.way.answers.send(this.#tally));
  }

  #send(packet: Packet, kind: number, a: number, b: number, c: number, delay: number): void {
    packet.label(kind, a, b, c);
    const { node, hostNode, hostPort } = this.#options;
    node.kernel.send(node.index, hostNode, hostPort, delay, packet);
  }

  #resetFunction(owner: PcieFunction): void {
    owner.reset();
    this.#mapBars(owner);
  }

  #find(address: number, length: number): BarPlace | null {
    const place = this.#pages.get(Math.floor(address / BAR_PAGE)) ?? null;
    if (place === null) return null;
    const { model } = place.owner;
    const claimed = model.claims?.(place.bar, address - place.start, length) ?? true;
    return claimed ? place : null;
  }

  /** Lets the function's BARs be found where software has put them, if they are enabled. */
  #mapBars(owner: PcieFunction): void {
    const { config } = owner;
    for (const { start, size } of this.#mapped.get(owner) ?? []) {
      for (const page of pagesOf(start, size)) this.#pages.delete(page);
    }
    this.#mapped.delete(owner);
    if (!config.memoryEnabled) return;
    const mapped = config.plan.bars.map((bar) => this.#mapBar(owner, bar));
    this.#mapped.set(owner, mapped);
  }

  #mapBar(owner: PcieFunction, bar: BarPlan): { readonly start: number; readonly size: number } {
    const start = owner.config.barAddress(bar);
    const place = { owner, bar: bar.index, start };
    for (const page of pagesOf(start, bar.size)) this.#pages.set(page, place);
    return { start, size: bar.size };
  }
}

function touchesAddresses(offset: number, size: number): boolean {
  const inBars = offset < CONFIG.bars + 24 && offset + size > CONFIG.bars;
  const inCommand = offset < CONFIG.command + 2 && offset + size > CONFIG.command;
  return inBars || inCommand;
}

function* pagesOf(start: number, size: number): Generator<number> {
  for (let at = start; at < start + size; at += BAR_PAGE) yield Math.floor(at / BAR_PAGE);
}
