// What all virtio devices share: the status register and its chart, feature negotiation, configuration
// space with its generation, and the queues. A device adds what it does with a chain.
import type {
  AdminService,
  DeviceInfo,
  DeviceModel,
  DevicePlan,
  DeviceTransport,
  DmaPort,
  QueueSetup,
  Statistics,
  WithOptions,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { F, QUEUE_SIZE_MAX, STATUS } from '../../platform/virtio/index.ts';
import { Administration } from './administration.ts';
import type { Chain } from './chain.ts';
import { type DeviceEffect, type DeviceEvent, deviceChart } from './device-chart.ts';
import { type FetchPlan, fetchPlan } from './fetch.ts';
import { type CommonOptions, ringFeatures } from './options.ts';
import { QueueEngine, type QueueOwner } from './queue-engine.ts';

/** 'BUSB', little-endian: the vendor that GET_DEVICE_INFO reports. */
export const VENDOR_ID = 0x42535542;

/** What a kind of device says of itself to the shared part. */
export interface DeviceTraits {
  readonly deviceId: number;
  /** Feature bits of its own, besides those every device here offers and those of its rings. */
  readonly features: bigint;
  /** Those of them that a driver must take. */
  readonly requiredFeatures?: bigint;
  readonly config: Uint8Array;
  readonly queueSizes: readonly number[];
}

/** What a device knows of its entry in the scenario. */
export type DeviceEntry = WithOptions<Pick<DevicePlan, 'name' | 'index'>, CommonOptions>;

/** Status bits that the driver sets, lowest step first, with the event each stands for. */
const STEPS = [
  { bit: STATUS.ACKNOWLEDGE, event: { type: 'ACKNOWLEDGE' } },
  { bit: STATUS.DRIVER, event: { type: 'DRIVER' } },
  { bit: STATUS.FEATURES_OK, event: null },
  { bit: STATUS.DRIVER_OK, event: { type: 'DRIVER_OK' } },
  { bit: STATUS.SUSPEND, event: null },
  { bit: STATUS.FAILED, event: { type: 'FAILED' } },
] as const satisfies readonly { bit: number; event: DeviceEvent | null }[];

export abstract class VirtioDevice implements DeviceModel, QueueOwner {
  readonly node: Node;
  readonly name: string;
  readonly index: number;
  readonly info: DeviceInfo;
  readonly features: bigint;
  readonly fetch: FetchPlan;
  readonly config: Uint8Array;
  status = 0;
  configGeneration = 0;
  driverFeatures = 0n;
  /** The driver suspends the device, or has suspended it: chains that it keeps stay where they are. */
  pausing = false;
  protected readonly queues: readonly QueueEngine[];
  readonly #requiredFeatures: bigint;
  readonly #queueSizes: readonly number[];
  readonly #chart: Chart<unknown, DeviceEvent>;
  readonly #administration: Administration;
  #transport: DeviceTransport | null = null;
  #stepBit = 0;
  /** The configuration as it was when the device was suspended: it does not change until it is resumed. */
  #frozenConfig: Uint8Array | null = null;
  /** Bytes of which the driver is to be told when it resumes the device: from, to. */
  #unheard: readonly [from: number, to: number] | null = null;
  #suspensions = 0;

  constructor(node: Node, plan: DeviceEntry, traits: DeviceTraits) {
    this.node = node;
    this.name = plan.name;
    this.index = plan.index;
    const { resetTime, needsReset, fetch } = plan.options;
    this.fetch = fetchPlan(node.costs, fetch);
    this.features = traits.features | ringFeatures(plan.options) | F.VERSION_1 | F.ACCESS_PLATFORM;
    this.#requiredFeatures = F.VERSION_1 | F.ACCESS_PLATFORM | (traits.requiredFeatures ?? 0n);
    this.config = traits.config;
    this.#queueSizes = traits.queueSizes;
    this.info = infoOf(traits, plan.options.adminQueues);
    this.#chart = node.charts.start(deviceChart, {
      name: `${plan.name}.device`,
      input: { resetTime },
      perform: (effect: DeviceEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    this.queues = traits.queueSizes.map((_, index) => new QueueEngine(this, index));
    const { adminStart: start, adminCount: count } = this.info;
    this.#administration = new Administration({
      device: this,
      start,
      count,
      broken: () => this.needsReset(),
    });
    this.#scheduleFailures(needsReset);
  }

  /** Serves a chain; in the end the device calls `queue.complete`. */
  protected abstract serve(queue: QueueEngine, chain: Chain): void;
  /** Forgets the requests of a queue that are under way: it was reset. */
  protected abstract forget(queue: QueueEngine): void;
  /**
   * Chains of a queue that wait for something to happen outside. A device that is suspended keeps them; it
   * says `settle` when it has put one aside other than by `serve`.
   */
  keeps(_queue: QueueEngine): number {
    return 0;
  }
  /** The device, which was suspended, may use again what it keeps. */
  protected resumed(): void {}
  /** Undoes what the driver has done to the device, which has been reset. */
  protected wasReset(): void {}

  get dma(): DmaPort {
    assert(this.#transport !== null, 'the device is not connected');
    return this.#transport.dma;
  }

  /** What the model has to tell of itself; a device with more adds it. */
  statistics(): Statistics {
    const administers = this.info.adminCount > 0;
    const suspends = (this.features & F.SUSPEND) !== 0n;
    return {
      ...(administers && { adminCommands: this.#administration.executed }),
      ...(suspends && { suspensions: this.#suspensions }),
    };
  }

  /** DMA reads of all its queues by what they were for. */
  reads(): Statistics {
    const engines = [...this.queues, ...this.#administration.engines];
    const sum: Record<string, number> = {};
    for (const { reads } of engines) {
      for (const [what, count] of Object.entries(reads)) sum[what] = (sum[what] ?? 0) + count;
    }
    return sum;
  }

  connect(transport: DeviceTransport): void {
    this.#transport = transport;
  }

  setDriverFeatures(features: bigint): void {
    // virtio 1.4 §2.2.2: features can't change once FEATURES_OK has stuck.
    if ((this.status & STATUS.FEATURES_OK) !== 0) {
      this.node.violations.report(
        'ILLEGAL_STEP',
        `${this.name}: features written after FEATURES_OK`,
      );
      return;
    }
    this.driverFeatures = features;
  }

  setStatus(status: number): number {
    if (status === 0) {
      this.#chart.send({ type: 'RESET' });
      return this.status;
    }
    // Resuming a device clears SUSPEND, which the driver writes as it has read it.
    const before = this.status;
    for (const { bit, event } of STEPS) {
      if ((status & bit) === 0 || (before & bit) !== 0) continue;
      this.#stepBit = bit;
      this.#chart.send(event ?? this.#conditional(bit));
    }
    return this.status;
  }

  readConfig(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
    const config = this.#frozenConfig ?? this.config;
    for (let i = 0; i < length; i++) target[targetOffset + i] = config[offset + i] ?? 0;
  }

  writeConfig(offset: number, source: Uint8Array): boolean {
    // virtio 1.4 §3.4.2: writes to a suspended device are ignored.
    return this.#frozenConfig === null && this.configWritten(offset, source);
  }

  /** The driver writes to the configuration; false if it may not. Most devices have nothing for it. */
  protected configWritten(_offset: number, _source: Uint8Array): boolean {
    return false;
  }

  queueSizeMax(index: number): number {
    return this.#queueSizes[index] ?? this.#administration.sizeMax(index);
  }

  queueSetup(index: number): QueueSetup | null {
    return this.#engineOf(index)?.setup ?? null;
  }

  setQueue(setup: QueueSetup): void {
    const { index, size } = setup;
    const packed = (this.driverFeatures & F.RING_PACKED) !== 0n;
    const powerOfTwo = size > 0 && (size & (size - 1)) === 0;
    const formatAllows = size > 0 && size <= QUEUE_SIZE_MAX && (packed || powerOfTwo);
    if (size > this.queueSizeMax(index) || !formatAllows) {
      this.node.violations.report('ILLEGAL_STEP', `${this.name}: queue ${index} of size ${size}`);
      return;
    }
    // A live device serves the queue from now on: one set up late, or anew after it was reset.
    const queue = this.#engineOf(index)!;
    const live = this.#chart.matches('driverOk');
    if (live) this.#stop(queue);
    queue.setup = setup;
    if (live) queue.start();
  }

  resetQueue(index: number): void {
    const queue = this.#engineOf(index);
    if (queue === undefined) return;
    this.#stop(queue);
    queue.setup = null;
    this.queueQuiet();
  }

  serveAdminQueue(setup: QueueSetup | null, service: AdminService): void {
    this.#administration.serve(setup, service);
  }

  available(queue: number): void {
    const engine = this.#engineOf(queue);
    if (engine === undefined) {
      this.node.violations.report('BAD_REQUEST', `${this.name}: notification of queue ${queue}`);
      return;
    }
    engine.available();
  }

  accept(queue: QueueEngine, chain: Chain): void {
    this.serve(queue, chain);
  }

  queueBroken(): void {
    this.needsReset();
  }

  queueQuiet(): void {
    if (!this.#chart.matches('suspending') || !this.#administration.quiet) return;
    if (this.queues.every((queue) => queue.quiet)) this.#chart.send({ type: 'QUIET' });
  }

  /** While it is being suspended: chains of this queue were put aside. */
  protected settle(queue: QueueEngine): void {
    queue.settle();
  }

  /** The device cannot go on; requests under way are lost (§2.1.2). */
  protected needsReset(): void {
    this.#chart.send({ type: 'ERROR' });
  }

  /** The device has changed these bytes of its configuration: a new generation, and the driver is told. */
  protected configChanged(offset: number, length: number): void {
    if (this.#frozenConfig !== null) {
      const [from, to] = this.#unheard ?? [Infinity, 0];
      this.#unheard = [Math.min(from, offset), Math.max(to, offset + length)];
      return;
    }
    this.configGeneration = (this.configGeneration + 1) >>> 0;
    if ((this.status & STATUS.DRIVER) !== 0) this.#transport!.notifyConfig(offset, length);
  }

  notifyUsed(queue: number): void {
    this.#transport!.notifyUsed(queue);
  }

  /** The event of a status bit whose meaning depends on more than the status. */
  #conditional(bit: number): DeviceEvent {
    if (bit === STATUS.FEATURES_OK) return { type: 'FEATURES_OK', acceptable: this.#acceptable() };
    return { type: 'SUSPEND', negotiated: (this.driverFeatures & F.SUSPEND) !== 0n };
  }

  /** The driver must have asked for no more than was offered, and for what it must take. */
  #acceptable(): boolean {
    const required = this.#requiredFeatures;
    return (
      (this.driverFeatures & ~this.features) === 0n && (this.driverFeatures & required) === required
    );
  }

  #perform(effect: DeviceEffect): void {
    switch (effect.type) {
      case 'accepted':
        this.status |= this.#stepBit;
        return;
      case 'refused':
        return this.node.violations.report(
          'ILLEGAL_STEP',
          `${this.name}: ${effect.event} while status is 0x${this.status.toString(16)}`,
        );
      case 'start':
        for (const queue of this.queues) queue.start();
        return this.#administration.start();
      case 'halt':
        return this.#halt();
      case 'reset':
        return this.#reset();
      case 'quiesce':
        this.pausing = true;
        for (const queue of this.queues) queue.pause();
        this.#administration.pause();
        return this.queueQuiet();
      case 'suspended':
        this.status = (this.status | STATUS.SUSPEND) & ~STATUS.DRIVER_OK;
        this.#frozenConfig = this.config.slice();
        this.#suspensions++;
        return;
      case 'resume':
        return this.#resume();
      case 'needsReset':
        this.#fail();
        return this.#transport!.notifyConfig();
      case 'needsResetUnheard':
        return this.#fail();
    }
  }

  #resume(): void {
    this.status &= ~STATUS.SUSPEND;
    this.pausing = false;
    this.#frozenConfig = null;
    for (const queue of this.queues) queue.resume();
    this.#administration.resume();
    this.resumed();
    if (this.#unheard === null) return;
    const [from, to] = this.#unheard;
    this.#unheard = null;
    this.configChanged(from, to - from);
  }

  #fail(): void {
    this.pausing = false;
    this.status |= STATUS.DEVICE_NEEDS_RESET;
    for (const queue of this.queues) this.#stop(queue);
    this.#administration.stopAll();
  }

  #engineOf(index: number): QueueEngine | undefined {
    return this.queues[index] ?? this.#administration.engineOf(index);
  }

  #stop(queue: QueueEngine): void {
    if (this.queues[queue.index] !== queue) return this.#administration.stop(queue);
    queue.stop();
    this.forget(queue);
  }

  #halt(): void {
    this.pausing = false;
    for (const queue of this.queues) {
      this.#stop(queue);
      queue.setup = null;
    }
    this.#administration.reset();
  }

  #reset(): void {
    this.#halt();
    this.status = 0;
    this.#frozenConfig = null;
    this.#unheard = null;
    this.driverFeatures = 0n;
    this.wasReset();
  }

  /** Failures that the scenario has planned. */
  #scheduleFailures(instants: readonly number[]): void {
    if (instants.length === 0) return;
    const id = this.node.add({ deliver: () => this.needsReset() });
    for (const at of instants) this.node.kernel.schedule(id, at, 0);
  }
}

/** Administration virtqueues come behind all others. */
function infoOf({ deviceId, config, queueSizes }: DeviceTraits, adminQueues: number): DeviceInfo {
  return {
    deviceId,
    vendorId: VENDOR_ID,
    featureBlocks: 2,
    configSize: config.length,
    queuesMax: queueSizes.length + adminQueues,
    adminStart: adminQueues === 0 ? 0 : queueSizes.length,
    adminCount: adminQueues,
  };
}
