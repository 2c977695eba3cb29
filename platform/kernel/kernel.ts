// The run loop. Events are delivered in the total order (time, rank, sender node, sender's sequence
// number), which names nothing of the host, so that placing nodes on threads cannot change it.
//
// An event's record lives in typed arrays under a slot; the queue orders slots. Nothing is allocated
// per event. The trace digest is kept per node and combined at the end, for the same reason.
import { assert, RunError } from '../errors.ts';
import type { CauseLog } from './cause-log.ts';
import { type EventQueue, HeapQueue } from './event-queue.ts';
import { type Packet, PacketPool } from './packet.ts';
import { type Duration, END_OF_TIME, formatTime, type Instant } from './time.ts';

/** Order among events of one instant: control before normal before observe. */
export const Rank = { control: 0, normal: 1, observe: 2 } as const;
export type Rank = (typeof Rank)[keyof typeof Rank];

/** Something that receives events. `kind`, `a` and `b` mean what the component says. */
export interface Component {
  deliver(kind: number, a: number, b: number): void;
  /** Receives a packet from another node; it is recycled when this returns. */
  receive?(packet: Packet): void;
}

/** Names a component within one kernel. Not stable across placements; never put it in a message. */
export type ComponentId = number;
/** Names a pending event. Stale handles are recognised. */
export type EventHandle = number;
export const NO_EVENT: EventHandle = -1;

/** Where packets go whose receiver is hosted elsewhere. The packet is recycled after the call. */
export interface Outbox {
  push(at: Instant, key: number, toNode: number, toPort: number, packet: Packet): void;
}

/** More zero-delay events than this in one causal chain are a livelock. */
export const INSTANT_STEPS_MAX = 10_000;
export const NODES_MAX = 65_536;

const SEQUENCE_SPAN = 2 ** 35;
const RANK_SPAN = NODES_MAX * SEQUENCE_SPAN;
const SLOT_SPAN = 2 ** 26;
const NO_PACKET = null;

export class Kernel {
  /** The instant being executed. */
  now: Instant = 0;
  /** Delivered events, of all hosted nodes. */
  events = 0;
  /** Order key of the event being executed: names it among all events of the run. */
  currentKey = -1;
  /** Set to record why each event happened (see CauseLog). */
  causes: CauseLog | null = null;
  readonly packets = new PacketPool();

  readonly #queue: EventQueue = new HeapQueue();
  readonly #outbox: Outbox | null;

  readonly #components: Component[] = [];
  #nodeOf = new Int32Array(64);
  #indexOf = new Int32Array(64);
  readonly #ports: (Int32Array | undefined)[] = [];
  #sequence: Float64Array;
  #componentCount: Int32Array;
  #digestA: Int32Array;
  #digestB: Int32Array;
  #eventsOf: Float64Array;

  // The event records, by slot.
  #component = new Int32Array(1024);
  #kind = new Int32Array(1024);
  #a = new Float64Array(1024);
  #b = new Float64Array(1024);
  #generation = new Int32Array(1024);
  #depth = new Int32Array(1024);
  readonly #packet: (Packet | null)[] = [];
  #freeSlots = new Int32Array(1024);
  #freeCount = 0;
  #slotCount = 0;
  #currentDepth = 0;
  #cancelled = 0;
  #stopping = false;

  /** `nodeCount` counts the nodes of the whole topology, hosted here or not. */
  constructor(nodeCount: number, outbox: Outbox | null = null) {
    assert(nodeCount > 0 && nodeCount <= NODES_MAX, `node count ${nodeCount} is outside 1 … 65536`);
    this.#outbox = outbox;
    this.#sequence = new Float64Array(nodeCount);
    this.#componentCount = new Int32Array(nodeCount);
    this.#digestA = new Int32Array(nodeCount);
    this.#digestB = new Int32Array(nodeCount);
    this.#eventsOf = new Float64Array(nodeCount);
  }

  /** Adds a component to a node. The order of additions within a node is part of the digest. */
  add(node: number, component: Component): ComponentId {
    const id = this.#components.push(component) - 1;
    if (id === this.#nodeOf.length) {
      this.#nodeOf = grownInt32(this.#nodeOf);
      this.#indexOf = grownInt32(this.#indexOf);
    }
    this.#nodeOf[id] = node;
    this.#indexOf[id] = this.#componentCount[node]++;
    return id;
  }

  /** Makes `component` the receiver of packets sent to (its node, `port`). */
  bindPort(port: number, component: ComponentId): void {
    const node = this.#nodeOf[component];
    let ports = this.#ports[node];
    if (ports === undefined || port >= ports.length) {
      const larger = new Int32Array(Math.max(4, (port + 1) * 2)).fill(-1);
      if (ports !== undefined) larger.set(ports);
      this.#ports[node] = ports = larger;
    }
    assert(ports[port] === -1, `port ${port} of node ${node} is bound twice`);
    ports[port] = component;
  }

  /** True when the node has at least one component or port here. */
  hosts(node: number): boolean {
    return this.#componentCount[node] > 0;
  }

  /** Schedules `deliver(kind, a, b)` on a component of the calling node, `delay` ps from now. */
  schedule(
    component: ComponentId,
    delay: Duration,
    kind: number,
    a = 0,
    b = 0,
    rank: Rank = Rank.normal,
  ): EventHandle {
    const at = this.now + delay;
    const key = this.#nextKey(this.#nodeOf[component], rank);
    if (this.causes !== null) this.causes.record(key, this.currentKey, at);
    const slot = this.#takeSlot(component, at, kind, a, b);
    this.#queue.push(at, key, slot);
    return this.#generation[slot] * SLOT_SPAN + slot;
  }

  /**
   * Sends a packet to a port of another node, to arrive `delay` ps from now. The packet must come
   * from `packets.acquire` and belongs to the kernel afterwards.
   */
  send(fromNode: number, toNode: number, toPort: number, delay: Duration, packet: Packet): void {
    assert(delay > 0, 'a packet between nodes takes time');
    const at = this.now + delay;
    const key = this.#nextKey(fromNode, Rank.normal);
    if (this.causes !== null) this.causes.record(key, this.currentKey, at);
    if (this.hosts(toNode)) {
      this.accept(at, key, toNode, toPort, packet);
    } else {
      assert(this.#outbox !== null, `node ${toNode} is not hosted here`);
      this.#outbox.push(at, key, toNode, toPort, packet);
      this.packets.release(packet);
    }
  }

  /** Queues a packet whose order key its sender has already drawn. Used by `send` and by hosts. */
  accept(at: Instant, key: number, toNode: number, toPort: number, packet: Packet): void {
    assert(at >= this.now, `a packet for ${formatTime(at)} arrived in the past of its receiver`);
    const component = this.#ports[toNode]?.[toPort] ?? -1;
    assert(component >= 0, `node ${toNode} has no port ${toPort}`);
    const slot = this.#takeSlot(component, at, packet.kind, packet.a, packet.b);
    this.#packet[slot] = packet;
    this.#queue.push(at, key, slot);
  }

  /** Cancels a pending event. Returns false when it was delivered or cancelled before. */
  cancel(handle: EventHandle): boolean {
    if (handle < 0) return false;
    const slot = handle % SLOT_SPAN;
    if (this.#generation[slot] !== (handle - slot) / SLOT_SPAN) return false;
    if (this.#component[slot] < 0) return false;
    this.#component[slot] = -1;
    this.#cancelled++;
    return true;
  }

  /** Time of the next event, or Infinity. Cancelled entries are dropped on the way. */
  nextTime(): Instant {
    const queue = this.#queue;
    while (this.#cancelled > 0 && queue.size > 0) {
      const time = queue.peekTime();
      const slot = queue.pop();
      if (this.#component[slot] >= 0) {
        queue.push(time, queue.poppedKey, slot);
        return time;
      }
      this.#cancelled--;
      this.#freeSlot(slot);
    }
    return queue.peekTime();
  }

  /** Makes `runUntil` return after the event being delivered. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Delivers every event before `limit` in order, and stops before those at `limit`. Returns false
   * when `stop` ended it early. Throws RunError LIVELOCK.
   */
  runUntil(limit: Instant): boolean {
    assert(limit <= END_OF_TIME || limit === Infinity, 'the clock ends at 2^53 ps');
    const queue = this.#queue;
    this.#stopping = false;
    while (queue.size > 0 && queue.peekTime() < limit) {
      const slot = queue.pop();
      const component = this.#component[slot];
      if (component < 0) {
        this.#cancelled--;
        this.#freeSlot(slot);
        continue;
      }
      this.now = queue.poppedTime;
      this.currentKey = queue.poppedKey;
      this.#currentDepth = this.#depth[slot];
      this.#deliver(slot, component);
      if (this.#stopping) return false;
    }
    return true;
  }

  /** Digest lanes of one node, for `combineDigests`. */
  digestOf(node: number): readonly [number, number, number] {
    return [this.#digestA[node], this.#digestB[node], this.#eventsOf[node]];
  }

  #deliver(slot: number, component: number): void {
    const kind = this.#kind[slot];
    const a = this.#a[slot];
    const b = this.#b[slot];
    const packet = this.#packet[slot];
    const node = this.#nodeOf[component];
    this.events++;
    this.#eventsOf[node]++;
    this.#digest(node, this.#indexOf[component], kind, a, b);
    // The slot is freed first: the handler may cancel its own handle, which must then be stale.
    this.#freeSlot(slot);
    const receiver = this.#components[component];
    if (packet === NO_PACKET) {
      receiver.deliver(kind, a, b);
    } else {
      this.#digestPacket(node, packet);
      receiver.receive!(packet);
      this.packets.release(packet);
    }
  }

  #digest(node: number, index: number, kind: number, a: number, b: number): void {
    const now = this.now;
    let x = this.#digestA[node];
    let y = this.#digestB[node];
    x = Math.imul(x ^ (now | 0), 0x9e3779b1);
    y = Math.imul(y ^ ((now / 4294967296) | 0) ^ (index << 8) ^ kind, 0x85ebca77);
    x = Math.imul((x ^ (x >>> 15)) + (a | 0), 0xc2b2ae3d);
    y = Math.imul((y ^ (y >>> 13)) + (b | 0), 0x27d4eb2f);
    this.#digestA[node] = x ^ (y >>> 7);
    this.#digestB[node] = y ^ (x >>> 11);
  }

  /** Short packets (messages) enter the digest whole, long ones (data) by length and both ends. */
  #digestPacket(node: number, packet: Packet): void {
    const { bytes, length } = packet;
    let x = this.#digestA[node] ^ length ^ (packet.c | 0);
    const y = (packet.d | 0) + 0x165667b1;
    const head = length <= 128 ? length : 64;
    for (let i = 0; i < head; i++) x = Math.imul(x ^ bytes[i], 0x01000193);
    for (let i = Math.max(head, length - 64); i < length; i++) {
      x = Math.imul(x ^ bytes[i], 0x01000193);
    }
    this.#digestA[node] = Math.imul(x ^ (x >>> 15), 0x9e3779b1) ^ y;
  }

  #nextKey(node: number, rank: Rank): number {
    return rank * RANK_SPAN + node * SEQUENCE_SPAN + this.#sequence[node]++;
  }

  #takeSlot(component: number, at: Instant, kind: number, a: number, b: number): number {
    assert(at <= END_OF_TIME, 'the clock ends at 2^53 ps (2.5 h)');
    let depth = 0;
    if (at === this.now) {
      depth = this.#currentDepth + 1;
      if (depth > INSTANT_STEPS_MAX) this.#livelock(component, kind);
    }
    const slot = this.#freeCount > 0 ? this.#freeSlots[--this.#freeCount] : this.#newSlot();
    this.#component[slot] = component;
    this.#kind[slot] = kind;
    this.#a[slot] = a;
    this.#b[slot] = b;
    this.#depth[slot] = depth;
    return slot;
  }

  #newSlot(): number {
    const slot = this.#slotCount++;
    assert(slot < SLOT_SPAN, 'more than 2^26 events are pending');
    if (slot === this.#component.length) {
      this.#component = grownInt32(this.#component);
      this.#kind = grownInt32(this.#kind);
      this.#generation = grownInt32(this.#generation);
      this.#depth = grownInt32(this.#depth);
      this.#freeSlots = grownInt32(this.#freeSlots);
      this.#a = grownFloat64(this.#a);
      this.#b = grownFloat64(this.#b);
    }
    this.#packet[slot] = NO_PACKET;
    return slot;
  }

  #freeSlot(slot: number): void {
    this.#generation[slot]++;
    this.#packet[slot] = NO_PACKET;
    this.#freeSlots[this.#freeCount++] = slot;
  }

  #livelock(component: number, kind: number): never {
    const node = this.#nodeOf[component];
    const name = this.#components[component].constructor.name;
    throw new RunError(
      'LIVELOCK',
      `more than ${INSTANT_STEPS_MAX} events in a row at ${formatTime(this.now)} without time ` +
        `passing; the last was kind ${kind} for ${name} (component ${this.#indexOf[component]} of ` +
        `node ${node}). Some delay of its cycle must be above zero.`,
    );
  }
}

function grownInt32(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}

function grownFloat64(old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(old.length * 2);
  larger.set(old);
  return larger;
}
