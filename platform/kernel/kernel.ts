// The run loop. Events are delivered in the total order (time, rank, sender node, sender's sequence
// number), which names nothing of the host, so that placing nodes on threads cannot change it.
//
// An event's record lives in the queue's typed arrays under a slot. Nothing is allocated per event.
// The trace digest is kept per node and combined at the end, for the same reason as the order. It is
// always on: it is what makes two runs comparable.
import { AssertionError, assert, RunError } from '../errors.ts';
import { CalendarQueue } from './calendar-queue.ts';
import type { CauseLog } from './cause-log.ts';
import { type EventQueue, Layout } from './event-queue.ts';
import { NodeStates } from './node-states.ts';
import { type Packet, PacketPool } from './packet.ts';
import { type Duration, END_OF_TIME, formatTime, type Instant } from './time.ts';

const {
  ARGUMENT_A,
  ARGUMENT_B,
  DEPTH,
  FLOATS_SHIFT,
  GENERATION,
  KEY,
  KIND,
  NO_SLOT,
  NO_TARGET,
  SLOTS_MAX,
  TARGET,
  WORDS_SHIFT,
} = Layout;
/** A constant of this module, for the same reason. */
const CLOCK_END = END_OF_TIME;

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
const NORMAL = Rank.normal;

/** Set in the target of an event that carries a packet or was scheduled with no delay. */
const SPECIAL = 2 ** 30;
const COMPONENT_MASK = SPECIAL - 1;

export class Kernel {
  /** The instant being executed. */
  now: Instant = 0;
  /** Order key of the event being executed: names it among all events of the run. */
  currentKey = -1;
  /** Set to record why each event happened (see CauseLog). */
  causes: CauseLog | null = null;
  readonly packets = new PacketPool();

  readonly #queue: EventQueue;
  readonly #outbox: Outbox | null;
  readonly #components: Component[] = [];
  // Of each component: its node, and its index among the components of the node.
  #places = new Int32Array(64);
  readonly #ports: (Int32Array | undefined)[] = [];
  readonly #componentCount: Int32Array;
  readonly #nodes: NodeStates;
  // By slot; used only where the target is marked SPECIAL.
  readonly #packetOf: (Packet | null)[] = [];
  #depth = 0;
  #prefetched = 0;
  /** Events at or after this are not delivered: the limit of the run, or the past after `stop`. */
  #limit = 0;

  /** `nodeCount` counts the nodes of the whole topology, hosted here or not. */
  constructor(
    nodeCount: number,
    outbox: Outbox | null = null,
    queue: EventQueue = new CalendarQueue(),
  ) {
    assert(nodeCount > 0 && nodeCount <= NODES_MAX, `node count ${nodeCount} is outside 1 … 65536`);
    this.#queue = queue;
    queue.upcoming = (slots, count) => this.#prefetch(slots, count);
    this.#outbox = outbox;
    this.#componentCount = new Int32Array(nodeCount);
    this.#nodes = new NodeStates(nodeCount, SEQUENCE_SPAN);
  }

  /** Delivered events, of all hosted nodes. */
  get events(): number {
    return this.#nodes.events;
  }

  /** Adds a component to a node. The order of additions within a node is part of the digest. */
  add(node: number, component: Component): ComponentId {
    const id = this.#components.push(component) - 1;
    if (id * 2 === this.#places.length) {
      const larger = new Int32Array(id * 4);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[id << 1] = node;
    this.#places[(id << 1) | 1] = this.#componentCount[node]++;
    return id;
  }

  /** Makes `component` the receiver of packets sent to (its node, `port`). */
  bindPort(port: number, component: ComponentId): void {
    const node = this.#places[component << 1];
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
    rank: Rank = NORMAL,
  ): EventHandle {
    const slot = this.#enter(component, delay, kind, a, b, rank);
    return this.#queue.words[(slot << WORDS_SHIFT) | GENERATION] * SLOTS_MAX + slot;
  }

  /** Like `schedule`, for events that are never cancelled: without a handle to make. */
  post(component: ComponentId, delay: Duration, kind: number, a = 0, b = 0): void {
    this.#enter(component, delay, kind, a, b, NORMAL);
  }

  /**
   * Sends a packet to a port of another node, to arrive `delay` ps from now. The packet must come
   * from `packets.acquire` and belongs to the kernel afterwards.
   */
  send(fromNode: number, toNode: number, toPort: number, delay: Duration, packet: Packet): void {
    assert(delay > 0, 'a packet between nodes takes time');
    const at = this.now + delay;
    const key = NORMAL * RANK_SPAN + this.#nodes.nextSequence(fromNode);
    if (this.causes !== null) this.causes.record(key, this.currentKey, at);
    if (this.hosts(toNode)) {
      this.accept(at, key, toNode, toPort, packet);
    } else {
      if (this.#outbox === null) throw new AssertionError(`node ${toNode} is not hosted here`);
      this.#outbox.push(at, key, toNode, toPort, packet);
      this.packets.release(packet);
    }
  }

  /** Queues a packet whose order key its sender has already drawn. Used by `send` and by hosts. */
  accept(at: Instant, key: number, toNode: number, toPort: number, packet: Packet): void {
    if (!(at >= this.now && at <= END_OF_TIME)) {
      throw new AssertionError(`a packet for ${formatTime(at)} arrived at ${formatTime(this.now)}`);
    }
    const component = this.#ports[toNode]?.[toPort] ?? NO_TARGET;
    if (component < 0) throw new AssertionError(`node ${toNode} has no port ${toPort}`);
    const queue = this.#queue;
    const slot = queue.takeSlot();
    const float = slot << FLOATS_SHIFT;
    const word = slot << WORDS_SHIFT;
    queue.floats[float] = at;
    queue.floats[float | KEY] = key;
    queue.floats[float | ARGUMENT_A] = packet.a;
    queue.floats[float | ARGUMENT_B] = packet.b;
    queue.words[word | TARGET] = component | SPECIAL;
    queue.words[word | KIND] = packet.kind;
    queue.words[word | DEPTH] = 0;
    this.#setPacket(slot, packet);
    queue.push(slot);
  }

  /** Cancels a pending event. Returns false when it was delivered or cancelled before. */
  cancel(handle: EventHandle): boolean {
    if (handle < 0) return false;
    const { words } = this.#queue;
    const slot = handle % SLOTS_MAX;
    const word = slot << WORDS_SHIFT;
    if (words[word | GENERATION] !== (handle - slot) / SLOTS_MAX) return false;
    if (words[word | TARGET] === NO_TARGET) return false;
    this.#queue.cancel(slot);
    return true;
  }

  /** Time of the next event, or Infinity. Cancelled entries are dropped on the way. */
  nextTime(): Instant {
    const queue = this.#queue;
    for (;;) {
      const slot = queue.first();
      if (slot === NO_SLOT) return Infinity;
      if (!queue.isCancelled(slot)) return queue.floats[slot << FLOATS_SHIFT];
      queue.removeFirst();
      queue.drop(slot);
    }
  }

  /** Makes `runUntil` return after the event being delivered. */
  stop(): void {
    this.#limit = -Infinity;
  }

  /**
   * Delivers every event before `limit` in order, and stops before those at `limit`. Returns false
   * when `stop` ended it early. Throws RunError LIVELOCK.
   */
  runUntil(limit: Instant): boolean {
    assert(limit <= END_OF_TIME || limit === Infinity, 'the clock ends at 2^53 ps');
    const queue = this.#queue;
    this.#limit = limit;
    this.#depth = 0;
    for (;;) {
      const slot = queue.first();
      if (slot === NO_SLOT) break;
      const { floats, words } = queue;
      const float = slot << FLOATS_SHIFT;
      const word = slot << WORDS_SHIFT;
      const now = floats[float];
      if (now >= this.#limit) break;
      queue.removeFirst();
      const target = words[word | TARGET];
      if (target < 0) {
        queue.drop(slot);
        continue;
      }
      const component = target & COMPONENT_MASK;
      this.now = now;
      this.currentKey = floats[float | KEY];
      const place = component << 1;
      this.#nodes.digest(this.#places[place], this.#places[place | 1], words, word);
      if (target === component) {
        const kind = words[word | KIND];
        const a = floats[float | ARGUMENT_A];
        const b = floats[float | ARGUMENT_B];
        // The slot is freed first: the handler may cancel its own handle, which must be stale then.
        queue.release(slot);
        this.#components[component].deliver(kind, a, b);
      } else {
        this.#deliverSpecial(slot, component);
      }
    }
    return this.#limit === limit;
  }

  /** Digest lanes of one node, for `combineDigests`. */
  digestOf(node: number): readonly [number, number, number] {
    return this.#nodes.lanesOf(node);
  }

  /** Delivers an event that carries a packet or was scheduled with no delay. */
  #deliverSpecial(slot: number, component: number): void {
    const queue = this.#queue;
    const { floats, words } = queue;
    const packet = slot < this.#packetOf.length ? this.#packetOf[slot] : null;
    this.#depth = words[(slot << WORDS_SHIFT) | DEPTH];
    const kind = words[(slot << WORDS_SHIFT) | KIND];
    const a = floats[(slot << FLOATS_SHIFT) | ARGUMENT_A];
    const b = floats[(slot << FLOATS_SHIFT) | ARGUMENT_B];
    queue.release(slot);
    const receiver = this.#components[component];
    if (packet === null) {
      receiver.deliver(kind, a, b);
    } else {
      this.#packetOf[slot] = null;
      this.#nodes.digestPacket(this.#places[component << 1], packet);
      receiver.receive!(packet);
      this.packets.release(packet);
    }
    this.#depth = 0;
  }

  #enter(
    component: ComponentId,
    delay: Duration,
    kind: number,
    a: number,
    b: number,
    rank: Rank,
  ): number {
    const queue = this.#queue;
    const at = this.now + delay;
    const key = rank * RANK_SPAN + this.#nodes.nextSequence(this.#places[component << 1]);
    const slot = queue.takeSlot();
    const { floats, words } = queue;
    const float = slot << FLOATS_SHIFT;
    const word = slot << WORDS_SHIFT;
    floats[float] = at;
    floats[float | KEY] = key;
    floats[float | ARGUMENT_A] = a;
    floats[float | ARGUMENT_B] = b;
    words[word | TARGET] = component;
    words[word | KIND] = kind;
    // Written so that it catches a delay that is not a number, too.
    if (!(delay > 0 && at <= CLOCK_END)) this.#checkUnusual(slot, delay);
    if (this.causes !== null) this.causes.record(key, this.currentKey, at);
    queue.push(slot);
    return slot;
  }

  /**
   * Reads what the delivery of these events will read. Here, one by one, the processor waits for many
   * cache lines at a time; in the run loop, which does much between two events, it waits for each.
   */
  #prefetch(slots: Int32Array, count: number): void {
    const { words } = this.#queue;
    const components = this.#components;
    const places = this.#places;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const component = words[(slots[i] << WORDS_SHIFT) | TARGET] & COMPONENT_MASK;
      if (component >= components.length) continue; // A cancelled event has no component.
      sum ^= places[component << 1];
      if (components[component].receive !== undefined) sum++;
    }
    // Kept, so that the reads are not optimised away.
    this.#prefetched ^= sum;
  }

  #setPacket(slot: number, packet: Packet): void {
    const packets = this.#packetOf;
    while (packets.length <= slot) packets.push(null);
    packets[slot] = packet;
  }

  /** Checks a new event that has no delay, or a delay that cannot be. */
  #checkUnusual(slot: number, delay: Duration): void {
    const at = this.now + delay;
    assert(delay >= 0, 'an event cannot be scheduled for the past');
    assert(at <= END_OF_TIME, 'the clock ends at 2^53 ps (2.5 h)');
    const { words } = this.#queue;
    const word = slot << WORDS_SHIFT;
    const component = words[word | TARGET];
    const depth = this.#depth + 1;
    if (depth > INSTANT_STEPS_MAX) this.#livelock(component, words[word | KIND]);
    words[word | TARGET] = component | SPECIAL;
    words[word | DEPTH] = depth;
  }

  #livelock(component: number, kind: number): never {
    const node = this.#places[component << 1];
    const index = this.#places[(component << 1) | 1];
    const name = this.#components[component].constructor.name;
    throw new RunError(
      'LIVELOCK',
      `more than ${INSTANT_STEPS_MAX} events in a row at ${formatTime(this.now)} without time ` +
        `passing; the last was kind ${kind} for ${name} (component ${index} of ` +
        `node ${node}). Some delay of its cycle must be above zero.`,
    );
  }
}
