// The medium behind a disk: its bytes, its write cache, and how long it takes for what is asked of it.
import type { Statistics } from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { BLK_HEADER_SIZE, BLK_RANGE_UNMAP, BLK_S, BLK_T } from '../../platform/virtio/index.ts';
import { ServiceStation } from '../common/index.ts';
import type { BlkOptions } from './options.ts';
import type { Request } from './request.ts';
import { WriteCache } from './write-cache.ts';

export interface MediumOptions {
  readonly node: Node;
  /** Name of the device: names its random streams. */
  readonly name: string;
  readonly options: BlkOptions;
  resolve(path: string): string;
  /** The service of the request with this tag has ended. */
  served(tag: number): void;
}

export class Medium {
  readonly backing: Backing;
  readonly #node: Node;
  readonly #cache: WriteCache;
  readonly #station: ServiceStation;
  /** Draws service times; null when they are constant. */
  readonly #service: RandomStream | null;
  readonly #power: RandomStream;
  readonly #timing: BlkTiming;
  #counts = { reads: 0, writes: 0, flushes: 0, discards: 0, cachedWrites: 0 };
  #losses = { powerLosses: 0, sectorsLost: 0 };

  constructor({ node, name, options, resolve, served }: MediumOptions) {
    const { image, capacity } = options;
    this.backing =
      image === undefined ? Backing.ofMemory(capacity) : Backing.ofFile(resolve(image));
    this.#node = node;
    this.#cache = new WriteCache(this.backing, options.writeCache);
    this.#service = options.service === 'exponential' ? node.random(`service/${name}`) : null;
    this.#power = node.random(`power/${name}`);
    this.#timing = timingIds(node);
    this.#station = new ServiceStation(node, options.parallel, served);
  }

  /** Serves a request; `cached` tells whether writes may stay in the cache. */
  serve(request: Request, tag: number, cached: boolean): void {
    if (request.status === BLK_S.OK && request.type === BLK_T.OUT && cached) {
      if (this.#cache.reserve(request.dataLength)) request.reserved = request.dataLength;
    }
    this.#station.request(this.#serviceTime(request), tag);
  }

  /** A request that is being served will not be finished. */
  forget(request: Request): void {
    if (request.reserved > 0) this.#cache.unreserve(request.reserved);
    request.reserved = 0;
  }

  /** Does what a served request asks for. Data that was read lies at the start of its bytes. */
  finish(request: Request): void {
    const { backing } = this;
    const { offset, dataLength } = request;
    switch (request.type) {
      case BLK_T.IN:
        this.#counts.reads++;
        if (request.bytes.length < dataLength) request.bytes = new Uint8Array(dataLength);
        return backing.read(offset, request.bytes, 0, dataLength);
      case BLK_T.OUT:
      case BLK_T.ZONE_APPEND:
        return this.#write(request);
      case BLK_T.FLUSH:
        this.#counts.flushes++;
        return this.#cache.flush();
      case BLK_T.DISCARD:
      case BLK_T.WRITE_ZEROES:
      case BLK_T.SECURE_ERASE:
        this.#counts.discards++;
        for (let i = 0; i < request.rangeCount; i++) {
          backing.zero(request.rangeOffset(i), request.rangeLength(i));
          this.#cache.bypass(request.rangeOffset(i), request.rangeLength(i));
        }
    }
  }

  /** The power is gone: nothing that is under way is finished, and nothing is served before `until`. */
  losePower(until: number): void {
    this.#losses.powerLosses++;
    this.#losses.sectorsLost += this.#cache.losePower(this.#power);
    this.#station.close(until);
  }

  statistics(): Statistics {
    return {
      ...this.#station.statistics(),
      ...this.#counts,
      ...this.#losses,
      cachedBytes: this.#cache.bytes,
    };
  }

  #write(request: Request): void {
    const { offset, dataLength, reserved } = request;
    this.#counts.writes++;
    if (reserved > 0) {
      this.#counts.cachedWrites++;
      this.#cache.fill(offset, reserved);
      request.reserved = 0;
    }
    this.backing.write(offset, request.bytes, BLK_HEADER_SIZE, dataLength);
    if (reserved === 0) this.#cache.bypass(offset, dataLength);
  }

  #serviceTime(request: Request): number {
    const { read, write, flush, discard, cacheWrite, cacheRate, mediaRate } = this.#timing;
    if (request.status !== BLK_S.OK) return 0;
    const { dataLength, rangeCount } = request;
    switch (request.type) {
      case BLK_T.IN:
        return this.#time(read, 1, mediaRate, dataLength);
      case BLK_T.OUT:
        return request.reserved > 0
          ? this.#time(cacheWrite, 1, cacheRate, dataLength)
          : this.#time(write, 1, mediaRate, dataLength);
      case BLK_T.ZONE_APPEND:
        return this.#time(write, 1, mediaRate, dataLength);
      case BLK_T.FLUSH:
        return this.#time(flush, 1, mediaRate, this.#cache.bytes);
      case BLK_T.ZONE_OPEN:
      case BLK_T.ZONE_CLOSE:
      case BLK_T.ZONE_FINISH:
      case BLK_T.ZONE_RESET:
      case BLK_T.ZONE_RESET_ALL:
        return this.#time(discard, 1, mediaRate, 0);
      case BLK_T.DISCARD:
        return this.#time(discard, rangeCount, mediaRate, 0);
      case BLK_T.WRITE_ZEROES:
        return unmaps(request)
          ? this.#time(discard, rangeCount, mediaRate, 0)
          : this.#time(write, rangeCount, mediaRate, dataLength);
      case BLK_T.SECURE_ERASE:
        // What was there is written over.
        return this.#time(write, rangeCount, mediaRate, dataLength);
      default:
        // The name of the disk and the state of its zones are known without its medium.
        return 0;
    }
  }

  /** ps for `count` operations and the bytes they move, or a draw with that mean. */
  #time(operation: number, count: number, rate: number, bytes: number): number {
    const node = this.#node;
    if (this.#service === null) {
      const time = node.chargeTimes(operation, count);
      return bytes === 0 ? time : time + node.chargeBytes(rate, bytes);
    }
    const { costs } = node;
    const mean = costs.times(operation, count) + (bytes === 0 ? 0 : costs.transfer(rate, bytes));
    const time = this.#service.exponential(mean);
    // What was drawn is all put down to the operation.
    node.noteWait(operation, time);
    return time;
  }
}

/** Ids of the timing constants of a disk. */
interface BlkTiming {
  readonly read: number;
  readonly write: number;
  readonly flush: number;
  readonly discard: number;
  readonly cacheWrite: number;
  readonly cacheRate: number;
  readonly mediaRate: number;
}

function timingIds({ costs }: Node): BlkTiming {
  return {
    read: costs.idOf('blk.serviceRead'),
    write: costs.idOf('blk.serviceWrite'),
    flush: costs.idOf('blk.serviceFlush'),
    discard: costs.idOf('blk.serviceDiscard'),
    cacheWrite: costs.idOf('blk.cacheWrite'),
    cacheRate: costs.idOf('blk.cacheRate'),
    mediaRate: costs.idOf('blk.mediaRate'),
  };
}

/** True when every range of the request may be deallocated. */
function unmaps(request: Request): boolean {
  for (let i = 0; i < request.rangeCount; i++) {
    if ((request.rangeFlags(i) & BLK_RANGE_UNMAP) === 0) return false;
  }
  return true;
}
