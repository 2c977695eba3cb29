// The fio workload on a zoned disk: it writes zones sequentially, by writes at their pointers or by appends, resets
// those that are full, and reads what it has written. With `verify` every block that is read is compared.
import type { WorkloadEnvironment, WorkloadResult } from '../../platform/contracts/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import {
  BLK_S,
  BLK_T,
  BLK_ZS,
  BLK_ZT,
  blkZone,
  blkZoneReport,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import type { BlkClient, BlkDriver } from '../blk/index.ts';
import { ExpectedDisk } from './expected-disk.ts';
import type { FioOptions } from './fio-options.ts';
import { totalOf } from './progress.ts';
import { WorkloadBase } from './workload-base.ts';
import { type PlannedZone, ZonePlan } from './zone-plan.ts';

const DEFAULT_OPERATIONS = 1000;
/** Appends to the same zone at a time, if there are enough of them. */
const APPENDS_PER_ZONE = 4;

/** Kinds of request, by index of those that the report tells apart. */
const READ = 0;
const WRITE = 1;
const RESET = 2;

export class ZonedFio extends WorkloadBase implements BlkClient {
  readonly #options: FioOptions;
  readonly #driver: BlkDriver;
  readonly #random;
  readonly #appends: boolean;
  readonly #scratch: Uint8Array;
  readonly #words: Int32Array;
  readonly #zones: PlannedZone[] = [];
  /** Null until the disk has told of all its zones. */
  #plan: ZonePlan | null = null;
  #expected: ExpectedDisk | null = null;
  #capacity = 0;
  #left: number;
  /** By slot: what it does, and where. */
  readonly #operation: Int32Array;
  readonly #block: Int32Array;
  readonly #zoneOf: PlannedZone[] = [];
  /** Slots that wait for a zone. */
  readonly #held: number[] = [];
  #recoveries = 0;
  #resets = 0;

  constructor(environment: WorkloadEnvironment<FioOptions, BlkDriver>) {
    const { node, plan, driver, finished } = environment;
    const { options } = plan;
    const { operations: wanted, duration, depth, thinkTime, blockSize } = options;
    const total = totalOf({ wanted, duration, otherwise: DEFAULT_OPERATIONS });
    super({
      ...{ node, name: plan.name, depth, total, thinkTime, finished },
      duration: duration ?? Infinity,
      operations: ['read', options.zoned!, 'reset'],
    });
    this.#options = options;
    this.#driver = driver;
    this.#left = total;
    this.#appends = options.zoned === 'append';
    this.#random = node.random(`workload/${plan.name}`);
    const scratch = new ArrayBuffer(blockSize);
    this.#scratch = new Uint8Array(scratch);
    this.#words = new Int32Array(scratch);
    this.#operation = new Int32Array(depth);
    this.#block = new Int32Array(depth);
    this.firstSlot = driver.reserve(this, depth, blockSize);
  }

  blkReady(capacity: number): void {
    if (this.#plan !== null) return;
    this.#capacity = capacity;
    this.#zones.length = 0;
    this.#ask(0);
  }

  blkRecovered(): void {
    this.#recoveries++;
  }

  blkDown(reason: string): void {
    this.down(reason);
  }

  blkCompleted(slot: number, status: number, latency: number): void {
    if (this.#plan === null) return this.#told(status);
    const index = slot - this.firstSlot;
    const zone = this.#zoneOf[index];
    const operation = this.#operation[index];
    let failed = status !== BLK_S.OK;
    if (operation === RESET) this.#plan.resetOver(zone, !failed);
    else if (operation === WRITE) this.#written(slot, zone, failed);
    else {
      this.#plan.readOver(zone);
      if (!failed) failed = !this.#verify(slot, this.#block[index]);
    }
    const bytes = operation === RESET ? 0 : this.#options.blockSize;
    this.over(slot, latency, failed, bytes, operation);
    // What has ended may be what others wait for.
    for (const held of this.#held.splice(0)) this.goOn(held);
  }

  override result(): WorkloadResult {
    const [recoveries, zoneResets] = [this.#recoveries, this.#resets];
    const extra = { recoveries, zoneResets, zonesFilled: this.#plan?.filled ?? 0 };
    return { ...super.result(), extra };
  }

  protected override next(slot: number): boolean {
    if (this.#left <= 0) return false;
    const plan = this.#plan!;
    const index = slot - this.firstSlot;
    const { blockSize } = this.#options;
    const zone = this.#isRead() ? null : plan.write();
    const read = zone === null ? plan.read() : null;
    const target = zone ?? read?.zone ?? plan.write();
    if (target === null) {
      this.#held.push(slot);
      return true;
    }
    this.#left--;
    this.#zoneOf[index] = target;
    if (read !== null) {
      this.#operation[index] = READ;
      this.#block[index] = read.block;
      this.#driver.submit(slot, BLK_T.IN, read.block * blockSize, blockSize);
    } else if (target.resetting) {
      this.#operation[index] = RESET;
      this.#resets++;
      this.#driver.submit(slot, BLK_T.ZONE_RESET, target.offset, 0);
    } else this.#write(slot, target);
    return true;
  }

  #write(slot: number, { offset, next }: PlannedZone): void {
    const index = slot - this.firstSlot;
    const { blockSize } = this.#options;
    this.#operation[index] = WRITE;
    this.#block[index] = next - 1;
    this.#random.fill(this.#scratch);
    this.node.memory.copyIn(this.#driver.dataAddress(slot), this.#scratch, 0, blockSize);
    if (this.#appends) this.#driver.submit(slot, BLK_T.ZONE_APPEND, offset, blockSize);
    else this.#driver.submit(slot, BLK_T.OUT, (next - 1) * blockSize, blockSize);
  }

  /** A write is over; an append tells only now where its data is. */
  #written(slot: number, zone: PlannedZone, failed: boolean): void {
    const { blockSize } = this.#options;
    const index = slot - this.firstSlot;
    if (failed) return this.#plan!.writeOver(zone, -1);
    const appended = this.#driver.appendedAt(slot) / blockSize;
    const block = this.#appends ? appended : this.#block[index];
    if (block < zone.start || block >= zone.end || zone.written.includes(block)) {
      this.#wrong(`block ${block} is no place for an append to zone ${zone.start}`);
      return this.#plan!.writeOver(zone, -1);
    }
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#scratch, 0, blockSize);
    this.#expected?.written(block, this.#scratch);
    this.#plan!.writeOver(zone, block);
  }

  #verify(slot: number, block: number): boolean {
    if (this.#expected === null) return true;
    const { blockSize } = this.#options;
    this.verified++;
    this.node.memory.copyOut(this.#driver.dataAddress(slot), this.#scratch, 0, blockSize);
    if (this.#expected.matches(block, this.#scratch, this.#words)) return true;
    this.#wrong(`block ${block} is not what it must be`);
    return false;
  }

  #isRead(): boolean {
    const { rw, readPercent } = this.#options;
    if (rw.endsWith('rw')) return this.#random.ratio(readPercent, 100);
    return rw.endsWith('read');
  }

  /** Asks for the zones from a place on, as many as the buffer of a slot has room for. */
  #ask(offset: number): void {
    this.#driver.submit(this.firstSlot, BLK_T.ZONE_REPORT, offset, this.#options.blockSize);
  }

  #told(status: number): void {
    if (status !== BLK_S.OK) return this.down('the disk does not tell of its zones');
    const { blockSize } = this.#options;
    const address = this.#driver.dataAddress(this.firstSlot);
    this.node.memory.copyOut(address, this.#scratch, 0, blockSize);
    const { nrZones } = blkZoneReport.decode(this.#scratch, 0, blkZoneReport.fixedSize);
    const { size } = this.#driver.disk.zones!;
    let end = this.#capacity;
    for (let i = 0; i < Number(nrZones); i++) {
      const at = blkZoneReport.fixedSize + i * blkZone.fixedSize;
      const zone = blkZone.decode(this.#scratch, at, blkZone.fixedSize);
      const offset = Number(zone.zStart) * SECTOR_SIZE;
      const capacity = Number(zone.zCap) * SECTOR_SIZE;
      if (zone.zType !== BLK_ZT.CONV) this.#add(offset, capacity, zone.zState === BLK_ZS.EMPTY);
      end = offset + size;
    }
    if (end < this.#capacity) this.#ask(end);
    else this.#begin();
  }

  #add(offset: number, capacity: number, isEmpty: boolean): void {
    const { blockSize } = this.#options;
    const start = offset / blockSize;
    const end = start + Math.floor(capacity / blockSize);
    const idle = { readers: 0, writers: 0, resetting: false, broken: false };
    // What is in a zone already is not this workload's, and makes way first.
    const next = isEmpty ? start : end;
    this.#zones.push({ offset, start, end, next, written: [], ...idle });
  }

  #begin(): void {
    const { depth, verify } = this.#options;
    const { openMax, activeMax } = this.#driver.disk.zones!;
    const useful = this.#appends ? Math.ceil(depth / APPENDS_PER_ZONE) : depth;
    this.#plan = new ZonePlan(this.#zones, {
      zonesMax: Math.min(useful, openMax, activeMax),
      appends: this.#appends,
      draw: (limit) => this.#random.below(limit),
    });
    const { blockSize } = this.#options;
    const backing = Backing.ofMemory(this.#capacity);
    if (verify) this.#expected = new ExpectedDisk({ backing, blockSize, volatile: false });
    this.ready();
  }

  #wrong(text: string): void {
    this.node.violations.report('VERIFY', `${this.name}: ${text}`);
  }
}
