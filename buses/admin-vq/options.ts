// What a scenario may say of the transport by administration virtqueue.
import { z } from 'zod';
import { functionOptions } from '../virtio-pci/index.ts';

export const adminVqOptions = z.strictObject(functionOptions);
export type AdminVqOptions = z.output<typeof adminVqOptions>;
