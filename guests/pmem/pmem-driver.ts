// The virtio-pmem driver (virtio 1.4 §5.19.6) as a disk: reads and writes are loads and stores of the region, a flush
// is a request. A device that fails is reset, and what was under way is done again.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import {
  BLK_S,
  BLK_T,
  PMEM_DEVICE_ID,
  PMEM_F,
  PMEM_REGION,
  PMEM_REQUEST,
  PMEM_REQUEST_SIZE,
  PMEM_RESPONSE_SIZE,
  PMEM_RET,
} from '../../platform/virtio/index.ts';
import { BLK_LOST, type BlkClient, type BlockDriver } from '../blk/index.ts';
import { FIRST_SLOT_DRIVER_STEP, FlushLedger, RequestEnd, SlotDriver } from '../common/index.ts';
import { Transfers } from './transfers.ts';

/** Request and response of a slot have a line of 64 bytes. */
const LINE = 64;
const RESPONSE = 32;
const SEGMENTS = 2;
const STEP_REFUSE = FIRST_SLOT_DRIVER_STEP;

/** Where a read or write is. */
const CopyState = { none: 0, copying: 1, waiting: 2 } as const;

export class PmemDriver extends SlotDriver<BlkClient> implements BlockDriver {
  readonly #transfers: Transfers;
  readonly #ledger = new FlushLedger();
  /** Data buffers of all slots, which the device does not reach. */
  #data = -1;
  // By slot.
  #type = new Int32Array(0);
  #offset = new Float64Array(0);
  #since = new Float64Array(0);
  #copy = new Uint8Array(0);
  /** The device is being reset. */
  #isInterrupted = false;

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: PMEM_DEVICE_ID,
      queueCount: 1,
      features: PMEM_F.SHMEM_REGION,
      requiredFeatures: PMEM_F.SHMEM_REGION,
      // §5.19.5.2: with a region, start and size say nothing.
      configSize: 0,
      shmid: PMEM_REGION,
      segmentsMax: SEGMENTS,
      // The host may take as long as it takes.
      timeout: Infinity,
    });
    this.#transfers = new Transfers({
      node: this.node,
      port: () => this.transport.regions!,
      ended: (slot, done) => this.#copied(slot, done),
    });
  }

  reserve(client: BlkClient, count: number, dataBytes: number): number {
    return this.slots.reserve(client, count, dataBytes, dataBytes >= PAGE_SIZE ? PAGE_SIZE : LINE);
  }

  dataAddress(slot: number): number {
    return this.#data + this.slots.offsetOf(slot);
  }

  submit(slot: number, type: number, offset: number, length: number): void {
    this.#type[slot] = type;
    this.#offset[slot] = offset;
    this.#transfers.length[slot] = length;
    this.#since[slot] = this.node.kernel.now;
    if (type === BLK_T.FLUSH) return this.begin(slot, 1);
    const cost = this.node.charge(this.node.timing.submit);
    if (this.#refusal(slot) !== BLK_S.OK) return this.later(STEP_REFUSE, cost, slot);
    this.#copy[slot] = CopyState.waiting;
    if (this.live) this.#start(slot, cost);
  }

  protected override bufferBytes(): number {
    return Math.max(LINE, LINE * this.slots.count);
  }

  protected override wentLive(buffers: number): void {
    const { count, bytes } = this.slots;
    this.#isInterrupted = false;
    if (this.#type.length !== count) {
      this.#data = this.node.memory.allocate(Math.max(LINE, bytes), PAGE_SIZE);
      this.#type = new Int32Array(count);
      this.#offset = new Float64Array(count);
      this.#transfers.clear(count);
      this.#since = new Float64Array(count);
      this.#copy = new Uint8Array(count);
    }
    super.wentLive(buffers);
  }

  /** Whether flushed or not, the region has what it has; only a failure of the power takes some away. */
  protected override cameBack(): void {
    for (const { client } of this.slots.ranges) client.blkRecovered?.();
    super.cameBack();
    for (const slot of this.#waiting()) this.#start(slot, 0);
  }

  protected override interrupted(): void {
    this.#isInterrupted = true;
    this.#transfers.forget();
    this.#ledger.failed();
    for (let slot = 0; slot < this.#copy.length; slot++) {
      if (this.#copy[slot] === CopyState.copying) this.#copy[slot] = CopyState.waiting;
    }
    super.interrupted();
  }

  protected override wentDown(reason: string): void {
    this.#isInterrupted = false;
    this.#transfers.forget();
    // First, so that nobody submits another request for each that fails.
    for (const { client } of this.slots.ranges) client.blkDown(reason);
    for (let slot = 0; slot < this.#copy.length; slot++) {
      if (this.#copy[slot] !== CopyState.none) this.#finish(slot, BLK_LOST);
    }
    super.wentDown(reason);
  }

  protected override work(step: number, slot: number): void {
    if (step === STEP_REFUSE) this.#finish(slot, this.#refusal(slot));
    else super.work(step, slot);
  }

  protected override hasRoom(): boolean {
    return this.rings[0].hasRoom(SEGMENTS);
  }

  protected override add(slot: number): void {
    const { memory } = this.node;
    const at = this.buffers + slot * LINE;
    memory.writeU32(at, PMEM_REQUEST.FLUSH);
    memory.writeU32(at + RESPONSE, PMEM_RET.FAILED);
    this.#ledger.flushing(slot);
    const [ring] = this.rings;
    ring.addSegment(this.transport.busAddress(at), PMEM_REQUEST_SIZE, false);
    ring.addSegment(this.transport.busAddress(at + RESPONSE), PMEM_RESPONSE_SIZE, true);
    this.addChain(slot);
  }

  protected override ended(slot: number, end: RequestEnd): void {
    if (end !== RequestEnd.returned) return this.#finish(slot, BLK_LOST);
    const ret = this.node.memory.readU32(this.buffers + slot * LINE + RESPONSE);
    if (ret !== PMEM_RET.OK) return this.#finish(slot, BLK_S.IOERR);
    this.#ledger.flushed(slot);
    // It cannot promise what was lost before it.
    this.#finish(slot, this.#ledger.takeLoss() ? BLK_S.IOERR : BLK_S.OK);
  }

  protected override tellReady(): void {
    for (const { client } of this.slots.ranges) client.blkReady(this.region.length);
  }

  /** Everybody has been told already. */
  protected override tellDown(): void {}

  /** What becomes of a request that is no access within the region, nor a flush. */
  #refusal(slot: number): number {
    if (!this.live && !this.#isInterrupted) return BLK_LOST;
    const type = this.#type[slot];
    if (type !== BLK_T.IN && type !== BLK_T.OUT) return BLK_S.UNSUPP;
    const fits = this.#offset[slot] + this.#transfers.length[slot] <= this.region.length;
    return fits ? BLK_S.OK : BLK_S.IOERR;
  }

  #start(slot: number, cost: number): void {
    this.#copy[slot] = CopyState.copying;
    const transfers = this.#transfers;
    transfers.buffer[slot] = this.dataAddress(slot);
    transfers.address[slot] = this.region.address + this.#offset[slot];
    transfers.isWrite[slot] = this.#type[slot] === BLK_T.OUT ? 1 : 0;
    transfers.begin(slot, cost);
  }

  #copied(slot: number, done: boolean): void {
    if (done && this.#type[slot] === BLK_T.OUT) this.#ledger.wrote();
    this.#finish(slot, done ? BLK_S.OK : BLK_S.IOERR);
  }

  /** Slots with reads and writes that wait for the device, oldest first. */
  #waiting(): number[] {
    const slots = [...this.#copy.keys()].filter((slot) => this.#copy[slot] === CopyState.waiting);
    return slots.sort((a, b) => this.#since[a] - this.#since[b] || a - b);
  }

  #finish(slot: number, status: number): void {
    this.#copy[slot] = CopyState.none;
    const latency = this.node.kernel.now - this.#since[slot];
    this.slots.clientOf(slot).blkCompleted(slot, status, latency);
  }
}
