// What a scenario may say of the fio workload, and what of it does not go together.
import { z } from 'zod';
import type { Finding, Topology, WorkloadPlan } from '../../platform/contracts/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { SECTOR_SIZE } from '../../platform/virtio/index.ts';
import { arrivalOptions } from './arrivals.ts';

export const fioOptions = z.strictObject({
  rw: z
    .enum(['read', 'write', 'rw', 'randread', 'randwrite', 'randrw'])
    .default('randread')
    .describe('Access pattern: sequential or random, reads, writes or both.'),
  readPercent: z.int().min(0).max(100).default(50).describe('Share of reads when both are done.'),
  blockSize: size({ min: SECTOR_SIZE, multipleOf: SECTOR_SIZE, max: 1024 * 1024 })
    .default(4096)
    .describe('Bytes of one request.'),
  depth: z.int().min(1).max(4096).default(1).describe('Requests under way at the same time.'),
  operations: z
    .int()
    .min(1)
    .optional()
    .describe('Requests in all. Default: until `duration`, or 1000.'),
  duration: time({ min: 1 }).optional().describe('How long to submit requests.'),
  thinkTime: time({ min: 0 })
    .default(0)
    .describe('Time between the end of a request and the next on its slot.'),
  ...arrivalOptions,
  verify: z.boolean().default(true).describe('Compare every block that is read.'),
  flushEvery: z.int().min(0).default(0).describe('A flush after this many requests; 0 for none.'),
  discardEvery: z
    .int()
    .min(0)
    .default(0)
    .describe('A discard of a block after this many requests; 0 for none.'),
  zoned: z
    .enum(['write', 'append'])
    .optional()
    .describe('For a disk with `zones`: they are written in sequence, by writes or by appends.'),
});

export type FioOptions = z.output<typeof fioOptions>;

/** What the device says of its zones, as far as it matters here. */
interface DiskOptions {
  readonly blockSize: number;
  readonly zones?: { readonly size: number; readonly append: number };
}

/** Zones are written in sequence, and only there; so a disk and its workload both have them, or neither. */
export function checkFio(plan: WorkloadPlan, { devices }: Topology): Finding[] {
  const options = plan.options as unknown as FioOptions;
  const { zoned, blockSize, rw } = options;
  const { zones, blockSize: granularity } = devices[plan.device].options as unknown as DiskOptions;
  if (zoned === undefined) {
    if (zones === undefined || rw === 'read' || rw === 'randread') return [];
    const message = 'the zones of the disk can only be written in sequence';
    return [{ field: 'rw', message, expected: "'zoned: write' or 'zoned: append'" }];
  }
  const refuse = (field: string, message: string, expected: string) => [
    { field, message, expected },
  ];
  if (zones === undefined) {
    return refuse('zoned', 'the disk has no zones', "'zones' at the device");
  }
  if (rw.endsWith('read')) {
    return refuse('rw', 'what is read must be written first', 'write, rw, randwrite or randrw');
  }
  if (options.arrivals !== 'closed' || options.flushEvery + options.discardEvery > 0) {
    return refuse(
      'zoned',
      'it is a closed loop of reads, writes and resets',
      'neither arrivals nor flushes nor discards',
    );
  }
  const uneven = zones.size % blockSize !== 0 || blockSize % granularity !== 0;
  const tooLarge = zoned === 'append' && blockSize > zones.append;
  if (!uneven && !tooLarge) return [];
  const message = uneven ? 'zones are not made of such blocks' : 'the disk takes no such appends';
  return refuse('blockSize', message, `a divisor of ${zones.size}B that the disk takes`);
}
