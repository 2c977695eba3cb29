// What both sides of virtio-pmem agree on (virtio 1.4 §5.19).
import { defineBits, LayoutCodec, le32, le64, masksOf } from '../wire/index.ts';

export const PMEM_DEVICE_ID = 27;

export const pmemFeatures = defineBits({
  SHMEM_REGION: {
    bit: 0,
    spec: 'virtio 1.4 §5.19.3',
    doc: 'The memory is a shared memory region, not a range of physical addresses.',
  },
});

export const PMEM_F = masksOf(pmemFeatures);

/** The shared memory region that is the memory (§5.19.5.1). */
export const PMEM_REGION = 0;

export const pmemConfig = new LayoutCodec('pmem config', { start: le64, size: le64 });
export const PMEM_CONFIG_SIZE = pmemConfig.fixedSize;

export const pmemRequest = new LayoutCodec('pmem request', { type: le32 });
export const PMEM_REQUEST_SIZE = pmemRequest.fixedSize;
export const PMEM_REQUEST = { FLUSH: 0 } as const;

export const pmemResponse = new LayoutCodec('pmem response', { ret: le32 });
export const PMEM_RESPONSE_SIZE = pmemResponse.fixedSize;
/** What `ret` says; the failure is -1. */
export const PMEM_RET = { OK: 0, FAILED: 0xffff_ffff } as const;
