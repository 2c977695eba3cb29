// The device side of virtio-blk (virtio 1.4 §5.2): read, write, flush and get-id on one queue. What it
// does not offer is listed in the README beside this file.
import type { DeviceEnvironment, DmaClient, DmaFault } from '../../platform/contracts/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import { type CpuClient, Milestone, Priority } from '../../platform/node/index.ts';
import {
  BLK_CONFIG,
  BLK_CONFIG_SIZE,
  BLK_DEVICE_ID,
  BLK_F,
  BLK_HEADER_SIZE,
  BLK_ID_SIZE,
  BLK_S,
  BLK_T,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import type { Chain, QueueEngine } from '../common/index.ts';
import { ringFeatures, ServiceStation, VirtioDevice } from '../common/index.ts';
import type { BlkOptions } from './options.ts';

/** Segments of data the driver may put into one request. */
export const SEGMENTS_MAX = 16;

const STEP_SERVE = 0;
const STEP_FINISH = 1;
/** More than the largest queue holds. A tag is generation × SLOTS + slot. */
const SLOTS = 65536;

/** One request under way. Slots are reused; their buffers grow to the largest request seen. */
class Request {
  queue: QueueEngine | null = null;
  chain: Chain | null = null;
  /** Counts the uses of the slot, so that a late answer to a forgotten request is known as such. */
  generation = 0;
  type = 0;
  offset = 0;
  dataLength = 0;
  status: number = BLK_S.OK;
  /** Header and data as read from the driver, or the data to be written to it. */
  bytes = new Uint8Array(BLK_HEADER_SIZE + 4096);
}

export class BlkDevice extends VirtioDevice implements DmaClient, CpuClient {
  readonly backing: Backing;
  readonly #options: BlkOptions;
  readonly #timing: {
    readonly read: number;
    readonly write: number;
    readonly flush: number;
    readonly mediaRate: number;
  };
  readonly #media: ServiceStation;
  readonly #requests: Request[] = [];
  readonly #freeSlots: number[] = [];
  readonly #statusByte = new Uint8Array(1);

  constructor({ node, plan, resolve }: DeviceEnvironment<BlkOptions>) {
    const { options } = plan;
    const backing =
      options.image === undefined
        ? Backing.ofMemory(options.capacity)
        : Backing.ofFile(resolve(options.image));
    super(node, plan, {
      deviceId: BLK_DEVICE_ID,
      features: ringFeatures(options) | BLK_F.SEG_MAX | BLK_F.BLK_SIZE | BLK_F.FLUSH,
      config: configSpace(backing.size),
      queueSizes: [options.queueSize],
    });
    this.backing = backing;
    this.#options = options;
    this.#timing = {
      read: node.costs.idOf('blk.serviceRead'),
      write: node.costs.idOf('blk.serviceWrite'),
      flush: node.costs.idOf('blk.serviceFlush'),
      mediaRate: node.costs.idOf('blk.mediaRate'),
    };
    this.#media = new ServiceStation(node, options.parallel, (tag) => this.#step(STEP_FINISH, tag));
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    const slot = this.#freeSlots.pop() ?? this.#requests.push(new Request()) - 1;
    const request = this.#requests[slot];
    request.queue = queue;
    request.chain = chain;
    const tag = request.generation * SLOTS + slot;
    // Nothing to read is no request, but the chain has to come back.
    if (chain.readableBytes === 0) return this.readDone(tag, this.#statusByte, 0);
    // The header and, for writes, the data: one gathered read of all readable segments.
    for (let i = 0; i < chain.readableCount; i++) {
      this.dma.readSegment(chain.addresses[i], chain.lengths[i]);
    }
    this.dma.read(this, tag);
  }

  protected forget(queue: QueueEngine): void {
    for (let slot = 0; slot < this.#requests.length; slot++) {
      const request = this.#requests[slot];
      if (request.chain !== null && request.queue === queue) this.#release(slot);
    }
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    const request = this.#find(tag);
    if (request === null) return;
    if (request.bytes.length < length) request.bytes = new Uint8Array(length);
    request.bytes.set(bytes.subarray(0, length));
    this.#parse(request, length);
    this.#step(STEP_SERVE, tag);
  }

  refused(tag: number, fault: DmaFault): void {
    this.node.violations.report(
      'DMA_FAULT',
      `${this.name}: ${fault.write ? 'write' : 'read'} of ${fault.length} bytes at bus address ` +
        `0x${fault.address.toString(16)} refused: ${fault.reason}`,
    );
    const request = this.#find(tag);
    if (request === null) return;
    this.#fail(request, BLK_S.IOERR);
    this.#step(STEP_FINISH, tag);
  }

  deliver(step: number, tag: number): void {
    const request = this.#find(tag);
    if (request === null) return;
    if (step === STEP_SERVE) this.#serveMedia(request, tag);
    else this.#finish(request, tag % SLOTS);
  }

  /** Writes changes to the image when the scenario asks for it. Called once, after the run. */
  close(): void {
    if (this.#options.writeBack) this.backing.writeBack();
    this.backing.close();
  }

  /** The request that a tag names, or null when it was forgotten meanwhile. */
  #find(tag: number): Request | null {
    const request = this.#requests[tag % SLOTS];
    return request.generation === Math.floor(tag / SLOTS) ? request : null;
  }

  #release(slot: number): void {
    const request = this.#requests[slot];
    request.chain = null;
    request.generation++;
    this.#freeSlots.push(slot);
  }

  #step(step: number, tag: number): void {
    const { node } = this;
    node.cpu.submit(Priority.task, node.charge(node.timing.deviceStep), this, step, tag);
  }

  /** Makes sense of the header, or turns the request into an error (§5.2.6.2). */
  #parse(request: Request, length: number): void {
    const { bytes } = request;
    const chain = request.chain!;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    request.status = BLK_S.OK;
    request.dataLength = 0;
    if (length < BLK_HEADER_SIZE || chain.writableBytes < 1) {
      this.node.violations.report('BAD_REQUEST', `${this.name}: a chain without header or status`);
      return this.#fail(request, BLK_S.IOERR);
    }
    request.type = view.getUint32(0, true);
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
    request.offset = sector * SECTOR_SIZE;
    if (request.type === BLK_T.IN) request.dataLength = chain.writableBytes - 1;
    else if (request.type === BLK_T.OUT) request.dataLength = length - BLK_HEADER_SIZE;
    else if (request.type === BLK_T.GET_ID) {
      request.dataLength = Math.min(BLK_ID_SIZE, chain.writableBytes - 1);
      return;
    } else if (request.type === BLK_T.FLUSH) return;
    else return this.#fail(request, BLK_S.UNSUPP);
    const aligned = request.dataLength % SECTOR_SIZE === 0;
    if (!aligned || request.offset + request.dataLength > this.backing.size) {
      this.#fail(request, BLK_S.IOERR);
    }
  }

  #fail(request: Request, status: number): void {
    request.status = status;
    request.dataLength = 0;
  }

  #serveMedia(request: Request, tag: number): void {
    request.queue!.mark(request.chain!, Milestone.started);
    this.#media.request(this.#serviceTime(request), tag);
  }

  #serviceTime(request: Request): number {
    const { node } = this;
    if (request.status !== BLK_S.OK) return 0;
    if (request.type === BLK_T.FLUSH) return node.charge(this.#timing.flush);
    const base = request.type === BLK_T.OUT ? this.#timing.write : this.#timing.read;
    return node.charge(base) + node.chargeBytes(this.#timing.mediaRate, request.dataLength);
  }

  /** Moves the data and returns the chain with its status byte. */
  #finish(request: Request, slot: number): void {
    const chain = request.chain!;
    const queue = request.queue!;
    queue.mark(chain, Milestone.served);
    let written = Math.min(1, chain.writableBytes);
    if (request.status === BLK_S.OK) {
      if (request.type === BLK_T.OUT) {
        this.backing.write(request.offset, request.bytes, BLK_HEADER_SIZE, request.dataLength);
      } else if (request.dataLength > 0) {
        this.#loadData(request);
        this.#scatter(request, chain);
        written += request.dataLength;
      }
    }
    this.#writeStatus(request, chain);
    if (!queue.complete(chain, written)) {
      // The data could not be written: say so, if at least the status byte can be.
      request.status = BLK_S.IOERR;
      this.#writeStatus(request, chain);
      if (!queue.complete(chain, written === 0 ? 0 : 1)) return queue.fail();
    }
    this.#release(slot);
  }

  #loadData(request: Request): void {
    if (request.bytes.length < request.dataLength) {
      request.bytes = new Uint8Array(request.dataLength);
    }
    if (request.type === BLK_T.IN) {
      this.backing.read(request.offset, request.bytes, 0, request.dataLength);
      return;
    }
    request.bytes.fill(0, 0, BLK_ID_SIZE);
    for (let i = 0; i < Math.min(BLK_ID_SIZE, this.#options.serial.length); i++) {
      request.bytes[i] = this.#options.serial.charCodeAt(i);
    }
  }

  /** Gathers the writes that spread the data over the chain's writable segments. */
  #scatter(request: Request, chain: Chain): void {
    let done = 0;
    for (let i = chain.readableCount; i < chain.count && done < request.dataLength; i++) {
      const step = Math.min(chain.lengths[i], request.dataLength - done);
      this.dma.writeSegment(chain.addresses[i], request.bytes, done, step);
      done += step;
    }
  }

  /** The status byte is the last writable byte of the chain, if it has any. */
  #writeStatus(request: Request, chain: Chain): void {
    if (chain.writableBytes === 0) return;
    this.#statusByte[0] = request.status;
    let last = chain.count - 1;
    while (chain.lengths[last] === 0) last--;
    const at = chain.addresses[last] + chain.lengths[last] - 1;
    this.dma.writeSegment(at, this.#statusByte, 0, 1);
  }
}

function configSpace(size: number): Uint8Array {
  const config = new Uint8Array(BLK_CONFIG_SIZE);
  const view = new DataView(config.buffer);
  view.setBigUint64(BLK_CONFIG.capacity, BigInt(Math.floor(size / SECTOR_SIZE)), true);
  view.setUint32(BLK_CONFIG.segMax, SEGMENTS_MAX, true);
  view.setUint32(BLK_CONFIG.blkSize, SECTOR_SIZE, true);
  return config;
}
