// What a scenario may say of virtio-ccw.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';

export const ccwOptions = z.strictObject({
  interrupts: z
    .enum(['adapter', 'classic'])
    .default('adapter')
    .describe(
      'How used buffers are told: by adapter interrupts, or by I/O interrupts of the subchannel.',
    ),
  ioeventfd: z
    .boolean()
    .default(true)
    .describe('Notifications are taken in the hypervisor and wake a thread of the device model.'),
});

export type CcwOptions = z.output<typeof ccwOptions>;
export type CcwPlan = WithOptions<BusPlan, CcwOptions>;
