// What the driver of a disk tells its users.

/** Status of a request that the driver ended because the device was lost. */
export const BLK_LOST = -1;

/** Whoever uses a disk. */
export interface BlkClient {
  /** The disk can be used; its size in bytes. */
  blkReady(capacity: number): void;
  /** A request is over: BLK_S or BLK_LOST. `latency` in ps. */
  blkCompleted(slot: number, status: number, latency: number): void;
  /** The disk is lost; requests under way are completed with BLK_LOST next. */
  blkDown(reason: string): void;
  /** The disk has failed and is back: a write-back cache may have lost what was not flushed. */
  blkRecovered?(): void;
  /** The disk has another size. */
  blkResized?(capacity: number): void;
}
