// What the queue engine needs of a ring format: the reads that find and fetch chains, the writes that
// return them, and notification suppression both ways. All are DMA; nothing is looked at for free.
import type { DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import { F } from '../../platform/virtio/index.ts';
import type { Chain } from './chain.ts';
import { PackedDeviceRing } from './packed-device-ring.ts';
import { SplitDeviceRing } from './split-device-ring.ts';

/** What came of a read. */
export const Fetch = {
  /** Nothing is available. */
  empty: 0,
  /** Another read is needed. */
  more: 1,
  /** All chains of `batch` are complete. */
  done: 2,
  /** The ring makes no sense; `problem` says why. */
  bad: 3,
} as const;
export type Fetch = (typeof Fetch)[keyof typeof Fetch];

export interface DeviceRing {
  readonly setup: QueueSetup;
  /** Chains being fetched, in the order in which they were made available. */
  readonly batch: Chain[];
  /** Why a read came out `bad`. */
  readonly problem: string;
  /** Gathers the read that tells whether anything is available and which signals are wanted. */
  gatherLook(dma: DmaPort): void;
  looked(bytes: Uint8Array): Fetch;
  /** Gathers the next read of the chains in `batch`. */
  gatherMore(dma: DmaPort): void;
  fetched(bytes: Uint8Array): Fetch;
  /** Gathers the writes that return a chain. */
  gatherUsed(dma: DmaPort, chain: Chain, written: number): void;
  /** The writes gathered last were accepted. */
  usedWritten(chain: Chain): void;
  /**
   * True when, by the last look, the driver wants a signal for the chains that were returned before
   * that look was started and after the one before it.
   */
  takeSignal(): boolean;
  /** Gathers a write that asks for notifications again; false when none is needed. */
  gatherArm(dma: DmaPort): boolean;
}

/** Makes the ring that the negotiated features ask for. */
export function makeDeviceRing(setup: QueueSetup, features: bigint): DeviceRing {
  const options = {
    eventIndex: (features & F.EVENT_IDX) !== 0n,
    indirect: (features & F.INDIRECT_DESC) !== 0n,
  };
  return (features & F.RING_PACKED) !== 0n
    ? new PackedDeviceRing(setup, options)
    : new SplitDeviceRing(setup, options);
}
