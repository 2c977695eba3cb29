// What a scenario may say of persistent memory.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { DevicePlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { size } from '../../platform/scenario/fields.ts';
import { writeQuantity } from '../../platform/timing/index.ts';
import {
  checkWriteBack,
  commonOptions,
  imageOptions,
  inOrderOption,
  powerLossOption,
  queueSize,
} from '../common/index.ts';

const SIZE_MAX = 1024 * 1024 * 1024;

export const pmemOptions = z.strictObject({
  size: size({ min: PAGE_SIZE, max: SIZE_MAX, multipleOf: PAGE_SIZE })
    .default(1024 * 1024)
    .describe('Bytes of the memory without an image; it begins as zeroes.'),
  image: imageOptions.image.describe(
    'Image file of whole pages, relative to the scenario; read when the run begins.',
  ),
  writeBack: imageOptions.writeBack.describe(
    'Write what was flushed to the image when the run ends.',
  ),
  queueSize: queueSize({ min: 2 }).default(64).describe('Largest size of the request queue.'),
  ...commonOptions,
  ...inOrderOption,
  ...powerLossOption,
});

export type PmemOptions = z.output<typeof pmemOptions>;

/** The memory is in the RAM of the device's node, and an image fills whole pages. */
export function checkPmem(plan: DevicePlan, topology: Topology): readonly Finding[] {
  return [...checkSize(plan, topology), ...checkWriteBack(plan, topology)];
}

function checkSize(
  { options, bus }: DevicePlan,
  { nodes, buses, folder }: Topology,
): readonly Finding[] {
  const { image, size: plain } = options as PmemOptions;
  const bytes = image === undefined ? plain : statSync(resolve(folder, image)).size;
  const field = image === undefined ? 'size' : 'image';
  if (bytes === 0 || bytes % PAGE_SIZE !== 0 || bytes > SIZE_MAX) {
    const message = `an image of ${bytes} bytes is no memory`;
    return [{ field, message, expected: 'whole pages of 4KiB, at most 1GiB of them' }];
  }
  const { name, memory } = nodes[buses[bus].device];
  if (bytes < memory) return [];
  const write = (value: number) => writeQuantity(value, 'size');
  const message = `${write(bytes)} do not fit the RAM of node '${name}', which is ${write(memory)}`;
  return [{ field, message, expected: 'less than that, or a node with more memory' }];
}
