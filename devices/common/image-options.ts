// What a scenario may say of the image file behind a device, and what stands in the way of writing it back.
import { resolve } from 'node:path';
import { z } from 'zod';
import type { DevicePlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { Backing } from '../../platform/memory/index.ts';
import { inputFile } from '../../platform/scenario/fields.ts';

/** Option fields of devices that may have an image; spread them into the device's schema. */
export const imageOptions = {
  image: inputFile().optional().describe('Image file, relative to the scenario; read on demand.'),
  writeBack: z
    .boolean()
    .default(false)
    .describe('Write changed bytes to the image when the run ends.'),
} as const;

type ImageOptions = z.output<z.ZodObject<typeof imageOptions>>;

/** One device alone may change an image, and only an image that there is, and that it may change. */
export function checkWriteBack(
  plan: DevicePlan,
  { devices, folder }: Topology,
): readonly Finding[] {
  const { writeBack, image } = plan.options as ImageOptions;
  if (!writeBack) return [];
  const refuse = (message: string, expected: string) => [{ field: 'writeBack', message, expected }];
  if (image === undefined) {
    return refuse('there is no image to write to', "an 'image', or no writeBack");
  }
  if (!Backing.canWriteBack(resolve(folder, image))) {
    return refuse(`'${image}' may not be written`, 'a file that may be written, or no writeBack');
  }
  const first = devices.find(({ options }) => {
    const other = options as Partial<ImageOptions>;
    return other.writeBack === true && other.image === image;
  });
  if (first === undefined || first.index === plan.index) return [];
  return refuse(`'${image}' is already written back by '${first.name}'`, 'an image of its own');
}
