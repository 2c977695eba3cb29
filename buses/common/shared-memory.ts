// DMA over coherent shared memory: the device side's port, and the owner's side that serves it. Each
// transaction is one packet with a segment table; reads come back as a packet of data. Where memory moves
// whole lines, each line that a transaction touches moves once.
//
//   segment: handle le32 │ length le32 │ offset le32 low, le32 high
//   refusal: a: slot, b: length, c: number of the segment; the bytes are the reason as text
import type { DmaClient, DmaFault, DmaPort, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { LineTally, Segments } from '../../platform/memory/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import { OrderedLink } from './link.ts';

/** Packet kinds of shared-memory DMA; buses keep clear of them. */
export const DMA_READ = 100;
export const DMA_DATA = 101;
export const DMA_WRITE = 102;
export const DMA_REFUSED = 103;
/** The same the other way round: cores of the driver's node reach regions of the device's. */
export const REGION_READ = 104;
export const REGION_DATA = 105;
export const REGION_WRITE = 106;
export const REGION_REFUSED = 107;

/** The kinds of packets of one use of transactions. */
export interface TransactionKinds {
  readonly read: number;
  readonly data: number;
  readonly write: number;
  readonly refused: number;
}

const DMA_KINDS: TransactionKinds = {
  read: DMA_READ,
  data: DMA_DATA,
  write: DMA_WRITE,
  refused: DMA_REFUSED,
};

export const REGION_KINDS: TransactionKinds = {
  read: REGION_READ,
  data: REGION_DATA,
  write: REGION_WRITE,
  refused: REGION_REFUSED,
};

const SEGMENT_SIZE = 16;

/** The window that a device's bus address falls in, as the port's owner knows it. */
export interface DmaWindow {
  readonly handle: number;
  /** Bytes that were retrieved. */
  readonly length: number;
}

export interface PortOptions {
  readonly node: Node;
  /** The node and port that own the memory. */
  readonly ownerNode: number;
  readonly ownerPort: number;
  /** Finds the window of a bus address, or null. */
  window(address: number): DmaWindow | null;
  /** Offset of a bus address in its window. */
  offset(address: number): number;
  /** What carries it; without one, a link of its own with the latency of coherent memory. */
  readonly link?: OrderedLink;
  /** Those of DMA when left out. */
  readonly kinds?: TransactionKinds;
}

/** The device side's port. Refuses at once what was not shared with it. */
export class SharedMemoryPort implements DmaPort {
  reads = 0;
  writes = 0;
  refusals = 0;
  readonly link: OrderedLink;
  readonly #options: PortOptions;
  readonly #lines: LineTally | null;
  readonly #segments = new Segments();
  readonly #kinds: TransactionKinds;
  readonly #clients: (DmaClient | null)[] = [];
  readonly #tags: number[] = [];
  /** Addresses of the segments of the read in each slot, should it be refused. */
  readonly #asked: Float64Array[] = [];
  readonly #freeSlots: number[] = [];

  constructor(options: PortOptions) {
    this.#options = options;
    this.#kinds = options.kinds ?? DMA_KINDS;
    this.link = options.link ?? coherentLink(options.node);
    this.#lines = linesOn(this.link);
  }

  readSegment(address: number, length: number): void {
    this.#segments.add(address, length);
  }

  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void {
    this.#segments.addSource(address, source, offset, length);
  }

  read(client: DmaClient, tag: number): void {
    const packet = this.#segmentPacket(client, tag, false);
    if (packet === null) return;
    this.reads++;
    const slot = this.#takeSlot(client, tag);
    const { count } = this.#segments;
    this.#noteAsked(slot);
    this.#segments.clear();
    this.#send(packet.label(this.#kinds.read, slot, count), 0);
  }

  write(client: DmaClient, tag: number): boolean {
    const packet = this.#segmentPacket(client, tag, true);
    if (packet === null) return false;
    this.writes++;
    const { count } = this.#segments;
    const moved = this.#moved();
    this.#segments.copySources(packet.bytes, count * SEGMENT_SIZE);
    this.#segments.clear();
    this.#send(packet.label(this.#kinds.write, -1, count), moved);
    return true;
  }

  /** Takes a packet of kind `data` or `refused`. */
  receive(packet: Packet): void {
    const slot = packet.a;
    if (packet.kind === this.#kinds.refused && slot < 0) return;
    const client = this.#clients[slot]!;
    const tag = this.#tags[slot];
    this.#clients[slot] = null;
    this.#freeSlots.push(slot);
    if (packet.kind === this.#kinds.data) {
      client.readDone(tag, packet.bytes, packet.length);
      return;
    }
    this.refusals++;
    const address = this.#asked[slot][packet.c];
    const reason = `by the owner of the memory: ${textIn(packet)}`;
    client.refused(tag, { address, length: packet.b, write: false, reason });
  }

  statistics(): Statistics {
    return { dmaReads: this.reads, dmaWrites: this.writes, dmaRefused: this.refusals };
  }

  /** Bytes that move for the gathered segments: theirs, or all lines that they lie in. */
  #moved(): number {
    const { count, bytes, addresses, lengths } = this.#segments;
    const lines = this.#lines;
    if (lines === null) return bytes;
    lines.clear();
    for (let i = 0; i < count; i++) lines.add(addresses[i], lengths[i]);
    return lines.bytes;
  }

  #send(packet: Packet, bytes: number): void {
    const { node, ownerNode, ownerPort } = this.#options;
    const delay = this.link.arrivalDelay(bytes);
    node.kernel.send(node.index, ownerNode, ownerPort, delay, packet);
  }

  /** Makes the packet of the gathered segments; null, and they are cleared, when one was refused. */
  #segmentPacket(client: DmaClient, tag: number, write: boolean): Packet | null {
    const { count, bytes, addresses, lengths } = this.#segments;
    const { node, window, offset } = this.#options;
    const packet = node.kernel.packets.acquire(count * SEGMENT_SIZE + (write ? bytes : 0));
    for (let i = 0; i < count; i++) {
      const address = addresses[i];
      const length = lengths[i];
      const found = window(address);
      const at = offset(address);
      if (found === null || at + length > found.length) {
        node.kernel.packets.release(packet);
        this.#segments.clear();
        this.#refuse(client, tag, { address, length, write, reason: refusal(found) });
        return null;
      }
      writeU32(packet.bytes, i * SEGMENT_SIZE, found.handle);
      writeU32(packet.bytes, i * SEGMENT_SIZE + 4, length);
      writeU32(packet.bytes, i * SEGMENT_SIZE + 8, at % 2 ** 32);
      writeU32(packet.bytes, i * SEGMENT_SIZE + 12, Math.floor(at / 2 ** 32));
    }
    return packet;
  }

  #refuse(client: DmaClient, tag: number, fault: DmaFault): void {
    this.refusals++;
    client.refused(tag, fault);
  }

  #noteAsked(slot: number): void {
    const { count, addresses } = this.#segments;
    let asked = this.#asked[slot] as Float64Array | undefined;
    if (asked === undefined || asked.length < count) {
      asked = new Float64Array(addresses.length);
      this.#asked[slot] = asked;
    }
    for (let i = 0; i < count; i++) asked[i] = addresses[i];
  }

  #takeSlot(client: DmaClient, tag: number): number {
    const slot = this.#freeSlots.pop() ?? this.#clients.length;
    this.#clients[slot] = client;
    this.#tags[slot] = tag;
    return slot;
  }
}

/** The offset in a segment of a packet. */
function offsetAt({ bytes }: Packet, segmentAt: number): number {
  return readU32(bytes, segmentAt + 8) + readU32(bytes, segmentAt + 12) * 2 ** 32;
}

function textIn({ bytes, length }: Packet): string {
  return String.fromCharCode(...bytes.subarray(0, length));
}

/** What moves on a link where memory moves whole lines; null where bytes move as they lie. */
function linesOn({ line }: OrderedLink): LineTally | null {
  return line === 0 ? null : new LineTally(line);
}

function refusal(window: DmaWindow | null): string {
  return window === null
    ? 'no area with this number was shared'
    : `beyond the ${window.length} bytes that were shared`;
}

/** Decides what a borrower may reach of the owner's memory: FF-A handles, grants, a region. */
export interface MemoryGuard {
  /** Why the last access was refused. */
  readonly denial: string;
  /** The owner's address of a byte behind a handle, or -1 when the access is refused. */
  translate(
    handle: number,
    borrower: number,
    offset: number,
    length: number,
    write: boolean,
  ): number;
}

export interface TargetOptions {
  readonly node: Node;
  readonly handles: MemoryGuard;
  /** The borrowing node and its port, for answers. */
  readonly borrowerNode: number;
  readonly borrowerPort: number;
  /** Names the bus in violations. */
  readonly name: string;
  /** Whose accesses these are, for violations: `the device side` unless told. */
  readonly borrower?: string;
  /** Told of each write, by its place in the owner's memory. */
  written?(address: number, length: number): void;
  /** What carries answers; without one, a link of its own with the latency of coherent memory. */
  readonly link?: OrderedLink;
  /** Those of DMA when left out. */
  readonly kinds?: TransactionKinds;
}

/** A link with the latency and bandwidth of coherent memory. */
export function coherentLink(node: Node): OrderedLink {
  const { lineLatency, memoryBandwidth } = node.timing;
  const line = node.costs.value(node.costs.idOf('memory.line'));
  return new OrderedLink(node, lineLatency, memoryBandwidth, line);
}

/** The owner's side: checks each access against the handles and serves it from memory. */
export class SharedMemoryTarget {
  readonly link: OrderedLink;
  readonly #options: TargetOptions;
  readonly #lines: LineTally | null;
  readonly #kinds: TransactionKinds;

  constructor(options: TargetOptions) {
    this.#options = options;
    this.#kinds = options.kinds ?? DMA_KINDS;
    this.link = options.link ?? coherentLink(options.node);
    this.#lines = linesOn(this.link);
  }

  /** Takes a packet of kind `read` or `write`. */
  receive(packet: Packet): void {
    const write = packet.kind === this.#kinds.write;
    const { node } = this.#options;
    let total = 0;
    for (let i = 0; i < packet.b; i++) {
      if (this.#translate(packet, i, write) < 0) return this.#refuse(packet, i, write);
      total += readU32(packet.bytes, i * SEGMENT_SIZE + 4);
    }
    if (write) {
      this.#apply(packet);
      return;
    }
    const answer = node.kernel.packets.acquire(total);
    this.#lines?.clear();
    let done = 0;
    for (let i = 0; i < packet.b; i++) {
      const length = readU32(packet.bytes, i * SEGMENT_SIZE + 4);
      const address = this.#translate(packet, i, false);
      node.memory.copyOut(address, answer.bytes, done, length, false);
      this.#lines?.add(address, length);
      done += length;
    }
    answer.label(this.#kinds.data, packet.a);
    this.#answer(answer, this.#lines?.bytes ?? total);
  }

  #apply(packet: Packet): void {
    const { memory } = this.#options.node;
    const { written } = this.#options;
    let at = packet.b * SEGMENT_SIZE;
    for (let i = 0; i < packet.b; i++) {
      const length = readU32(packet.bytes, i * SEGMENT_SIZE + 4);
      const address = this.#translate(packet, i, true);
      memory.copyIn(address, packet.bytes, at, length, false);
      written?.(address, length);
      at += length;
    }
  }

  #translate(packet: Packet, segment: number, write: boolean): number {
    const at = segment * SEGMENT_SIZE;
    const handle = readU32(packet.bytes, at);
    const length = readU32(packet.bytes, at + 4);
    const { handles, borrowerNode } = this.#options;
    return handles.translate(handle, borrowerNode, offsetAt(packet, at), length, write);
  }

  /** Says who wanted what and may not, here and to the other side. */
  #refuse(packet: Packet, segment: number, write: boolean): void {
    const { node, handles, name, borrower = 'the device side' } = this.#options;
    const { denial } = handles;
    const at = segment * SEGMENT_SIZE;
    const handle = readU32(packet.bytes, at);
    const length = readU32(packet.bytes, at + 4);
    const verb = write ? 'write' : 'read';
    node.violations.report(
      'DMA_FAULT',
      `${name}: ${verb} of ${length} bytes by ${borrower}, at offset ` +
        `0x${offsetAt(packet, at).toString(16)} of handle ${handle}, refused: ${denial}`,
    );
    const answer = node.kernel.packets.acquire(denial.length);
    for (let i = 0; i < denial.length; i++) answer.bytes[i] = denial.charCodeAt(i);
    answer.label(this.#kinds.refused, packet.a, length, segment);
    this.#answer(answer, 0);
  }

  #answer(answer: Packet, bytes: number): void {
    const { node, borrowerNode, borrowerPort } = this.#options;
    const delay = this.link.arrivalDelay(bytes);
    node.kernel.send(node.index, borrowerNode, borrowerPort, delay, answer);
  }
}
