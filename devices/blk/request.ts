// One request under way, and what its header asks for (virtio 1.4 §5.2.6). Whatever bytes a driver
// sends, the outcome is a request that can be served or one that ends with an error status.
import {
  BLK_APPEND_SECTOR_SIZE,
  BLK_F,
  BLK_HEADER_SIZE,
  BLK_ID_SIZE,
  BLK_LIFETIME_SIZE,
  BLK_RANGE,
  BLK_RANGE_SIZE,
  BLK_RANGE_UNMAP,
  BLK_S,
  BLK_T,
  BLK_ZONE_TYPES,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import { readU32 } from '../../platform/wire/index.ts';
import type { Chain, QueueEngine } from '../common/index.ts';
import { RANGE_SECTORS_MAX, RANGES_MAX } from './config-space.ts';
import type { Zones } from './zones.ts';

/** Slots are reused; their buffers grow to the largest request seen. */
export class Request {
  queue: QueueEngine | null = null;
  chain: Chain | null = null;
  /** Counts the uses of the slot, so that a late answer to a forgotten request is known as such. */
  generation = 0;
  type = 0;
  offset = 0;
  /** Bytes of data that it moves, or those of its ranges together. */
  dataLength = 0;
  status: number = BLK_S.OK;
  /** Bytes that are reserved for it in the write cache. */
  reserved = 0;
  /** It is served, and waits until those before it are, too. */
  served = false;
  /** How often its zone had been reset when it was admitted; only on zoned disks. */
  zoneResets = 0;
  /** Ranges of a discard, write-zeroes or secure-erase request; they lie in `bytes` behind the header. */
  rangeCount = 0;
  /** Header and data as read from the driver, or the data to be written to it. */
  bytes = new Uint8Array(BLK_HEADER_SIZE + 4096);

  /** Byte offset of a range on the disk. */
  rangeOffset(index: number): number {
    const at = BLK_HEADER_SIZE + BLK_RANGE_SIZE * index + BLK_RANGE.sector;
    return readSector(this.bytes, at) * SECTOR_SIZE;
  }

  /** Bytes of a range. */
  rangeLength(index: number): number {
    const at = BLK_HEADER_SIZE + BLK_RANGE_SIZE * index + BLK_RANGE.sectorCount;
    return readU32(this.bytes, at) * SECTOR_SIZE;
  }

  rangeFlags(index: number): number {
    return readU32(this.bytes, BLK_HEADER_SIZE + BLK_RANGE_SIZE * index + BLK_RANGE.flags);
  }

  fail(status: number): void {
    this.status = status;
    this.dataLength = 0;
    this.rangeCount = 0;
  }
}

/** What decides whether a request is possible. */
export interface DiskLimits {
  /** The zones of a disk that has some. */
  readonly zones: Zones | null;
  size: number;
  readonly readOnly: boolean;
  /** Features that the driver has accepted. */
  features: bigint;
  /** Largest number of data segments, and of bytes in one; Infinity for no limit. */
  readonly segmentsMax: number;
  readonly segmentSizeMax: number;
}

/**
 * Makes sense of the `length` bytes that were read of a chain. Returns what a driver has done wrong that
 * no status can tell, or null.
 */
export function interpret(request: Request, length: number, limits: DiskLimits): string | null {
  const { bytes } = request;
  const chain = request.chain!;
  request.status = BLK_S.OK;
  request.dataLength = 0;
  request.rangeCount = 0;
  if (length < BLK_HEADER_SIZE || chain.writableBytes < 1) {
    request.fail(BLK_S.IOERR);
    return 'a chain without header or status';
  }
  request.type = readU32(bytes, 0);
  request.offset = readSector(bytes, 8) * SECTOR_SIZE;
  const tail = 1 + (request.type === BLK_T.ZONE_APPEND ? BLK_APPEND_SECTOR_SIZE : 0);
  if (segmentsAreTooMany(chain, tail, limits)) {
    request.fail(BLK_S.IOERR);
    return 'more or longer segments than the disk has said that it takes';
  }
  const readable = length - BLK_HEADER_SIZE;
  const writable = chain.writableBytes - 1;
  if (BLK_ZONE_TYPES.has(request.type)) {
    checkZoneRequest(request, { readable, writable }, limits);
    return null;
  }
  switch (request.type) {
    case BLK_T.IN:
      checkTransfer(request, writable, limits);
      break;
    case BLK_T.OUT:
      if (limits.readOnly) request.fail(BLK_S.IOERR);
      else checkTransfer(request, readable, limits);
      break;
    case BLK_T.FLUSH:
      break;
    case BLK_T.GET_ID:
      request.dataLength = Math.min(BLK_ID_SIZE, writable);
      break;
    case BLK_T.GET_LIFETIME:
      request.dataLength = Math.min(BLK_LIFETIME_SIZE, writable);
      if ((limits.features & BLK_F.LIFETIME) === 0n) request.fail(BLK_S.UNSUPP);
      break;
    case BLK_T.DISCARD:
    case BLK_T.WRITE_ZEROES:
    case BLK_T.SECURE_ERASE:
      checkRanges(request, readable, limits);
      break;
    default:
      request.fail(BLK_S.UNSUPP);
  }
  return null;
}

/** Framing is free (§2.7.4): of each segment only what holds data counts, not header and status. */
function segmentsAreTooMany(
  chain: Chain,
  tail: number,
  { segmentsMax, segmentSizeMax }: DiskLimits,
): boolean {
  let count = 0;
  let end = 0;
  for (let i = 0; i < chain.count; i++) {
    if (i === chain.readableCount) end = 0;
    const start = end;
    end += chain.lengths[i];
    const data =
      i < chain.readableCount
        ? end - Math.max(start, BLK_HEADER_SIZE)
        : Math.min(end, chain.writableBytes - tail) - start;
    if (data <= 0) continue;
    count++;
    if (data > segmentSizeMax) return true;
  }
  return count > segmentsMax;
}

function checkTransfer(request: Request, length: number, limits: DiskLimits): void {
  request.dataLength = length;
  const whole = length % SECTOR_SIZE === 0;
  if (!whole || request.offset + length > limits.size) request.fail(BLK_S.IOERR);
  else if (limits.zones !== null) admit(request, limits.zones);
}

/** Requests that only disks with zones have (§5.2.6). */
function checkZoneRequest(
  request: Request,
  { readable, writable }: { readonly readable: number; readonly writable: number },
  { zones, features, readOnly, size }: DiskLimits,
): void {
  const { type, offset } = request;
  if (zones === null || (features & BLK_F.ZONED) === 0n) return request.fail(BLK_S.UNSUPP);
  const reports = type === BLK_T.ZONE_REPORT;
  if (readOnly && !reports) return request.fail(BLK_S.IOERR);
  if (offset >= size && type !== BLK_T.ZONE_RESET_ALL) return request.fail(BLK_S.ZONE_INVALID_CMD);
  if (type === BLK_T.ZONE_APPEND) {
    const framed = readable % SECTOR_SIZE === 0 && writable >= BLK_APPEND_SECTOR_SIZE;
    if (!framed) return request.fail(BLK_S.IOERR);
    request.dataLength = readable;
  }
  if (reports) request.dataLength = writable;
  admit(request, zones);
}

function admit(request: Request, zones: Zones): void {
  const { status, offset } = zones.admit(request.type, request.offset, request.dataLength);
  if (status !== BLK_S.OK) return request.fail(status);
  request.offset = offset;
  request.zoneResets = zones.resetsAt(offset);
}

/** The feature that each type of request with ranges needs. */
const RANGE_FEATURES: Readonly<Record<number, bigint>> = {
  [BLK_T.DISCARD]: BLK_F.DISCARD,
  [BLK_T.WRITE_ZEROES]: BLK_F.WRITE_ZEROES,
  [BLK_T.SECURE_ERASE]: BLK_F.SECURE_ERASE,
};

function checkRanges(request: Request, length: number, limits: DiskLimits): void {
  if ((limits.features & RANGE_FEATURES[request.type]) === 0n) return request.fail(BLK_S.UNSUPP);
  const count = length / BLK_RANGE_SIZE;
  const countable = Number.isInteger(count) && count > 0 && count <= RANGES_MAX;
  if (!countable || limits.readOnly) return request.fail(BLK_S.IOERR);
  const flags = request.type === BLK_T.WRITE_ZEROES ? BLK_RANGE_UNMAP : 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if ((request.rangeFlags(i) & ~flags) !== 0) return request.fail(BLK_S.UNSUPP);
    const bytes = request.rangeLength(i);
    const tooLong = bytes > RANGE_SECTORS_MAX * SECTOR_SIZE;
    if (tooLong || request.rangeOffset(i) + bytes > limits.size) return request.fail(BLK_S.IOERR);
    total += bytes;
  }
  request.rangeCount = count;
  request.dataLength = total;
}

/** A sector number; beyond 2^53 it is not exact, and far beyond any disk. */
function readSector(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
}
