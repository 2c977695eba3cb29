// What the users of any driver may ask of it, whatever its device is: to be told how the device fares, bytes
// of its configuration, resets.
import { F } from '../../platform/virtio/index.ts';
import { DriverHooks } from './driver-hooks.ts';
import type { LiveOperation } from './live-operations.ts';

/** Whoever wants to know how a device fares. */
export interface DriverWatcher {
  /** The device can be used, for the first time or again after a reset. */
  deviceLive(): void;
  /** The device is being reset, to go on with it. */
  deviceInterrupted(): void;
  /** The device is lost. */
  deviceDown(reason: string): void;
  /** The device says that its configuration changed. */
  deviceConfigChanged(): void;
}

export abstract class DriverControl extends DriverHooks {
  readonly #watchers: DriverWatcher[] = [];
  /** Who waits for the end of a queue's reset, by queue. */
  readonly #resets = new Map<number, (restarted: boolean) => void>();

  /** Adds somebody to be told of the device. Only before it is live. */
  observe(watcher: DriverWatcher): void {
    this.#watchers.push(watcher);
  }

  /** Reads configuration bytes; `done` is told null when the device was lost or reset first. */
  inspectConfig(offset: number, length: number, done: (data: Uint8Array | null) => void): void {
    if (!this.operate({ type: 'readConfig', offset, length, done })) done(null);
  }

  /** Writes configuration bytes; `done` is told whether the device has taken them. */
  changeConfig(offset: number, data: Uint8Array, done: (applied: boolean) => void): void {
    if (!this.operate({ type: 'writeConfig', offset, data, done })) done(false);
  }

  /** Resets one queue while the others go on; `done` is told whether it is in use again. */
  resetQueue(queue: number, done: (restarted: boolean) => void): void {
    if (this.#resets.has(queue) || !this.restartQueue(queue)) return done(false);
    this.#resets.set(queue, done);
  }

  /** Resets the device and goes on with it. */
  resetDevice(): void {
    this.restart();
  }

  /**
   * Suspends the device for so many ps: requests under way end, those to come wait in the rings. `done` is told
   * whether it was suspended and is in use again.
   */
  suspendDevice(time: number, done: (resumed: boolean) => void = () => {}): void {
    const offered = (this.features & F.SUSPEND) !== 0n;
    if (!offered || !this.operate({ type: 'suspend', time, done })) done(false);
  }

  /** Has the transport do something on a live device. False when it is not live. */
  protected abstract operate(operation: LiveOperation): boolean;
  /** Resets a live device because somebody wants it, and goes on with it. */
  protected abstract restart(): void;
  /** Resets one queue of a live device and sets it up again. False when that can't be done. */
  protected abstract restartQueue(queue: number): boolean;

  /** Reads configuration bytes of a live device; `configRead` is called with them. */
  protected readConfig(offset: number, length: number): void {
    this.operate({ type: 'readConfig', offset, length });
  }

  /** Writes configuration bytes of a live device; `configWritten` is called in the end. */
  protected writeConfig(offset: number, data: Uint8Array): void {
    this.operate({ type: 'writeConfig', offset, data });
  }

  /** A queue is in use again after its reset. */
  protected reportRestarted(queue: number): void {
    const done = this.#resets.get(queue);
    this.#resets.delete(queue);
    done?.(true);
  }

  /** A reset of the device is one of all its queues. */
  protected reportLive(): void {
    this.#endResets(true);
    for (const watcher of this.#watchers) watcher.deviceLive();
  }

  protected reportInterrupted(): void {
    for (const watcher of this.#watchers) watcher.deviceInterrupted();
  }

  /** First the loss, so that nobody begins anything for each request that fails. */
  protected reportDown(reason: string): void {
    for (const watcher of this.#watchers) watcher.deviceDown(reason);
    this.#endResets(false);
  }

  protected reportConfigChanged(): void {
    for (const watcher of this.#watchers) watcher.deviceConfigChanged();
  }

  #endResets(restarted: boolean): void {
    const ended = [...this.#resets.values()];
    this.#resets.clear();
    for (const done of ended) done(restarted);
  }
}
