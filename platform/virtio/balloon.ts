// What both sides of virtio-balloon agree on (virtio 1.4 §5.5).
import { defineBits, LayoutCodec, le16, le32, le64, masksOf, oneOf } from '../wire/index.ts';

export const BALLOON_DEVICE_ID = 5;

const SPEC = 'virtio 1.4 §5.5.3';

export const balloonFeatures = defineBits({
  MUST_TELL_HOST: { bit: 0, spec: SPEC, doc: 'The device is told before pages are used again.' },
  STATS_VQ: { bit: 1, spec: SPEC, doc: 'A queue on which the driver reports its memory.' },
  DEFLATE_ON_OOM: {
    bit: 2,
    spec: SPEC,
    doc: 'A driver in need may take pages back, whatever the target.',
  },
  FREE_PAGE_HINT: { bit: 3, spec: SPEC, doc: 'A queue for hints of free pages.' },
  PAGE_POISON: { bit: 4, spec: SPEC, doc: 'The driver fills pages that it takes back.' },
  PAGE_REPORTING: { bit: 5, spec: SPEC, doc: 'A queue that reports free pages.' },
});

export const BALLOON_F = masksOf(balloonFeatures);

export const balloonConfig = new LayoutCodec('balloon config', {
  numPages: le32,
  actual: le32,
  freePageHintCmdId: le32,
  poisonVal: le32,
});
export const BALLOON_CONFIG = {
  numPages: balloonConfig.offsetOf('numPages'),
  actual: balloonConfig.offsetOf('actual'),
  freePageHintCmdId: balloonConfig.offsetOf('freePageHintCmdId'),
  poisonVal: balloonConfig.offsetOf('poisonVal'),
} as const;
/** Bytes of configuration that every balloon has; what follows belongs to FREE_PAGE_HINT and PAGE_POISON. */
export const BALLOON_CONFIG_SIZE_MIN = BALLOON_CONFIG.freePageHintCmdId;

/** Queues (§5.5.2). */
export const BALLOON_QUEUE = { inflate: 0, deflate: 1, stats: 2, hint: 3, report: 4 } as const;

/** Queues with these features: all up to the last that is used, so that each has its number. */
export function balloonQueueCount(features: bigint): number {
  const has = (feature: bigint) => (features & feature) !== 0n;
  if (has(BALLOON_F.PAGE_REPORTING)) return BALLOON_QUEUE.report + 1;
  if (has(BALLOON_F.FREE_PAGE_HINT)) return BALLOON_QUEUE.hint + 1;
  return has(BALLOON_F.STATS_VQ) ? BALLOON_QUEUE.stats + 1 : BALLOON_QUEUE.deflate + 1;
}

/** Ids of hinting that mean something else; those from 2 on name a round of it (§5.5.6.5). */
export const BALLOON_HINT = { STOP: 0, DONE: 1, FIRST: 2 } as const;
/** Bytes of an id on the queue of hints. */
export const BALLOON_HINT_SIZE = 4;

/** Pages are counted in 4 KiB, whatever the guest's own pages are. */
export const BALLOON_PAGE = 4096;
/** Bytes of a page's number in a request. */
export const BALLOON_PFN_SIZE = 4;

/** Tags of statistics (§5.5.6.4). */
export const BALLOON_STAT = {
  SWAP_IN: 0,
  SWAP_OUT: 1,
  MAJFLT: 2,
  MINFLT: 3,
  MEMFREE: 4,
  MEMTOT: 5,
  AVAIL: 6,
  CACHES: 7,
  HTLB_PGALLOC: 8,
  HTLB_PGFAIL: 9,
} as const;

/** One statistic; they are packed one after another. */
export const balloonStat = new LayoutCodec('balloon statistic', {
  tag: oneOf(BALLOON_STAT, le16),
  val: le64,
});
