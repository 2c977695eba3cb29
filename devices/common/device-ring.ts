// What the queue engine needs of a ring format: the reads that find and fetch chains, the writes that
// return them, and notification suppression both ways. All are DMA; nothing is looked at for free.
import type { DmaPort, QueueSetup } from '../../platform/contracts/index.ts';
import { readU32 } from '../../platform/wire/index.ts';
import type { Chain } from './chain.ts';
import type { FetchPlan } from './fetch.ts';

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

/** What a read of the ring is for: the first of these that it must bring. */
export const Purpose = { index: 0, entries: 1, descriptors: 2, tables: 3 } as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

export interface DeviceRing {
  readonly setup: QueueSetup;
  /** Chains being fetched, in the order in which they were made available. */
  readonly batch: Chain[];
  /** Why a read came out `bad`. */
  readonly problem: string;
  /** Gathers the read that tells whether anything is available and which signals are wanted. */
  gatherLook(dma: DmaPort): Purpose;
  looked(bytes: Uint8Array): Fetch;
  /** What the look says of signals, and nothing else: no chain is taken. */
  signalsRead(bytes: Uint8Array): void;
  /** Gathers the next read of the chains in `batch`. */
  gatherMore(dma: DmaPort): Purpose;
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

export interface DeviceRingOptions {
  readonly fetch: FetchPlan;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

/** Reads a bus address; those we hand out are exact in a double. */
export function readAddress(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
}
