// The requests of a disk by slot: what each asks for, where it is, and its bytes in the memory that is
// shared with the device.
//
//   slot: header 16 │ status 1 │ … │ 2 ranges of 16 at 32   64 bytes, then somewhere else the data
//         header 16 │ … │ place of an append 8 at 24 │ status 1
//
// More ranges than fit lie where the data of other requests is.
import type { DriverTransport } from '../../platform/contracts/index.ts';
import type { Memory } from '../../platform/node/index.ts';
import {
  BLK_APPEND_SECTOR_SIZE,
  BLK_HEADER_SIZE,
  BLK_RANGE,
  BLK_RANGE_SIZE,
  BLK_RANGE_TYPES,
  BLK_RANGE_UNMAP,
  BLK_S,
  BLK_T,
  BLK_ZONE_TYPES,
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
/** An append is answered with the sector where its data went, and the status behind it. */
const APPEND_OFFSET = 24;
const RANGES_IN_HEADER = 2;
/** Data of a page or more begins at a page, like a page-cache page. */
const PAGE = 4096;

/** A part of a disk, in bytes. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

const NO_RANGES: readonly DiskRange[] = [];
/** Types of request that change a zone. */
const CHANGES_ZONES = new Set([...BLK_ZONE_TYPES].filter((type) => type !== BLK_T.ZONE_REPORT));

export class RequestSlots {
  state = new Uint8Array(0);
  type = new Int32Array(0);
  offset = new Float64Array(0);
  length = new Float64Array(0);
  /** By slot, the ranges of a request that has some. */
  ranges: (readonly DiskRange[])[] = [];
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
    this.ranges = new Array<readonly DiskRange[]>(count).fill(NO_RANGES);
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
    return this.#memory.readU8(this.#headerOf(slot) + this.#statusOffset(slot));
  }

  /** Where an append has put its data, in bytes from the start of the disk. */
  appendedAt(slot: number): number {
    const at = this.#headerOf(slot) + APPEND_OFFSET;
    return (this.#memory.readU32(at) + this.#memory.readU32(at + 4) * 2 ** 32) * SECTOR_SIZE;
  }

  /**
   * Slots whose requests are with the device and can't be made once more when nobody knows whether they were
   * done: one that moves the write pointer of a zone would find it elsewhere.
   */
  unrepeatable({ zones }: DiskInfo): number[] {
    if (zones === null) return [];
    return [...this.state.keys()].filter((slot) => {
      const type = this.type[slot];
      const changes = type === BLK_T.OUT || CHANGES_ZONES.has(type);
      return changes && this.state[slot] === SlotState.withDevice;
    });
  }

  /** Slots whose requests wait or are with the device, oldest request first. */
  unfinished(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.state.length; slot++) {
      if (this.state[slot] >= SlotState.waiting) slots.push(slot);
    }
    return slots.sort((a, b) => this.since[a] - this.since[b] || a - b);
  }

  /**
   * The status of a request that must not or need not be sent; -1 for all others (§5.2.6.1). `room` is
   * that of the slot's data buffer.
   */
  refusal(slot: number, disk: DiskInfo, room: number): number {
    const type = this.type[slot];
    // Without FLUSH there is nothing that could be lost.
    if (type === BLK_T.FLUSH) return disk.flushes ? -1 : BLK_S.OK;
    if (type === BLK_T.GET_LIFETIME && !disk.tellsLifetime) return BLK_S.UNSUPP;
    if (BLK_RANGE_TYPES.has(type)) return this.#rangeRefusal(slot, disk, room);
    if (BLK_ZONE_TYPES.has(type) && disk.zones === null) return BLK_S.UNSUPP;
    const writes = type === BLK_T.OUT || CHANGES_ZONES.has(type);
    if (writes && disk.readOnly) return BLK_S.IOERR;
    if (type === BLK_T.ZONE_APPEND && this.length[slot] > disk.zones!.appendMax) {
      return disk.zones!.appendMax === 0 ? BLK_S.UNSUPP : BLK_S.ZONE_INVALID_CMD;
    }
    const transfers = type === BLK_T.OUT || type === BLK_T.IN;
    if (transfers && this.offset[slot] + this.length[slot] > disk.capacity) return BLK_S.IOERR;
    return this.segments(slot, disk) > disk.segmentsMax + 2 ? BLK_S.IOERR : -1;
  }

  #rangeRefusal(slot: number, disk: DiskInfo, room: number): number {
    const limits = disk.ranges[this.type[slot]];
    if (limits === undefined) return BLK_S.UNSUPP;
    const ranges = this.ranges[slot];
    const fits = ranges.length <= Math.max(RANGES_IN_HEADER, Math.floor(room / BLK_RANGE_SIZE));
    const sound = ranges.every(
      ({ offset, length }) => length <= limits.bytesMax && offset + length <= disk.capacity,
    );
    const possible = sound && fits && ranges.length <= limits.countMax && !disk.readOnly;
    return possible ? -1 : BLK_S.IOERR;
  }

  /** Segments of the slot's chain: header, data, status. */
  segments(slot: number, { segmentSizeMax }: DiskInfo): number {
    if (BLK_RANGE_TYPES.has(this.type[slot])) return 3;
    const length = this.length[slot];
    return 2 + (length <= segmentSizeMax ? Math.sign(length) : Math.ceil(length / segmentSizeMax));
  }

  /** Makes the slot's chain available; its data lies at `data`. Returns the chain's name. */
  add(slot: number, ring: DriverRing, disk: DiskInfo, data: number): number {
    const memory = this.#memory;
    const transport = this.#transport;
    const header = this.#headerOf(slot);
    const type = this.type[slot];
    const hasPlace = type === BLK_T.IN || type === BLK_T.OUT || BLK_ZONE_TYPES.has(type);
    const fromDriver = type === BLK_T.OUT || type === BLK_T.ZONE_APPEND;
    memory.writeU32(header, type);
    memory.writeU32(header + 4, 0);
    memory.writeU64(header + 8, hasPlace ? this.offset[slot] / SECTOR_SIZE : 0);
    const status = this.#statusOffset(slot);
    memory.writeU8(header + status, 0xff);
    ring.addSegment(transport.busAddress(header), BLK_HEADER_SIZE, false);
    if (BLK_RANGE_TYPES.has(type)) {
      const { length } = this.ranges[slot];
      const at = length > RANGES_IN_HEADER ? data : header + RANGE_OFFSET;
      this.#writeRanges(slot, disk, at);
      ring.addSegment(transport.busAddress(at), BLK_RANGE_SIZE * length, false);
    } else {
      const length = this.length[slot];
      for (let done = 0; done < length; done += disk.segmentSizeMax) {
        const step = Math.min(disk.segmentSizeMax, length - done);
        ring.addSegment(transport.busAddress(data + done), step, !fromDriver);
      }
    }
    const tail = type === BLK_T.ZONE_APPEND ? APPEND_OFFSET : status;
    ring.addSegment(transport.busAddress(header + tail), status - tail + 1, true);
    return ring.commit();
  }

  #statusOffset(slot: number): number {
    const appends = this.type[slot] === BLK_T.ZONE_APPEND;
    return appends ? APPEND_OFFSET + BLK_APPEND_SECTOR_SIZE : STATUS_OFFSET;
  }

  #headerOf(slot: number): number {
    return this.#headers + SLOT_HEADER * slot;
  }

  #writeRanges(slot: number, { unmaps }: DiskInfo, address: number): void {
    const unmap = this.type[slot] === BLK_T.WRITE_ZEROES && unmaps;
    const memory = this.#memory;
    for (const [i, { offset, length }] of this.ranges[slot].entries()) {
      const at = address + BLK_RANGE_SIZE * i;
      memory.writeU64(at + BLK_RANGE.sector, offset / SECTOR_SIZE);
      memory.writeU32(at + BLK_RANGE.sectorCount, length / SECTOR_SIZE);
      memory.writeU32(at + BLK_RANGE.flags, unmap ? BLK_RANGE_UNMAP : 0);
    }
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
