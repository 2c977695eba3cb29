// What a scenario may say of a balloon, and of the pressure on it.
import { z } from 'zod';
import type { DevicePlan, Finding } from '../../platform/contracts/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';

const pages = () => count({ max: 0xffff_ffff });

export const balloonOptions = z.strictObject({
  queueSize: queueSize({ min: 2 }).default(128).describe('Largest size of each queue.'),
  ...commonOptions,
  ...inOrderOption,
  pages: pages().default(0).describe('Pages of 4 KiB that it wants from the start.'),
  pressure: z
    .array(z.strictObject({ at: time(), pages: pages() }))
    .default([])
    .describe('When it wants another number of pages, e.g. [{ at: 1ms, pages: 256 }].'),
  mustTellHost: z
    .boolean()
    .default(true)
    .describe('Offer that the driver tells of pages before it uses them again (MUST_TELL_HOST).'),
  deflateOnOom: z
    .boolean()
    .default(false)
    .describe('Offer that a driver in need takes pages back (DEFLATE_ON_OOM).'),
  poison: z
    .boolean()
    .default(false)
    .describe('Offer that the driver says what it fills pages with (PAGE_POISON).'),
  reporting: z
    .boolean()
    .default(false)
    .describe('Offer that the driver reports free pages as it likes (PAGE_REPORTING).'),
  hints: z
    .array(z.strictObject({ at: time(), for: time({ min: 1 }) }))
    .default([])
    .describe('When it wants hints of free pages, as for a migration, and how long it needs them.'),
  stats: z.boolean().default(true).describe('Offer the statistics queue (STATS_VQ).'),
  statsInterval: time({ min: 1 })
    .optional()
    .describe('Time between two requests for statistics. Default: once, at the start.'),
});

export type BalloonOptions = z.output<typeof balloonOptions>;

export function checkBalloon({ options }: DevicePlan): readonly Finding[] {
  const { pressure, hints } = options as BalloonOptions;
  const message = 'the entries are not in the order of time';
  const findings: Finding[] = [];
  if (!pressure.every(({ at }, i) => i === 0 || at > pressure[i - 1].at)) {
    findings.push({ field: 'pressure', message, expected: 'each `at` later than the one before' });
  }
  if (!hints.every(({ at }, i) => i === 0 || at > hints[i - 1].at + hints[i - 1].for)) {
    findings.push({
      field: 'hints',
      message,
      expected: 'each `at` after the end of the one before',
    });
  }
  return findings;
}
