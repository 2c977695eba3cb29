// The requests of a disk by slot: what each asks for, where it is, and its bytes in the memory that is
// shared with the device.
//
//   slot: header 16 │ status 1 │ … │ range 16 at 32 │ …  64 bytes, then somewhere else the data
import type { DriverTransport } from '../../platform/contracts/index.ts';
import type { Memory } from '../../platform/node/index.ts';
import {
  BLK_HEADER_SIZE,
  BLK_RANGE,
  BLK_RANGE_SIZE,
  BLK_RANGE_UNMAP,
  BLK_S,
  BLK_T,
  type DriverRing,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import type { DiskInfo } from './disk-info.ts';

/** Where a slot's request is. */
export const SlotState = { idle: 0, submitting: 1, waiting: 2, withDevice: 3 } as const;

/** Bytes of a slot before its data, in a 64-byte line of its own. */
const SLOT_HEADER = 64;
const STATUS_OFFSET = BLK_HEADER_SIZE;
const RANGE_OFFSET = 32;
/** Data of a page or more begins at a page, like a page-cache page. */
const PAGE = 4096;

export class RequestSlots {
  state = new Uint8Array(0);
  type = new Int32Array(0);
  offset = new Float64Array(0);
  length = new Float64Array(0);
  /** When each was submitted, and in which event. */
  since = new Float64Array(0);
  sinceKey = new Float64Array(0);
  readonly #memory: Memory;
  readonly #transport: DriverTransport;
  #headers = 0;

  constructor(memory: Memory, transport: DriverTransport) {
    this.#memory = memory;
    this.#transport = transport;
  }

  /** Forgets all requests, and has this many slots from now on. */
  clear(count: number): void {
    this.state = new Uint8Array(count);
    this.type = new Int32Array(count);
    this.offset = new Float64Array(count);
    this.length = new Float64Array(count);
    this.since = new Float64Array(count);
    this.sinceKey = new Float64Array(count);
  }

  /** Places the headers at this address; returns where data begins. */
  place(headers: number, count: number): number {
    this.#headers = headers;
    return dataStart(headers, count);
  }

  /** The status that the device has written. */
  statusOf(slot: number): number {
    return this.#memory.readU8(this.#headerOf(slot) + STATUS_OFFSET);
  }

  /** Slots whose requests wait or are with the device, oldest request first. */
  unfinished(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.state.length; slot++) {
      if (this.state[slot] >= SlotState.waiting) slots.push(slot);
    }
    return slots.sort((a, b) => this.since[a] - this.since[b] || a - b);
  }

  /** The status of a request that must not or need not be sent; -1 for all others (§5.2.6.1). */
  refusal(slot: number, disk: DiskInfo): number {
    const { capacity, readOnly, discardMax, writeZeroesMax } = disk;
    const type = this.type[slot];
    const length = this.length[slot];
    // Without FLUSH there is nothing that could be lost.
    if (type === BLK_T.FLUSH) return disk.flushes ? -1 : BLK_S.OK;
    const ranges = this.#hasRange(slot);
    const rangeMax = type === BLK_T.DISCARD ? discardMax : writeZeroesMax;
    if (ranges && rangeMax === 0) return BLK_S.UNSUPP;
    if (ranges && length > rangeMax) return BLK_S.IOERR;
    const writes = ranges || type === BLK_T.OUT;
    if (writes && readOnly) return BLK_S.IOERR;
    if ((writes || type === BLK_T.IN) && this.offset[slot] + length > capacity) return BLK_S.IOERR;
    return this.segments(slot, disk) > disk.segmentsMax + 2 ? BLK_S.IOERR : -1;
  }

  /** Segments of the slot's chain: header, data, status. */
  segments(slot: number, { segmentSizeMax }: DiskInfo): number {
    if (this.#hasRange(slot)) return 3;
    const length = this.length[slot];
    return 2 + (length <= segmentSizeMax ? Math.sign(length) : Math.ceil(length / segmentSizeMax));
  }

  /** Makes the slot's chain available; its data lies at `data`. Returns the chain's name. */
  add(slot: number, ring: DriverRing, disk: DiskInfo, data: number): number {
    const memory = this.#memory;
    const transport = this.#transport;
    const header = this.#headerOf(slot);
    const type = this.type[slot];
    const transfers = type === BLK_T.IN || type === BLK_T.OUT;
    memory.writeU32(header, type);
    memory.writeU32(header + 4, 0);
    memory.writeU64(header + 8, transfers ? this.offset[slot] / SECTOR_SIZE : 0);
    memory.writeU8(header + STATUS_OFFSET, 0xff);
    ring.addSegment(transport.busAddress(header), BLK_HEADER_SIZE, false);
    if (this.#hasRange(slot)) {
      this.#writeRange(slot, disk);
      ring.addSegment(transport.busAddress(header + RANGE_OFFSET), BLK_RANGE_SIZE, false);
    } else {
      const length = this.length[slot];
      for (let done = 0; done < length; done += disk.segmentSizeMax) {
        const step = Math.min(disk.segmentSizeMax, length - done);
        ring.addSegment(transport.busAddress(data + done), step, type !== BLK_T.OUT);
      }
    }
    ring.addSegment(transport.busAddress(header + STATUS_OFFSET), 1, true);
    return ring.commit();
  }

  #headerOf(slot: number): number {
    return this.#headers + SLOT_HEADER * slot;
  }

  #hasRange(slot: number): boolean {
    const type = this.type[slot];
    return type === BLK_T.DISCARD || type === BLK_T.WRITE_ZEROES;
  }

  #writeRange(slot: number, { unmaps }: DiskInfo): void {
    const range = this.#headerOf(slot) + RANGE_OFFSET;
    const unmap = this.type[slot] === BLK_T.WRITE_ZEROES && unmaps;
    this.#memory.writeU64(range + BLK_RANGE.sector, this.offset[slot] / SECTOR_SIZE);
    this.#memory.writeU32(range + BLK_RANGE.sectorCount, this.length[slot] / SECTOR_SIZE);
    this.#memory.writeU32(range + BLK_RANGE.flags, unmap ? BLK_RANGE_UNMAP : 0);
  }
}

/** Where data begins, behind the headers of so many slots: at the next page. */
export function dataStart(headers: number, slots: number): number {
  return Math.ceil((headers + slots * SLOT_HEADER) / PAGE) * PAGE;
}

/** Alignment of a data buffer of so many bytes. */
export function dataAlignment(bytes: number): number {
  return bytes >= PAGE ? PAGE : 64;
}
