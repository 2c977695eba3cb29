// Combines the digest lanes of all nodes, in node order, into the digest of the run.
import { createHash } from 'node:crypto';

/** Lanes of one node as `Kernel.digestOf` returns them: two 32-bit hashes and the event count. */
export type DigestLanes = readonly [number, number, number];

/**
 * The run's digest: 16 hex digits. Equal runs have equal digests on any placement and engine; the seed
 * is part of it, so that runs of two seeds differ even where nothing random happens.
 */
export function combineDigests(lanes: readonly DigestLanes[], seed = 0): string {
  const hash = createHash('sha256').update(`${seed};`);
  for (const [a, b, events] of lanes) hash.update(`${a >>> 0} ${b >>> 0} ${events};`);
  return hash.digest('hex').slice(0, 16);
}
