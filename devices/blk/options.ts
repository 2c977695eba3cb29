// What a scenario may say of a block device.
import { z } from 'zod';
import type { DevicePlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { count, size, time } from '../../platform/scenario/fields.ts';
import { BLK_QUEUES_MAX } from '../../platform/virtio/index.ts';
import {
  checkWriteBack,
  commonOptions,
  imageOptions,
  inOrderOption,
  powerLossOption,
  queueSize,
} from '../common/index.ts';

const SECTOR = 512;
const sectors = (bounds: { readonly min?: number } = {}) =>
  size({ min: 0, ...bounds, multipleOf: SECTOR });

const topology = z.strictObject({
  physicalBlock: sectors({ min: SECTOR }).describe('Bytes of a block of the medium itself.'),
  alignmentOffset: count({ max: 255 })
    .default(0)
    .describe('Blocks before the first one that is aligned with the medium.'),
  minimumIo: sectors().default(0).describe('Smallest request that is served well; 0 to say none.'),
  optimalIo: sectors().default(0).describe('Size of requests served best; 0 to say none.'),
});

/** As JEDEC eMMC and UFS have it: 0 says nothing, then in steps of a tenth to 11 for worn out. */
const wear = () => count({ max: 11 }).default(0);
const lifetime = z.strictObject({
  preEol: count({ max: 3 })
    .default(1)
    .describe(
      'Reserved blocks: 1 enough, 2 four fifths used, 3 nine tenths used; 0 to say nothing.',
    ),
  typeA: wear().describe('Tenths of the life of SLC cells that are used up, 1 … 10; 11 for more.'),
  typeB: wear().describe('Likewise of MLC cells.'),
});

/** Each zone has a chart of its own. */
const ZONES_MAX = 4096;

const zones = z.strictObject({
  size: sectors({ min: SECTOR }).describe('Size of a zone; the last one may be smaller.'),
  capacity: sectors({ min: SECTOR })
    .optional()
    .describe('What of a zone can be written. Default: all of it.'),
  conventional: count({ min: 0 })
    .default(0)
    .describe('Zones at the start of the disk that can be written anywhere.'),
  maxOpen: count({ min: 0 }).default(0).describe('Open zones at the most; 0 for no limit.'),
  maxActive: count({ min: 0 }).default(0).describe('Active zones at the most; 0 for no limit.'),
  append: size({ min: 0, multipleOf: SECTOR })
    .default(64 * 1024)
    .describe('Largest append; 0 to take none.'),
});

export type ZoneOptions = z.output<typeof zones>;

export const blkOptions = z.strictObject({
  image: imageOptions.image,
  capacity: size({ min: 512, multipleOf: 512 })
    .default(64 * 1024 * 1024)
    .describe('Size of a disk without an image; it begins as zeroes.'),
  writeBack: imageOptions.writeBack,
  queueSize: queueSize({ min: 1 }).default(256).describe('Largest size of each request queue.'),
  queues: count({ min: 1, max: BLK_QUEUES_MAX })
    .default(1)
    .describe('Number of request queues; more than one are offered by MQ.'),
  ...commonOptions,
  ...inOrderOption,
  readOnly: z.boolean().default(false).describe('Offer RO: the disk refuses to be written.'),
  blockSize: sectors({ min: SECTOR })
    .default(SECTOR)
    .describe('What BLK_SIZE says; requests are still in sectors of 512 bytes.'),
  topology: topology.optional().describe('What TOPOLOGY says; not offered when left out.'),
  segments: count({ min: 1, max: 1024 })
    .default(16)
    .describe('What SEG_MAX says: segments of data in one request.'),
  segmentSize: size({ min: SECTOR })
    .optional()
    .describe('What SIZE_MAX says: bytes of one segment; not offered when left out.'),
  discard: z.boolean().default(false).describe('Offer DISCARD.'),
  writeZeroes: z.boolean().default(false).describe('Offer WRITE_ZEROES.'),
  secureErase: z.boolean().default(false).describe('Offer SECURE_ERASE.'),
  zones: zones
    .optional()
    .describe('Offer ZONED: the disk is host-managed, its zones are written sequentially.'),
  lifetime: lifetime.optional().describe('What GET_LIFETIME answers; not offered when left out.'),
  writeCache: size({ min: 0 })
    .default(0)
    .describe('Volatile write cache of this size, which CONFIG_WCE can switch off; 0 for none.'),
  parallel: count({ min: 1, max: 1024 })
    .default(8)
    .describe('Requests that the medium serves at the same time.'),
  service: z
    .enum(['constant', 'exponential'])
    .default('constant')
    .describe('Service times as the constants say, or drawn with them as means.'),
  serial: z.string().max(20).default('busbar').describe('What GET_ID answers.'),
  ...powerLossOption,
  resize: z
    .array(
      z.strictObject({
        at: time({ min: 1 }).describe('When the capacity changes.'),
        capacity: sectors({ min: SECTOR }).describe('What it is from then on.'),
      }),
    )
    .default([])
    .describe('Changes of the capacity while the disk is in use.'),
});

export type BlkOptions = z.output<typeof blkOptions>;

const isPowerOfTwo = (value: number) => value >= 1 && Number.isInteger(Math.log2(value));

/** What the schema cannot say: block sizes fit one another, and an image can be written back. */
export function checkBlk(plan: DevicePlan, topology: Topology): readonly Finding[] {
  return [...checkSizes(plan), ...checkZones(plan), ...checkWriteBack(plan, topology)];
}

function checkSizes({ options }: DevicePlan): readonly Finding[] {
  const { blockSize, topology: layout, capacity, image } = options as BlkOptions;
  const findings: Finding[] = [];
  if (!isPowerOfTwo(blockSize) || blockSize > 65536) {
    const expected = 'a power of two from 512B to 64KiB';
    findings.push({ field: 'blockSize', message: 'no block has this size', expected });
  }
  if (layout !== undefined && !isPowerOfTwo(layout.physicalBlock / blockSize)) {
    const expected = 'physicalBlock a power of two times blockSize';
    findings.push({ field: 'topology', message: 'blocks do not fit the medium', expected });
  }
  if (image === undefined && capacity % blockSize !== 0) {
    const expected = 'a multiple of blockSize';
    findings.push({ field: 'capacity', message: 'the last block is cut short', expected });
  }
  return findings;
}

/** Zones fit blocks and disk, and there is nothing that would write around their pointers. */
function checkZones({ options }: DevicePlan): readonly Finding[] {
  const { zones: wanted, blockSize, capacity, image, ...rest } = options as BlkOptions;
  if (wanted === undefined) return [];
  const findings: Finding[] = [];
  const refuse = (message: string, expected: string) =>
    findings.push({ field: 'zones', message, expected });
  const { size: zoneSize, capacity: writable = zoneSize, conventional, append } = wanted;
  if ([zoneSize, writable, append].some((bytes) => bytes % blockSize !== 0)) {
    refuse('a zone ends within a block', `sizes that are multiples of ${blockSize}B`);
  }
  if (writable > zoneSize) refuse('more can be written than the zone has', 'a smaller capacity');
  const zoneCount = Math.ceil(capacity / zoneSize);
  if (zoneCount > ZONES_MAX) refuse(`${zoneCount} zones are too many`, `no more than ${ZONES_MAX}`);
  if (image !== undefined) refuse('zones begin empty', 'no image');
  if (conventional >= zoneCount) {
    refuse('no zone is left to be written sequentially', 'fewer conventional zones');
  }
  const around = [
    ['discard', rest.discard],
    ['writeZeroes', rest.writeZeroes],
    ['secureErase', rest.secureErase],
    ['writeCache', rest.writeCache > 0],
    ['resize', rest.resize.length > 0],
  ].flatMap(([field, set]) => (set === true ? [String(field)] : []));
  for (const field of around) {
    findings.push({ field, message: 'a disk with zones has no such thing', expected: 'no zones' });
  }
  return findings;
}
