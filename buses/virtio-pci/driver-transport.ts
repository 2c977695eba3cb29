// virtio over PCI, driver side: one device's transport. It takes the function into use, runs operations as
// scripts of register accesses, and hears of the device by interrupts.
import type {
  DevicePlan,
  DriverTransport,
  QueueSetup,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import { type CpuClient, InterruptLine, type Node, Priority } from '../../platform/node/index.ts';
import {
  AccessRunner,
  type BarWindow,
  FunctionProbe,
  type PciePath,
  type ProbedFunction,
  pcieTimingIds,
  type RootPort,
  type Script,
} from '../../platform/pcie/index.ts';
import { writeU16, writeU32 } from '../../platform/wire/index.ts';
import type { HostPages } from '../common/index.ts';
import { mmioTimingIds } from '../virtio-mmio/index.ts';
import { DriverScripts, structuresOf } from './driver-scripts.ts';
import type { VirtioPciOptions } from './options.ts';
import { DEVICE_ID_BASE, ISR, VENDOR_ID } from './structures.ts';

/** Vectors: the configuration's, then one for each queue. */
const CONFIG_VECTOR = 0;
const FIRST_QUEUE_VECTOR = 1;

export interface VirtioPciDriverOptions {
  readonly node: Node;
  readonly plan: DevicePlan;
  readonly options: VirtioPciOptions;
  readonly path: PciePath;
  readonly port: RootPort;
  readonly pages: HostPages;
  readonly window: BarWindow;
}

export class VirtioPciDriver implements DriverTransport, CpuClient {
  readonly lines: InterruptLine[] = [];
  notifications = 0;
  readonly #options: VirtioPciDriverOptions;
  readonly #probe: FunctionProbe;
  readonly #runner: AccessRunner;
  /** Constant: a posted store, or an ioeventfd. */
  readonly #notifyCost: number;
  readonly #doorbell = new Uint8Array(4);
  /** Queues that have been set up. */
  readonly #queues = new Set<number>();
  #listener: TransportListener | null = null;
  #scripts: DriverScripts | null = null;
  #firstVector = -1;
  #wasReset = false;
  #allocating = false;

  constructor(options: VirtioPciDriverOptions) {
    this.#options = options;
    const { node, plan, path, port, window } = options;
    const { interrupts } = options.options;
    this.#runner = new AccessRunner(node, port);
    const { emulated } = options.options;
    this.#notifyCost = emulated
      ? mmioTimingIds(node.costs).kernelExit
      : pcieTimingIds(node.costs).coreAccess;
    this.#probe = new FunctionProbe({
      node,
      name: plan.name,
      port,
      path,
      window,
      functionId: plan.number,
      interrupts,
      vectors: (count) => this.#addVectors(count),
      accepts: ({ vendorId, deviceId }) => vendorId === VENDOR_ID && deviceId > DEVICE_ID_BASE,
      ready: (found) => this.#ready(found),
      absent: () => this.#absent(),
    });
    if (interrupts === 'intx') this.#addLine();
  }

  /** Looks for the function. */
  start(): void {
    this.#probe.start();
  }

  connect(listener: TransportListener): void {
    this.#listener = listener;
  }

  getInfo(): void {
    this.#run((scripts) => scripts.getInfo());
  }

  getFeatures(): void {
    this.#run((scripts) => scripts.getFeatures());
  }

  setFeatures(features: bigint): void {
    this.#run((scripts) => scripts.setFeatures(features));
  }

  getStatus(): void {
    this.#run((scripts) => scripts.getStatus());
  }

  setStatus(status: number): void {
    if (status === 0) this.#queues.clear();
    this.#run((scripts) => scripts.setStatus(status));
  }

  getConfig(offset: number, length: number): void {
    this.#run((scripts) => scripts.getConfig(offset, length));
  }

  setConfig(offset: number, data: Uint8Array): void {
    this.#run((scripts) => scripts.setConfig(offset, data));
  }

  getQueue(index: number): void {
    this.#run((scripts) => scripts.getQueue(index));
  }

  setQueue(setup: QueueSetup): void {
    this.#queues.add(setup.index);
    const vector = this.#firstVector < 0 ? null : FIRST_QUEUE_VECTOR + setup.index;
    this.#run((scripts) => this.#setUpQueue(scripts, setup, vector));
  }

  resetQueue(index: number): void {
    this.#queues.delete(index);
    this.#run((scripts) => scripts.resetQueue(index));
  }

  allocate(length: number): void {
    this.#allocating = true;
    this.#options.pages.allocate(this.#options.plan.number, this, length);
  }

  /** Memory asked for by `allocate` is there. */
  allocated(address: number, reason: string | null): void {
    if (!this.#allocating) return;
    this.#allocating = false;
    if (reason === null) this.#listener!.reply({ type: 'reply.memory', address });
    else this.#listener!.reply({ type: 'reply.failed', reason });
  }

  busAddress(address: number): number {
    const mapped = this.#options.pages.busAddress(address);
    assert(mapped >= 0, 'a bus address was asked for memory that the device may not reach');
    return mapped;
  }

  notify(queue: number, next: number): void {
    const { node } = this.#options;
    const cost = node.charge(this.#notifyCost);
    node.cpu.submit(Priority.task, cost, this, 0, queue, next);
  }

  /** The core has come to the notification. */
  deliver(_kind: number, queue: number, next: number): void {
    if (this.#scripts === null) return;
    this.notifications++;
    const address = this.#scripts.notifyAddress(queue);
    // §4.1.5.2: the queue alone, or with NOTIFICATION_DATA how far the ring is above it.
    if (next === 0) writeU16(this.#doorbell, 0, queue);
    else writeU32(this.#doorbell, 0, queue + upperHalf(next) * 2 ** 16);
    this.#options.port.store(address, this.#doorbell, 0, next === 0 ? 2 : 4);
  }

  /** The card went or came. */
  linkChanged(isUp: boolean): void {
    this.#probe.linkChanged(isUp);
  }

  /** Runs an operation; its reply is the listener's. */
  #run(operation: (scripts: DriverScripts) => Script<TransportReply>): void {
    const scripts = this.#scripts;
    if (scripts === null) {
      return this.#listener!.reply({ type: 'reply.failed', reason: 'there is no function' });
    }
    this.#runner.run(this.#options.plan.number, operation(scripts), (reply) => {
      this.#listener!.reply(reply);
    });
  }

  /** The configuration's vector is set with the first queue's: a reset has taken it away. */
  *#setUpQueue(
    scripts: DriverScripts,
    setup: QueueSetup,
    vector: number | null,
  ): Script<TransportReply> {
    if (vector !== null && setup.index === 0) {
      const granted = yield* scripts.setConfigVector(CONFIG_VECTOR);
      if (!granted) return { type: 'reply.failed', reason: 'no vector for the configuration' };
    }
    return yield* scripts.setQueue(setup, vector);
  }

  #addVectors(count: number): number {
    if (this.#firstVector >= 0) return this.#firstVector;
    const { node, port } = this.#options;
    for (let i = 0; i < count; i++) {
      this.lines.push(new InterruptLine(node, () => this.#vectorRaised(i)));
    }
    this.#firstVector = port.addVectors(count, (i) => this.lines[i].raise());
    return this.#firstVector;
  }

  #addLine(): void {
    const { node, port, plan } = this.#options;
    const line = new InterruptLine(node, () => this.#lineRaised());
    this.lines.push(line);
    port.setLine(plan.number, () => line.raise());
  }

  #vectorRaised(vector: number): void {
    if (vector === CONFIG_VECTOR) this.#configChanged();
    else this.#listener!.used(vector - FIRST_QUEUE_VECTOR);
  }

  /** INTx says neither why nor of which queue. */
  #lineRaised(): void {
    if (this.#scripts === null) return;
    this.#runner.run(this.#options.plan.number, this.#scripts.readIsr(), (isr) => {
      if ((isr & ISR.CONFIG) !== 0) this.#configChanged();
      if ((isr & ISR.QUEUE) === 0) return;
      for (const queue of this.#queues) this.#listener!.used(queue);
    });
  }

  #configChanged(): void {
    if (this.#scripts === null) return;
    this.#runner.run(this.#options.plan.number, this.#scripts.readStatus(), (status) => {
      this.#listener!.configChanged(status);
    });
  }

  #ready(found: ProbedFunction): void {
    if (this.#options.options.functionReset && !this.#wasReset) {
      this.#wasReset = true;
      return this.#probe.reset();
    }
    const structures = structuresOf(found);
    if (structures === null) {
      return this.#listener!.offline('the function lacks a structure of virtio');
    }
    this.#scripts = new DriverScripts(structures, found);
    this.#listener!.online();
  }

  #absent(): void {
    this.#scripts = null;
    this.#queues.clear();
    this.#options.pages.release(this.#options.plan.number);
    const { plan, port } = this.#options;
    this.#listener!.offline(
      port.linkUp ? `there is no function ${plan.number}` : 'the card was pulled out',
    );
  }
}

/** The upper half of a notification: 15 bits of the offset, and the wrap counter. */
function upperHalf(next: number): number {
  return (next & 0x7fff) + (next >= 2 ** 31 ? 0x8000 : 0);
}
