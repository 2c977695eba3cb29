// The page that both domains share: two SPSC queues of 1 KiB, 14 slots each. The rest of it is unused.
//
//   0x000 driver queue   the driver sends
//   0x400 device queue   the device sends
import { spscLayout } from '../common/index.ts';

const QUEUE_SIZE = 1024;

export const DRIVER_QUEUE = spscLayout(0, QUEUE_SIZE);
export const DEVICE_QUEUE = spscLayout(QUEUE_SIZE, QUEUE_SIZE);
