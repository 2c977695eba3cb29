// virtio over PCI, driver side: one device's transport. It runs operations as scripts of register accesses,
// and hears of the device by interrupts.
import type {
  DriverTransport,
  QueueSetup,
  TransportReply,
} from '../../platform/contracts/index.ts';
import type { ProbedFunction, Script } from '../../platform/pcie/index.ts';
import { F } from '../../platform/virtio/index.ts';
import { DriverScripts, structuresOf } from './driver-scripts.ts';
import { FunctionTransport } from './function-transport.ts';
import { DEVICE_ID_BASE, ISR, VENDOR_ID } from './structures.ts';

/** Vectors: the configuration's, then one for each queue. */
const CONFIG_VECTOR = 0;
const FIRST_QUEUE_VECTOR = 1;

export class VirtioPciDriver extends FunctionTransport implements DriverTransport {
  readonly impossible = 0n;
  /** Queues that have been set up. */
  readonly #queues = new Set<number>();
  #scripts: DriverScripts | null = null;

  getInfo(): void {
    this.#run((scripts) => scripts.getInfo());
  }

  getFeatures(): void {
    this.#run((scripts) => scripts.getFeatures());
  }

  setFeatures(features: bigint): void {
    this.tellsNext = (features & F.NOTIFICATION_DATA) !== 0n;
    this.#run((scripts) => scripts.setFeatures(features));
  }

  getStatus(): void {
    this.#run((scripts) => scripts.getStatus());
  }

  setStatus(status: number): void {
    if (status === 0) {
      this.#queues.clear();
      this.unmapRegions();
    }
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
    const vector = this.firstVector < 0 ? null : FIRST_QUEUE_VECTOR + setup.index;
    this.#run((scripts) => this.#setUpQueue(scripts, setup, vector));
  }

  resetQueue(index: number): void {
    this.#queues.delete(index);
    this.#run((scripts) => scripts.resetQueue(index));
  }

  protected override accepts(vendorId: number, deviceId: number): boolean {
    return vendorId === VENDOR_ID && deviceId > DEVICE_ID_BASE;
  }

  protected override functionReady(found: ProbedFunction): string | null {
    const structures = structuresOf(found);
    if (structures === null) return 'the function lacks a structure of virtio';
    this.#scripts = new DriverScripts(structures, found);
    this.listener!.online();
    return null;
  }

  protected override functionLost(): boolean {
    const wasThere = this.#scripts !== null;
    this.#scripts = null;
    this.#queues.clear();
    return wasThere;
  }

  protected override vectorRaised(vector: number): void {
    if (vector === CONFIG_VECTOR) this.#configChanged();
    else this.listener!.used(vector - FIRST_QUEUE_VECTOR);
  }

  /** INTx says neither why nor of which queue. */
  protected override lineRaised(): void {
    if (this.#scripts === null) return;
    this.runner.run(this.number, this.#scripts.readIsr(), (isr) => {
      if ((isr & ISR.CONFIG) !== 0) this.#configChanged();
      if ((isr & ISR.QUEUE) === 0) return;
      for (const queue of this.#queues) this.listener!.used(queue);
    });
  }

  protected override doorbellOf(queue: number): number {
    return this.#scripts?.notifyAddress(queue) ?? -1;
  }

  protected override nameOf(queue: number): number {
    return this.#scripts?.nameOf(queue) ?? queue;
  }

  /** Runs an operation; its reply is the listener's. */
  #run(operation: (scripts: DriverScripts) => Script<TransportReply>): void {
    const scripts = this.#scripts;
    if (scripts === null) {
      return this.listener!.reply({ type: 'reply.failed', reason: 'there is no function' });
    }
    this.runner.run(this.number, operation(scripts), (reply) => {
      // The function may have gone meanwhile; what was read there means nothing.
      if (scripts === this.#scripts) this.listener!.reply(reply);
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

  #configChanged(): void {
    if (this.#scripts === null) return;
    this.runner.run(this.number, this.#scripts.readStatus(), (status) => {
      this.listener!.configChanged(status);
    });
  }
}
