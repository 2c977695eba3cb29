// What a kind of driver says of itself, and what the shared part of all drivers calls on it.
import type { DeviceInfo } from '../../platform/contracts/index.ts';
import { ANY_CORE, type Node } from '../../platform/node/index.ts';
import type { DriverInput } from './driver-events.ts';
import type { FeatureTraits } from './features.ts';
import { RingCosts } from './ring-costs.ts';

/** Steps below this number are the shared part's. */
export const FIRST_OWN_STEP = 8;

export interface DriverTraits extends FeatureTraits {
  readonly deviceId: number;
  /** Queues that the device must have at the least; see `queuesWanted`. */
  readonly queueCount: number;
  readonly configSize: number;
  /** The shared memory region that the driver needs; none when left out. */
  readonly shmid?: number;
  /** Most segments of a chain that may lie in an indirect table. Default: 4. */
  readonly segmentsMax?: number;
  /** When one of its queues was reset it sees to the chains itself that the device had not returned. */
  readonly repeatsChains?: boolean;
}

/** What the chart of the bring-up needs of that. */
export function chartInput(traits: DriverTraits): DriverInput {
  const { requiredFeatures = 0n, shmid = -1 } = traits;
  return { ...traits, requiredFeatures, shmid };
}

/** What others may know of a driver, and what it adds to the shared part. */
export abstract class DriverHooks {
  readonly node: Node;
  /** What its work on rings costs. */
  readonly ringCosts: RingCosts;
  /** Features in force. */
  features = 0n;
  info: DeviceInfo | null = null;
  live = false;
  /** The driver has suspended its device, or is about to: what it adds to rings waits there. */
  suspended = false;
  /** Why it is not live any more, or never was. */
  downReason: string | null = null;
  /** What was read of the configuration space when the device came up. */
  protected config = new Uint8Array(0);
  /** Where the region that the driver needs is, once it is found. */
  protected region = { address: 0, length: 0 };
  notifications = 0;
  /** How often the device was reset to go on with it. */
  recoveries = 0;
  protected readonly traits: DriverTraits;

  constructor(node: Node, traits: DriverTraits) {
    this.node = node;
    this.traits = traits;
    this.ringCosts = new RingCosts(node);
  }

  /** Queues to set up, `features` and `config` being known. */
  protected queuesWanted(): number {
    return this.traits.queueCount;
  }
  /** Bytes of configuration space to read when the device comes up, `features` being known. */
  protected configWanted(): number {
    return this.traits.configSize;
  }
  /**
   * Bytes of buffers that the driver wants behind its rings, which end `start` bytes into a page and have
   * `sizes` entries.
   */
  protected abstract bufferBytes(start: number, sizes: readonly number[]): number;
  /** Bytes of buffers that the driver uses while the device has them: all, unless it knows better. */
  protected commonBytes(start: number, sizes: readonly number[]): number {
    return this.bufferBytes(start, sizes);
  }
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

  /** The core that takes a queue's completions. */
  protected coreOf(_queue: number): number {
    return ANY_CORE;
  }

  /** Like `plugged`, for drivers whose queues are filled independently of one another. */
  protected pluggedQueue(_queue: number): boolean {
    return this.plugged;
  }

  /**
   * The device is being reset, to go on with it: what was submitted will never come back. In the end
   * `wentLive` comes again, or `wentDown`.
   */
  protected abstract interrupted(): void;
  /** That reset is over: the device has let go of its queues, and what it had returned is on their old rings. */
  protected released(): void {}
  /** A queue's reset has begun: nothing may be added to its ring. */
  protected queueStopped(_queue: number): void {}
  /** The queue has a new ring, and what the device had not returned is available on it again. */
  protected queueRestarted(_queue: number): void {}

  /** True when a change, of anything if its length is 0, concerns any of `size` bytes from `at` on. */
  protected concerns(offset: number, length: number, at: number, size: number): boolean {
    return length === 0 || (offset < at + size && at < offset + length);
  }
  /** The device says that these bytes of its configuration changed, or, with length 0, any. */
  protected configurationChanged(_offset: number, _length: number): void {}
  /** What `readConfig` asked for. */
  protected configRead(_offset: number, _data: Uint8Array): void {}
  /** What became of a `writeConfig`; a write that was not applied changed nothing. */
  protected configWritten(_offset: number, _applied: boolean): void {}
}
