// What a scenario may say of a GPIO device: its lines, and what they are wired to.
import { z } from 'zod';
import type { DevicePlan, Finding } from '../../platform/contracts/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import { commonOptions, queueSize } from '../common/index.ts';

const LINES_MAX = 1024;
const line = () => count({ max: LINES_MAX - 1 });

export const gpioOptions = z.strictObject({
  queueSize: queueSize({ min: 2 })
    .default(64)
    .describe('Largest size of the request queue and of the event queue.'),
  ...commonOptions,
  lines: count({ min: 1, max: LINES_MAX }).default(8).describe('Number of lines.'),
  names: z
    .array(z.string().regex(/^[\x20-\x7e]*$/))
    .default([])
    .describe('Names of the lines from line 0 on; an empty one for a line without name.'),
  interrupts: z.boolean().default(true).describe('Offer interrupts (feature IRQ).'),
  loop: z
    .array(z.tuple([line(), line()]))
    .default([])
    .describe('Pairs of lines that are wired together, e.g. [[0, 1], [2, 3]].'),
  stimulus: z
    .array(z.strictObject({ line: line(), period: time({ min: 2 }) }))
    .default([])
    .describe('Lines that a square wave drives from outside, high in the first half of a period.'),
});

export type GpioOptions = z.output<typeof gpioOptions>;

/** What the schema cannot say: names are unique, and each line is wired to one thing at the most. */
export function checkGpio({ options }: DevicePlan): readonly Finding[] {
  const { lines, names, loop, stimulus } = options as GpioOptions;
  const findings: Finding[] = [];
  const given = names.filter((name) => name !== '');
  if (names.length > lines || new Set(given).size < given.length) {
    const expected = `at most ${lines} names, no two alike`;
    findings.push({ field: 'names', message: 'the names do not fit the lines', expected });
  }
  const wired = new Set<number>();
  const wire = (field: string, index: number) => {
    const expected = `lines 0 … ${lines - 1}, each wired once`;
    if (index >= lines) {
      findings.push({ field, message: `there is no line ${index}`, expected });
    } else if (wired.has(index)) {
      findings.push({ field, message: `line ${index} is wired twice`, expected });
    }
    wired.add(index);
  };
  for (const index of loop.flat()) wire('loop', index);
  for (const { line: index } of stimulus) wire('stimulus', index);
  return findings;
}
