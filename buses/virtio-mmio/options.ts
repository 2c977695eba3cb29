// What a scenario may say of virtio-mmio.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';

export const mmioOptions = z.strictObject({
  ioeventfd: z
    .boolean()
    .default(true)
    .describe('Notifications are taken in the hypervisor and wake a thread of the device model.'),
});

export type MmioOptions = z.output<typeof mmioOptions>;
export type MmioPlan = WithOptions<BusPlan, MmioOptions>;
