// What all virtio drivers share: bringing the device up, memory for rings and buffers, notification,
// and reaping used buffers on interrupt. A driver adds what a request is.
import type {
  DeviceInfo,
  Driver,
  DriverEnvironment,
  DriverTransport,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  DESC_SIZE,
  type DriverRing,
  F,
  PackedDriverRing,
  packedRingAreas,
  REAP_BROKEN,
  REAP_NONE,
  type RingAreas,
  SplitDriverRing,
  STATUS,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { type DriverEffect, type DriverEvent, driverChart } from './driver-chart.ts';

export interface DriverTraits {
  readonly deviceId: number;
  /** Queues that the device must have at the least; see `queuesWanted`. */
  readonly queueCount: number;
  /** Queue size the driver would like; the device's limit may be lower. */
  readonly queueSize: number;
  /** Features it would take, besides those every driver here takes. */
  readonly features: bigint;
  /** Those of them without which it can't work. */
  readonly requiredFeatures?: bigint;
  readonly configSize: number;
  /** Most segments of a chain that may lie in an indirect table. Default: SEGMENTS_MAX. */
  readonly segmentsMax?: number;
}

/** A read (`data` is null) or write of configuration space while the device is live. */
interface ConfigOperation {
  readonly offset: number;
  readonly length: number;
  readonly data: Uint8Array | null;
}

/** Steps below this number are the shared part's. */
export const FIRST_OWN_STEP = 8;
const STEP_REAP = 0;
/** Segments of an indirect table unless the driver says otherwise. */
const SEGMENTS_MAX = 4;

/** What every driver here can do, and takes when it is offered. */
const CORE_FEATURES =
  F.VERSION_1 |
  F.ACCESS_PLATFORM |
  F.RING_PACKED |
  F.EVENT_IDX |
  F.INDIRECT_DESC |
  F.NOTIFICATION_DATA;

export abstract class VirtioDriver implements Driver, TransportListener, CpuClient {
  readonly node: Node;
  readonly name: string;
  readonly index: number;
  /** Features in force. */
  features = 0n;
  info: DeviceInfo | null = null;
  live = false;
  /** Why it is not live any more, or never was. */
  downReason: string | null = null;
  notifications = 0;
  protected readonly transport: DriverTransport;
  protected rings: DriverRing[] = [];
  protected config = new Uint8Array(0);
  readonly #traits: DriverTraits;
  readonly #chart: Chart<unknown, DriverEvent>;
  readonly #queueSizes: number[] = [];
  readonly #reaping: boolean[] = [];
  #offered = 0n;
  #memory = 0;
  #uses: Int32Array[] = [];
  /** Operations on the configuration, the first of which is under way. */
  readonly #operations: ConfigOperation[] = [];
  /** The configuration changed before the driver was live. */
  #configStale = false;

  constructor({ node, plan, transport }: DriverEnvironment, traits: DriverTraits) {
    this.node = node;
    this.name = plan.name;
    this.index = plan.index;
    this.transport = transport;
    this.#traits = traits;
    transport.connect(this);
    this.#chart = node.charts.start(driverChart, {
      name: `${plan.name}.driver`,
      input: { ...traits, requiredFeatures: traits.requiredFeatures ?? 0n },
      perform: (effect: DriverEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  get state(): string {
    return this.#chart.state;
  }

  /** Bytes of buffers that the driver wants behind its rings, which end `start` bytes into a page. */
  protected abstract bufferBytes(start: number): number;
  /** The device is live; buffers begin at `buffers` in own RAM. */
  protected abstract wentLive(buffers: number): void;
  /** The device is lost; requests under way must be failed. */
  protected abstract wentDown(reason: string): void;
  /** A chain came back. `written` is what the device says that it wrote. */
  protected abstract completed(queue: number, head: number, written: number, use: number): void;
  /** Work of the driver's own, `step` being FIRST_OWN_STEP or above. */
  protected abstract work(step: number, a: number): void;
  /** True while more chains will be added soon, so that one notification can serve all. */
  protected abstract get plugged(): boolean;

  /** Queues to set up, `features` and `config` being known. */
  protected queuesWanted(): number {
    return this.#traits.queueCount;
  }

  /** The device says that its configuration changed; the driver may want to read it. */
  protected configurationChanged(): void {}
  /** What `readConfig` asked for. */
  protected configRead(_offset: number, _data: Uint8Array): void {}
  /** What became of a `writeConfig`; a write that was not applied changed nothing. */
  protected configWritten(_offset: number, _applied: boolean): void {}

  online(): void {
    this.#chart.send({ type: 'ONLINE' });
  }

  offline(reason: string): void {
    this.downReason = reason;
    this.#chart.send({ type: 'OFFLINE' });
  }

  reply(reply: TransportReply): void {
    this.#chart.send(reply);
  }

  used(queue: number): void {
    const ring = this.rings[queue];
    if (ring === undefined || this.#reaping[queue]) return;
    this.#reaping[queue] = true;
    ring.disableInterrupts();
    this.#reapNext(queue);
  }

  configChanged(status: number): void {
    if ((status & STATUS.DEVICE_NEEDS_RESET) !== 0) this.#chart.send({ type: 'NEEDS_RESET' });
    else if (this.live) this.configurationChanged();
    else this.#configStale = true;
  }

  deliver(step: number, a: number): void {
    if (step >= FIRST_OWN_STEP) return this.work(step, a);
    if (this.live) this.#reap(a);
  }

  /** Reads configuration bytes of a live device; `configRead` is called with them. */
  protected readConfig(offset: number, length: number): void {
    this.#operate({ offset, length, data: null });
  }

  /** Writes configuration bytes of a live device; `configWritten` is called in the end. */
  protected writeConfig(offset: number, data: Uint8Array): void {
    this.#operate({ offset, length: data.length, data });
  }

  /** Tells the device of added chains, unless more come soon or it does not want to know. */
  protected kick(queue: number): void {
    if (this.plugged || this.#reaping[queue] || !this.rings[queue].takeNotify()) return;
    this.notifications++;
    const data = (this.features & F.NOTIFICATION_DATA) !== 0n;
    this.transport.notify(queue, data ? this.rings[queue].nextOffset : 0);
  }

  /** Counts this use of a chain's head; see MilestoneLog for what the count is good for. */
  protected countUse(queue: number, head: number): number {
    return this.#uses[queue][head]++;
  }

  #operate(operation: ConfigOperation): void {
    if (!this.live) return;
    if (this.#operations.push(operation) === 1) this.#beginOperation();
  }

  #beginOperation(): void {
    const { offset, length, data } = this.#operations[0];
    if (data === null) this.transport.getConfig(offset, length);
    else this.transport.setConfig(offset, data);
  }

  #operationOver(reply: TransportReply): void {
    const { offset } = this.#operations.shift()!;
    if (this.#operations.length > 0) this.#beginOperation();
    if (reply.type === 'reply.config') this.configRead(offset, reply.data);
    else this.configWritten(offset, reply.type === 'reply.configSet' && reply.applied);
  }

  #wentLive(): void {
    this.live = true;
    this.downReason = null;
    this.#operations.length = 0;
    this.wentLive(this.#memory + this.#ringBytes());
    if (this.#configStale) this.configurationChanged();
    this.#configStale = false;
  }

  #reapNext(queue: number): void {
    const { cpu, timing } = this.node;
    const ring = this.rings[queue];
    if (!ring.hasUsed && !ring.enableInterrupts()) {
      this.#reaping[queue] = false;
      return this.kick(queue);
    }
    const cost = this.node.charge(timing.ringReap) + this.node.charge(timing.complete);
    cpu.submit(Priority.interrupt, cost, this, STEP_REAP, queue);
  }

  #reap(queue: number): void {
    const ring = this.rings[queue];
    const head = ring.reap();
    if (head === REAP_BROKEN) {
      this.node.violations.report('BAD_DESCRIPTOR', `${this.name}: a used element names no chain`);
      return this.#chart.send({ type: 'NEEDS_RESET' });
    }
    // Left over from before the device was lost and found again.
    if (head === REAP_NONE) return;
    this.completed(queue, head, ring.usedLength, this.#uses[queue][head] - 1);
    if (this.live) this.#reapNext(queue);
  }

  #perform(effect: DriverEffect): void {
    const { transport } = this;
    switch (effect.type) {
      case 'getInfo':
        return transport.getInfo();
      case 'setStatus':
        return transport.setStatus(effect.status);
      case 'getFeatures':
        return transport.getFeatures();
      case 'setFeatures':
        this.features = this.#offered & (this.#traits.features | CORE_FEATURES);
        return transport.setFeatures(this.features);
      case 'getConfig':
        return transport.getConfig(0, this.#traits.configSize);
      case 'getQueue':
        return transport.getQueue(effect.index);
      case 'allocate':
        return transport.allocate(this.#ringBytes() + this.bufferBytes(this.#ringBytes()));
      case 'setQueue':
        return this.#setQueue(effect.index);
      case 'remember':
        return this.#remember(effect.reply);
      case 'plan':
        return this.#chart.send({ type: 'QUEUES', count: this.queuesWanted() });
      case 'operationOver':
        return this.#operationOver(effect.reply);
      case 'live':
        return this.#wentLive();
      case 'down':
        this.live = false;
        this.downReason ??= effect.reason;
        return this.wentDown(this.downReason);
    }
  }

  #remember(reply: TransportReply): void {
    switch (reply.type) {
      case 'reply.info':
        this.info = reply.info;
        return;
      case 'reply.features':
        this.#offered = reply.features;
        return;
      case 'reply.config':
        this.config = new Uint8Array(reply.data);
        return;
      case 'reply.queue':
        this.#queueSizes[reply.index] = this.#queueSize(reply.sizeMax);
        return;
      case 'reply.memory':
        return this.#placeRings(reply.address);
      default:
        assert(false, `${this.name}: nothing to remember of ${reply.type}`);
    }
  }

  /** The size that is wanted, or the largest that the device and the ring's format allow. */
  #queueSize(sizeMax: number): number {
    const size = Math.min(sizeMax, this.#traits.queueSize);
    return this.#has(F.RING_PACKED) ? size : 2 ** Math.floor(Math.log2(size));
  }

  /** Bytes of all rings and their indirect tables, each from a 64-byte line of its own. */
  #ringBytes(): number {
    return this.#queueSizes.reduce((sum, size) => sum + this.#bytesOfRing(size), 0);
  }

  #bytesOfRing(size: number): number {
    return lines(this.#areas(0, size).length) + this.#tableBytes(size);
  }

  #areas(start: number, size: number): RingAreas {
    return this.#has(F.RING_PACKED) ? packedRingAreas(start, size) : splitRingAreas(start, size);
  }

  #tableBytes(size: number): number {
    return this.#has(F.INDIRECT_DESC) ? lines(size * this.#segmentsMax * DESC_SIZE) : 0;
  }

  get #segmentsMax(): number {
    return this.#traits.segmentsMax ?? SEGMENTS_MAX;
  }

  #has(feature: bigint): boolean {
    return (this.features & feature) !== 0n;
  }

  #placeRings(address: number): void {
    this.#memory = address;
    this.#reaping.length = 0;
    let at = address;
    this.rings = this.#queueSizes.map((size) => {
      const ring = this.#makeRing(at, size);
      at += this.#bytesOfRing(size);
      return ring;
    });
    // A packed ring's chains are named by buffer ids, which are below the size as well.
    this.#uses = this.#queueSizes.map((size) => new Int32Array(size));
  }

  #makeRing(start: number, size: number): DriverRing {
    const table = start + lines(this.#areas(0, size).length);
    const indirect = this.#has(F.INDIRECT_DESC)
      ? {
          address: table,
          busAddress: this.transport.busAddress(table),
          segmentsMax: this.#segmentsMax,
        }
      : null;
    const options = { eventIndex: this.#has(F.EVENT_IDX), indirect };
    return this.#has(F.RING_PACKED)
      ? new PackedDriverRing(this.node.memory, start, size, options)
      : new SplitDriverRing(this.node.memory, start, size, options);
  }

  #setQueue(index: number): void {
    const { areas, size } = this.rings[index];
    this.transport.setQueue({
      index,
      size,
      descriptorArea: this.transport.busAddress(areas.descriptor),
      driverArea: this.transport.busAddress(areas.driver),
      deviceArea: this.transport.busAddress(areas.device),
    });
  }
}

function lines(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
