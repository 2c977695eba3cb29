// The administration virtqueues of a device: those that it offers by ADMIN_VQ, behind its other queues, and
// the one of a transport that works by commands.
import type { AdminService, QueueSetup } from '../../platform/contracts/index.ts';
import { AdminCommands, F } from '../../platform/virtio/index.ts';
import { AdminQueue } from './admin-queue.ts';
import type { QueueEngine, QueueOwner } from './queue-engine.ts';

/** Commands that an administration virtqueue has room for; a driver sends one at a time. */
const ADMIN_QUEUE_SIZE = 16;

export interface AdministrationOptions {
  readonly device: Pick<
    QueueOwner,
    'node' | 'name' | 'index' | 'dma' | 'fetch' | 'notifyUsed' | 'queueQuiet' | 'driverFeatures'
  >;
  /** Index of the first queue that ADMIN_VQ offers, and how many there are. */
  readonly start: number;
  readonly count: number;
  /** One of them can't go on. */
  broken(): void;
}

export class Administration {
  readonly #options: AdministrationOptions;
  /** The device's self group, whose only commands are those that every group has. */
  readonly #commands = new AdminCommands();
  readonly #queues: readonly AdminQueue[];
  #transportQueue: AdminQueue | null = null;

  constructor(options: AdministrationOptions) {
    this.#options = options;
    const { device, start, count, broken } = options;
    const service: AdminService = {
      execute: (command) => this.#commands.execute(command),
      broken,
    };
    const ringFeatures = () => device.driverFeatures;
    this.#queues = Array.from(
      { length: count },
      (_, i) => new AdminQueue({ device, index: start + i, service, ringFeatures }),
    );
  }

  /** Commands executed by the self group. */
  get executed(): number {
    return this.#commands.executed;
  }

  /** All queues that there are now. */
  get engines(): readonly QueueEngine[] {
    const own = this.#transportQueue === null ? [] : [this.#transportQueue.engine];
    return [...own, ...this.#queues.map(({ engine }) => engine)];
  }

  /** The queue with this index, if it is one of administration. */
  engineOf(index: number): QueueEngine | undefined {
    const own = this.#transportQueue?.engine;
    return own?.index === index ? own : this.#queues[index - this.#options.start]?.engine;
  }

  /** There are such queues only once the driver has taken the feature. */
  sizeMax(index: number): number {
    const negotiated = (this.#options.device.driverFeatures & F.ADMIN_VQ) !== 0n;
    return negotiated && this.#queues[index - this.#options.start] !== undefined
      ? ADMIN_QUEUE_SIZE
      : 0;
  }

  start(): void {
    for (const { engine } of this.#queues) engine.start();
  }

  /** The device is to be suspended. The queue of its transport goes on: the driver resumes the device by it. */
  pause(): void {
    for (const { engine } of this.#queues) engine.pause();
  }

  resume(): void {
    for (const { engine } of this.#queues) engine.resume();
  }

  get quiet(): boolean {
    return this.#queues.every(({ engine }) => engine.quiet);
  }

  /** Stops a queue that `engineOf` knows. */
  stop(engine: QueueEngine): void {
    this.#queues.find((queue) => queue.engine === engine)?.stop();
  }

  stopAll(): void {
    for (const queue of this.#queues) queue.stop();
  }

  /** The device is reset, and nothing is set up any more. */
  reset(): void {
    this.stopAll();
    for (const { engine } of this.#queues) engine.setup = null;
    this.#commands.reset();
  }

  /** Serves a queue of the transport's own, which always has the same index and service, or none. */
  serve(setup: QueueSetup | null, service: AdminService): void {
    this.#transportQueue?.stop();
    if (setup === null) return;
    const { device } = this.#options;
    const { index } = setup;
    this.#transportQueue ??= new AdminQueue({ device, index, service, ringFeatures: () => 0n });
    const { engine } = this.#transportQueue;
    engine.setup = setup;
    engine.start();
  }
}
