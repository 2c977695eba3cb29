// What block workloads need of a driver, whatever kind of disk it drives.
import type { Driver } from '../../platform/contracts/index.ts';
import type { BlkClient } from './blk-client.ts';

export interface BlockDriver extends Driver {
  /** Reserves slots for a client, with data buffers of this size. Only before the device is live. */
  reserve(client: BlkClient, count: number, dataBytes: number): number;
  /** Address of a slot's data buffer in own RAM. */
  dataAddress(slot: number): number;
  /** Starts a request (BLK_T). Its data, for a write, is in the slot's buffer already. */
  submit(slot: number, type: number, offset: number, length: number): void;
}
