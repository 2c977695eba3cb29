// The two rings of a bridge in the memory that kernel and process share.
//
//   0   ring to the process    header 64 bytes, then the entries
//   …   ring to the kernel     the same
import { bridgeLayout, bridgeSize, type RingLayout } from '../common/index.ts';
import type { LoopbackOptions } from './options.ts';

/** Entries are multiples of this many bytes. */
const ENTRY_STEP = 128;

export interface RingPlace {
  readonly toProcess: RingLayout;
  readonly toKernel: RingLayout;
  /** Bytes of both. */
  readonly size: number;
  readonly entries: number;
  readonly entrySize: number;
}

export function ringPlace({ entries, maxMessageSize }: LoopbackOptions): RingPlace {
  const entrySize = Math.ceil(maxMessageSize / ENTRY_STEP) * ENTRY_STEP;
  const ring = bridgeSize(entries, entrySize);
  return {
    toProcess: bridgeLayout(0, entries, entrySize),
    toKernel: bridgeLayout(ring, entries, entrySize),
    size: 2 * ring,
    entries,
    entrySize,
  };
}
