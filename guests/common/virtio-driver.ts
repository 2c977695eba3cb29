// What all virtio drivers share: bringing the device up, memory for rings and buffers, notification,
// and reaping used buffers on interrupt. A driver adds what a request is.
import type {
  Driver,
  DriverEnvironment,
  DriverTransport,
  QueueSetup,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, Priority } from '../../platform/node/index.ts';
import { type DriverRing, F, STATUS } from '../../platform/virtio/index.ts';
import { planDisturbances } from './disturbances.ts';
import { driverChart } from './driver-chart.ts';
import { DriverControl } from './driver-control.ts';
import { ASKING_EFFECTS, type DriverEffect, type DriverEvent } from './driver-events.ts';
import { chartInput, type DriverTraits, FIRST_OWN_STEP } from './driver-hooks.ts';
import { DriverQueues } from './driver-queues.ts';
import { agreeableFeatures } from './features.ts';
import { type LiveOperation, LiveOperations } from './live-operations.ts';
import { QueueRestarts } from './queue-restarts.ts';
import { Reaper } from './reaper.ts';
import { SEGMENTS_DEFAULT } from './ring-set.ts';

const STEP_REPEAT = 0;

export abstract class VirtioDriver
  extends DriverControl
  implements Driver, TransportListener, CpuClient
{
  readonly name: string;
  readonly index: number;
  protected readonly transport: DriverTransport;
  /** When the scenario plugs the device in. */
  readonly #comesAt: number;
  readonly #chart: Chart<unknown, DriverEvent>;
  readonly #queues: DriverQueues;
  readonly #reaper: Reaper;
  readonly #operations: LiveOperations;
  #offered = 0n;
  /** The transport has been asked for something and has not replied. */
  #busy = false;
  /** The configuration changed before the driver was live. */
  #configStale = false;
  /** Nothing has come back since the last recovery. */
  #unproven = false;
  protected readonly restarts = new QueueRestarts();
  /** Counts the times that the device was lost or reset, from 1. */
  #life = 1;

  constructor({ node, plan, transport }: DriverEnvironment, traits: DriverTraits) {
    super(node, traits);
    this.name = plan.name;
    this.index = plan.index;
    this.transport = transport;
    this.#comesAt = plan.addAt ?? 0;
    this.#queues = new DriverQueues({
      node,
      name: plan.name,
      transport,
      costs: this.ringCosts,
      segmentsMax: traits.segmentsMax ?? SEGMENTS_DEFAULT,
      keepsChains: traits.repeatsChains !== true,
    });
    this.#operations = this.#liveOperations();
    this.#reaper = this.#makeReaper();
    transport.connect(this);
    this.#chart = node.charts.start(driverChart, {
      name: `${plan.name}.driver`,
      input: chartInput(traits),
      perform: (effect: DriverEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    planDisturbances(this.node, plan, {
      resetQueue: (queue) => this.restartQueue(queue),
      suspend: (time) => this.suspendDevice(time),
    });
  }

  get state(): string {
    return this.#chart.state;
  }

  /** Opcodes of administration commands that device and driver agreed on; empty without ADMIN_VQ. */
  get adminCommands(): readonly number[] {
    return this.#queues.admin.commands;
  }

  protected get rings(): readonly DriverRing[] {
    return this.#queues.own.rings;
  }

  online(): void {
    this.#chart.send({ type: 'ONLINE' });
  }

  offline(reason: string): void {
    // A device that is still to come is not lost.
    if (this.node.kernel.now < this.#comesAt) return;
    this.downReason = reason;
    // The bus has taken back what it shared.
    this.#queues.forgetMemory();
    this.#chart.send({ type: 'OFFLINE' });
  }

  away(reason: string): void {
    if (this.node.kernel.now < this.#comesAt) return;
    this.downReason = reason;
    this.#busy = false;
    this.#chart.send({ type: 'AWAY' });
  }

  reply(reply: TransportReply): void {
    this.#busy = false;
    this.#chart.send(reply);
  }

  used(queue: number): void {
    const { admin } = this.#queues;
    if (queue === admin.queue) return admin.used();
    if (this.live) this.#reaper.used(queue);
  }

  configChanged(status: number, offset = 0, length = 0): void {
    if ((status & STATUS.DEVICE_NEEDS_RESET) !== 0) this.recover();
    else if (!this.live) this.#configStale = true;
    else {
      this.configurationChanged(offset, length);
      this.reportConfigChanged();
    }
  }

  deliver(step: number, a: number, epoch: number): void {
    if (step >= FIRST_OWN_STEP) {
      if (epoch === 0 || epoch === this.#life) this.work(step, a);
      return;
    }
    if (this.live && epoch === this.#queues.own.epochOf(a)) this.#repeat(a);
  }

  protected override operate(operation: LiveOperation): boolean {
    if (this.live) this.#operations.add(operation);
    return this.live;
  }

  protected override restartQueue(queue: number): boolean {
    const possible = (this.features & F.RING_RESET) !== 0n && queue < this.rings.length;
    return possible && this.operate({ type: 'resetQueue', queue });
  }

  /** Makes the chain built on a queue's ring available, with a tag for `tagOf`; returns its name. */
  protected commit(queue: number, tag: number): number {
    return this.#queues.own.commit(queue, tag);
  }

  /** What a chain was tagged with. */
  protected tagOf(queue: number, head: number): number {
    return this.#queues.own.tagOf(queue, head);
  }

  /** Has the CPU work for the driver: `work` is called then, unless the device was lost or reset. */
  protected later(step: number, cost: number, a = 0, priority: Priority = Priority.task): void {
    this.node.cpu.submit(priority, cost, this, step, a, this.#life);
  }

  /** Resets the device and goes on with it, as often as it may, or gives up. */
  protected recover(): void {
    this.#chart.send({ type: 'NEEDS_RESET', busy: this.#busy });
  }

  protected override restart(): void {
    this.#chart.send({ type: 'RESTART', busy: this.#busy });
  }

  /** Tells the device of added chains, unless more come soon or it does not want to know. */
  protected kick(queue: number): void {
    if (this.suspended || this.pluggedQueue(queue) || this.#reaper.isBusy(queue)) return;
    if (this.restarts.isStopped(queue)) return;
    if (this.#reaper.paysFirst(queue) || !this.rings[queue].takeNotify()) return;
    this.notifications++;
    const data = (this.features & F.NOTIFICATION_DATA) !== 0n;
    this.transport.notify(queue, data ? this.rings[queue].nextOffset : 0);
  }

  /** Counts this use of a chain's head; see MilestoneLog for what the count is good for. */
  protected countUse(queue: number, head: number): number {
    return this.#queues.own.countUse(queue, head);
  }

  #liveOperations(): LiveOperations {
    return new LiveOperations({
      node: this.node,
      name: this.name,
      transport: this.transport,
      asking: () => (this.#busy = true),
      configRead: (offset, data) => this.configRead(offset, data),
      configWritten: (offset, applied) => this.configWritten(offset, applied),
      queueStopped: (queue) => {
        this.restarts.stop(queue);
        this.queueStopped(queue);
      },
      remake: (queue) => this.#remake(queue),
      queueRestarted: (queue) => this.#restarted(queue),
      suspending: () => {
        this.suspended = true;
        this.#queues.hold();
      },
      resumed: () => {
        this.suspended = false;
        this.#queues.release();
        for (const queue of this.rings.keys()) this.kick(queue);
      },
      refused: () => this.recover(),
    });
  }

  #makeReaper(): Reaper {
    return new Reaper({
      node: this.node,
      name: this.name,
      costs: this.ringCosts,
      mapping: () => this.transport.mapping ?? null,
      isLive: () => this.live,
      ringOf: (queue) => this.rings[queue],
      epochOf: (queue) => this.#queues.own.epochOf(queue),
      coreOf: (queue) => this.coreOf(queue),
      reaped: (queue, head) => this.#completed(queue, head),
      settled: (queue) => this.kick(queue),
      broken: () => this.recover(),
    });
  }

  #wentLive(): void {
    this.live = true;
    this.downReason = null;
    this.wentLive(this.#queues.end);
    this.#queues.admin.begin();
    if (this.#configStale) this.configurationChanged(0, 0);
    this.#configStale = false;
    this.reportLive();
  }

  /** The device does what it should again. */
  protected proven(): void {
    if (!this.#unproven) return;
    this.#unproven = false;
    this.#chart.send({ type: 'PROGRESS' });
  }

  #completed(queue: number, head: number): void {
    this.proven();
    const { usedLength } = this.rings[queue];
    this.completed(queue, head, usedLength, this.#queues.own.lastUse(queue, head));
  }

  /** The device has let go of a queue: takes what it has returned, and makes the ring anew. */
  #remake(queue: number): QueueSetup {
    const ring = this.rings[queue];
    for (let head = ring.reap(); head >= 0; head = ring.reap()) this.#completed(queue, head);
    this.restarts.repeats = this.#queues.own.remake(queue);
    this.#reaper.forget(queue);
    return this.#queues.own.setup(queue);
  }

  /** A queue is in use again: what was on its old ring goes to the new one. */
  #restarted(queue: number): void {
    const { length } = this.restarts.repeats;
    if (length === 0) return this.#repeat(queue);
    const { cpu } = this.node;
    const cost = this.ringCosts.add(length);
    cpu.submit(Priority.task, cost, this, STEP_REPEAT, queue, this.#queues.own.epochOf(queue));
  }

  #repeat(queue: number): void {
    const { repeats } = this.restarts;
    for (const chain of repeats) this.countUse(queue, this.#queues.own.repeat(queue, chain));
    const parked = this.restarts.end(queue);
    this.queueRestarted(queue);
    for (const { step, a } of parked) this.work(step, a);
    this.kick(queue);
    this.reportRestarted(queue);
  }

  #perform(effect: DriverEffect): void {
    const { transport } = this;
    if (ASKING_EFFECTS.has(effect.type)) this.#busy = true;
    switch (effect.type) {
      case 'getInfo':
        return transport.getInfo();
      case 'setStatus':
        return transport.setStatus(effect.status);
      case 'getFeatures':
        if (this.#unproven) this.released();
        return transport.getFeatures();
      case 'setFeatures':
        this.features = agreeableFeatures(this.#offered, this.traits, transport);
        this.#queues.plan(this.features);
        return transport.setFeatures(this.features);
      case 'getConfig':
        return transport.getConfig(0, Math.min(this.configWanted(), this.info!.configSize));
      case 'getRegion':
        return transport.getRegion(this.traits.shmid!);
      case 'getQueue':
        return transport.getQueue(this.#queues.indexAt(effect.index));
      case 'allocate':
        return this.#allocate();
      case 'setQueue':
        return transport.setQueue(this.#queues.setupAt(effect.index));
      case 'remember':
        return this.#remember(effect.reply);
      case 'plan':
        return this.#planQueues();
      case 'operationOver':
        return this.#operations.reply(effect.reply);
      case 'live':
        return this.#wentLive();
      case 'needsReset':
        return this.recover();
      case 'recover':
        this.#stop();
        this.recoveries++;
        this.#unproven = true;
        this.reportInterrupted();
        return this.interrupted();
      case 'down':
        this.#stop();
        this.downReason ??= effect.reason;
        this.reportDown(this.downReason);
        return this.wentDown(this.downReason);
    }
  }

  /** What was under way with the device is over, one way or another. */
  #stop(): void {
    this.live = false;
    this.suspended = false;
    this.#life++;
    this.#operations.clear();
    this.#queues.admin.stop();
    this.restarts.clear();
  }

  #planQueues(): void {
    const count = this.#queues.planCount(this.queuesWanted(), this.info!);
    if (count !== null) return this.#chart.send({ type: 'QUEUES', count });
    this.#busy = true;
    this.transport.getInfo();
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
      case 'reply.region':
        this.region = reply;
        return;
      case 'reply.queue':
        return this.#queues.sized(reply.index, reply.sizeMax);
      case 'reply.memory':
        this.#reaper.clear();
        return this.#queues.place(reply.address);
      default:
        assert(false, `${this.name}: nothing to remember of ${reply.type}`);
    }
  }

  /** Memory for rings and buffers; what there is from before a reset will do. */
  #allocate(): void {
    const rings = this.#queues.bytes;
    const { sizes } = this.#queues.own;
    const length = rings + this.bufferBytes(rings, sizes);
    const address = this.#queues.memoryOf(length);
    if (address !== null) return this.reply({ type: 'reply.memory', address });
    this.transport.allocate(length, rings + this.commonBytes(rings, sizes));
  }
}
