// BAR2 of the ivshmem device that both peers have: the two queues, and the word that says who is ready.
//
//   0x00000  driver queue   SPSC, 4 KiB: the driver sends
//   0x01000  device queue   SPSC, 4 KiB: the device sends
//   0x3fff0  ready flag     le32: 0x42 the device side is ready, 0x24 the driver side has seen it
import { spscLayout } from '../common/index.ts';

export const QUEUE_SIZE = 4096;
export const READY_FLAG = 0x3fff0;
export const SHARED_SIZE = 0x40000;

export const DEVICE_READY = 0x42;
export const DRIVER_READY = 0x24;

export const DRIVER_QUEUE = spscLayout(0, QUEUE_SIZE);
export const DEVICE_QUEUE = spscLayout(QUEUE_SIZE, QUEUE_SIZE);

/** Where BAR2 is among the addresses of a peer that reaches over: above any RAM. */
export const SHARED_BUS_ADDRESS = 2 ** 48;
