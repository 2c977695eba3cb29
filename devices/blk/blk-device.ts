// The device side of virtio-blk (virtio 1.4 §5.2): how a request goes through the disk. What it does not
// offer is listed in the README beside this file.
import type {
  DeviceEnvironment,
  DmaClient,
  DmaFault,
  Statistics,
} from '../../platform/contracts/index.ts';
import { type CpuClient, Milestone, Priority } from '../../platform/node/index.ts';
import {
  BLK_APPEND_SECTOR_SIZE,
  BLK_CONFIG,
  BLK_DEVICE_ID,
  BLK_F,
  BLK_ID_SIZE,
  BLK_LIFETIME,
  BLK_S,
  BLK_T,
  F,
  SECTOR_SIZE,
  STATUS,
} from '../../platform/virtio/index.ts';
import { writeU16, writeU64 } from '../../platform/wire/index.ts';
import { type Chain, type QueueEngine, scatter, VirtioDevice } from '../common/index.ts';
import { configSpace, offeredFeatures } from './config-space.ts';
import { Medium } from './medium.ts';
import type { BlkOptions } from './options.ts';
import { type DiskLimits, interpret, Request } from './request.ts';
import { Zones } from './zones.ts';

const STEP_SERVE = 0;
const STEP_FINISH = 1;
const POWER_LOSS = 2;
const RESIZE = 3;
/** More than the largest queue holds. A tag is generation × SLOTS + slot. */
const SLOTS = 2 ** 26;

/** Types of request that bring data to the driver. */
const READING: ReadonlySet<number> = new Set([
  BLK_T.IN,
  BLK_T.GET_ID,
  BLK_T.GET_LIFETIME,
  BLK_T.ZONE_REPORT,
]);

export class BlkDevice extends VirtioDevice implements DmaClient, CpuClient {
  readonly #options: BlkOptions;
  readonly #medium: Medium;
  readonly #requests: Request[] = [];
  readonly #freeSlots: number[] = [];
  readonly #statusByte = new Uint8Array(1);
  readonly #place = new Uint8Array(BLK_APPEND_SECTOR_SIZE);
  /** Slots of each queue in the order in which they came; kept only while IN_ORDER is in force. */
  readonly #order: number[][];
  readonly #limits: DiskLimits;
  readonly #zones: Zones | null;
  #keepsOrder = false;
  /** True while completed writes may still be volatile (§5.2.6.2). */
  #writesBack = false;

  constructor({ node, plan, resolve }: DeviceEnvironment<BlkOptions>) {
    const { options, name } = plan;
    let served: (tag: number) => void = () => {};
    const medium = new Medium({ node, name, options, resolve, served: (tag) => served(tag) });
    super(node, plan, {
      deviceId: BLK_DEVICE_ID,
      features: offeredFeatures(options),
      config: configSpace(options, medium.backing.size),
      queueSizes: new Array<number>(options.queues).fill(options.queueSize),
    });
    served = (tag) => this.#step(STEP_FINISH, tag);
    this.#options = options;
    this.#medium = medium;
    this.#order = this.queues.map(() => []);
    const { zones: wanted, blockSize } = options;
    const { backing } = medium;
    const { size } = backing;
    const erase = (start: number, length: number) => backing.zero(start, length);
    const zoned = wanted === undefined ? null : { options: wanted, size, blockSize, erase };
    this.#zones = zoned === null ? null : new Zones({ node, name, ...zoned });
    this.#limits = {
      zones: this.#zones,
      size: medium.backing.size,
      readOnly: options.readOnly,
      features: 0n,
      segmentsMax: options.segments,
      segmentSizeMax: options.segmentSize ?? Infinity,
    };
    this.#scheduleEvents();
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    const slot = this.#freeSlots.pop() ?? this.#requests.push(new Request()) - 1;
    const request = this.#requests[slot];
    request.queue = queue;
    request.chain = chain;
    request.served = false;
    if (this.#keepsOrder) this.#order[queue.index].push(slot);
    const tag = request.generation * SLOTS + slot;
    // Nothing to read is no request, but the chain has to come back.
    if (chain.readableBytes === 0) return this.#understand(request, tag, 0);
    // The header and, for writes, the data: one gathered read of all readable segments.
    queue.readData(chain, this, tag);
  }

  protected forget(queue: QueueEngine): void {
    this.#order[queue.index].length = 0;
    for (let slot = 0; slot < this.#requests.length; slot++) {
      const request = this.#requests[slot];
      if (request.chain === null || request.queue !== queue) continue;
      this.#medium.forget(request);
      this.#release(slot);
    }
  }

  override setStatus(status: number): number {
    const before = this.status;
    // §5.2.5.2: a driver that knows nothing of zones can't use a disk that is all zones.
    const blind = this.#zones !== null && !this.#has(BLK_F.ZONED);
    const after = super.setStatus(blind ? status & ~STATUS.FEATURES_OK : status);
    if ((after & ~before & STATUS.FEATURES_OK) !== 0) this.#featuresAgreed();
    return after;
  }

  protected override wasReset(): void {
    this.config[BLK_CONFIG.writeback] = this.#options.writeCache > 0 ? 1 : 0;
  }

  /** The cache mode is all that a driver may write. */
  protected override configWritten(offset: number, source: Uint8Array): boolean {
    const isMode = offset === BLK_CONFIG.writeback && source.length === 1 && source[0] <= 1;
    if (!isMode || !this.#has(BLK_F.CONFIG_WCE)) return false;
    this.config[BLK_CONFIG.writeback] = source[0];
    this.#writesBack = source[0] === 1;
    return true;
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    const request = this.#find(tag);
    if (request === null) return;
    if (request.bytes.length < length) request.bytes = new Uint8Array(length);
    request.bytes.set(bytes.subarray(0, length));
    request.queue!.dataRead();
    this.#understand(request, tag, length);
  }

  refused(tag: number, fault: DmaFault): void {
    this.node.violations.report(
      'DMA_FAULT',
      `${this.name}: ${fault.write ? 'write' : 'read'} of ${fault.length} bytes at bus address ` +
        `0x${fault.address.toString(16)} refused: ${fault.reason}`,
    );
    const request = this.#find(tag);
    if (request === null) return;
    request.queue!.dataRead();
    request.fail(BLK_S.IOERR);
    this.#step(STEP_FINISH, tag);
  }

  deliver(step: number, tag: number): void {
    if (step === POWER_LOSS) return this.#losePower(tag);
    if (step === RESIZE) return this.#resize(tag);
    const request = this.#find(tag);
    if (request === null) return;
    if (step === STEP_FINISH) return this.#finish(request, tag % SLOTS);
    request.queue!.mark(request.chain!, Milestone.started);
    this.#medium.serve(request, tag, this.#writesBack);
  }

  override statistics(): Statistics {
    const zoned = this.#zones?.statistics() ?? {};
    return { ...super.statistics(), ...this.#medium.statistics(), ...zoned };
  }

  /** Writes changes to the image when the scenario asks for it. Called once, after the run. */
  close(): void {
    if (this.#options.writeBack) this.#medium.backing.writeBack();
    this.abandon();
  }

  /** Forgets all changes. */
  abandon(): void {
    this.#medium.backing.close();
  }

  #featuresAgreed(): void {
    const flushes = this.#has(BLK_F.FLUSH);
    this.#limits.features = this.driverFeatures;
    this.#keepsOrder = this.#has(F.IN_ORDER);
    // §5.2.5.2: whoever can't flush gets a cache that needs no flushing.
    if (!flushes) this.config[BLK_CONFIG.writeback] = 0;
    this.#writesBack = this.#options.writeCache > 0 && flushes;
  }

  /** Makes out what a request asks for; a step of software then has it served. */
  #understand(request: Request, tag: number, length: number): void {
    const problem = interpret(request, length, this.#limits);
    if (problem !== null) this.node.violations.report('BAD_REQUEST', `${this.name}: ${problem}`);
    this.#step(STEP_SERVE, tag);
  }

  #has(feature: bigint): boolean {
    return (this.driverFeatures & feature) !== 0n;
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

  /** Does what was asked for, and returns the chain unless others have to come back first. */
  #finish(request: Request, slot: number): void {
    const { queue, status, type, offset, dataLength } = request;
    queue!.mark(request.chain!, Milestone.served);
    const transfers = type === BLK_T.IN || type === BLK_T.OUT;
    // The disk may have become smaller meanwhile.
    const beyond = transfers && offset + dataLength > this.#limits.size;
    if (status === BLK_S.OK && beyond) {
      this.#medium.forget(request);
      request.fail(BLK_S.IOERR);
    }
    // What was written to a zone before it was reset is gone.
    const writes = type === BLK_T.OUT || type === BLK_T.ZONE_APPEND;
    if (request.status === BLK_S.OK && writes && this.#zones !== null) {
      const resets = this.#zones.resetsAt(offset);
      if (resets !== request.zoneResets) request.fail(BLK_S.ZONE_INVALID_CMD);
    }
    if (request.status === BLK_S.OK) this.#medium.finish(request);
    if (!this.#keepsOrder) return this.#return(request, slot);
    request.served = true;
    const order = this.#order[queue!.index];
    while (order.length > 0 && this.#requests[order[0]].served) {
      const first = order.shift()!;
      this.#return(this.#requests[first], first);
    }
  }

  /** Returns a chain with its data and status byte. */
  #return(request: Request, slot: number): void {
    const chain = request.chain!;
    const queue = request.queue!;
    let written = Math.min(1, chain.writableBytes);
    if (request.status === BLK_S.OK && request.type === BLK_T.GET_ID) this.#loadName(request);
    if (request.status === BLK_S.OK && request.type === BLK_T.GET_LIFETIME) this.#loadWear(request);
    if (request.status === BLK_S.OK && request.type === BLK_T.ZONE_REPORT)
      this.#loadReport(request);
    const reads = READING.has(request.type);
    if (request.status === BLK_S.OK && reads) {
      written += scatter(this.dma, chain, 0, request.bytes, 0, request.dataLength);
    }
    if (request.status === BLK_S.OK && request.type === BLK_T.ZONE_APPEND) {
      written += this.#writePlace(request, chain);
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

  #loadName(request: Request): void {
    const { serial } = this.#options;
    request.bytes.fill(0, 0, BLK_ID_SIZE);
    for (let i = 0; i < Math.min(BLK_ID_SIZE, serial.length); i++) {
      request.bytes[i] = serial.charCodeAt(i);
    }
  }

  #loadWear({ bytes }: Request): void {
    const { preEol, typeA, typeB } = this.#options.lifetime!;
    writeU16(bytes, BLK_LIFETIME.preEol, preEol);
    writeU16(bytes, BLK_LIFETIME.typeA, typeA);
    writeU16(bytes, BLK_LIFETIME.typeB, typeB);
  }

  #loadReport(request: Request): void {
    const room = request.dataLength;
    if (request.bytes.length < room) request.bytes = new Uint8Array(room);
    request.dataLength = this.#zones!.report(request.offset, request.bytes, room);
  }

  /** Where an append has put its data stands before the status. */
  #writePlace({ offset }: Request, chain: Chain): number {
    writeU64(this.#place, 0, BigInt(offset / SECTOR_SIZE));
    const at = chain.writableBytes - 1 - BLK_APPEND_SECTOR_SIZE;
    return scatter(this.dma, chain, at, this.#place, 0, BLK_APPEND_SECTOR_SIZE);
  }

  /** The status byte is the last writable byte of the chain, if it has any. */
  #writeStatus(request: Request, chain: Chain): void {
    if (chain.writableBytes === 0) return;
    this.#statusByte[0] = request.status;
    scatter(this.dma, chain, chain.writableBytes - 1, this.#statusByte, 0, 1);
  }

  /** What the scenario has planned for the disk. */
  #scheduleEvents(): void {
    const { powerLoss, resize } = this.#options;
    if (powerLoss.length + resize.length === 0) return;
    const { kernel } = this.node;
    const id = this.node.add(this);
    for (const [index, { at }] of powerLoss.entries()) kernel.schedule(id, at, POWER_LOSS, index);
    for (const [index, { at }] of resize.entries()) kernel.schedule(id, at, RESIZE, index);
  }

  #losePower(index: number): void {
    this.#medium.losePower(this.node.kernel.now + this.#options.powerLoss[index].for);
    this.needsReset();
  }

  #resize(index: number): void {
    const { capacity } = this.#options.resize[index];
    this.#medium.backing.resize(capacity);
    this.#limits.size = capacity;
    const view = new DataView(this.config.buffer);
    view.setBigUint64(BLK_CONFIG.capacity, BigInt(capacity / SECTOR_SIZE), true);
    this.configChanged(BLK_CONFIG.capacity, 8);
  }
}
