// What a device reads ahead of its need, and how much of it: parameters of hardware that are no times, but
// decide how many round trips a request takes. Profiles have a row for each, and a scenario's device may
// have values of its own (devices/common/fetch.ts).
import type { Limits } from '../contracts/index.ts';

const QUEUE_SIZE_MAX = 32_768;

interface FetchParameter {
  readonly dimension: 'count' | 'size';
  readonly limits: Limits & { readonly min: number; readonly max: number };
  readonly doc: string;
}

/** By name; the timing constant of each is `device.NAME`. */
export const DEVICE_FETCH = {
  batch: {
    dimension: 'count',
    limits: { min: 1, max: QUEUE_SIZE_MAX },
    doc: 'Chains that a queue of a device fetches in one go, at the most.',
  },
  availPrefetch: {
    dimension: 'count',
    limits: { min: 0, max: QUEUE_SIZE_MAX },
    doc: 'Entries of the available ring that a device reads along with its index.',
  },
  descriptorBurst: {
    dimension: 'size',
    limits: { min: 16, max: 4096, powerOfTwo: true },
    doc: 'A read of descriptors goes on to the next multiple of this.',
  },
  descriptorCache: {
    dimension: 'size',
    limits: { min: 0, max: 524_288 },
    doc: 'Descriptors brought along that a queue keeps, for chains that were available by then.',
  },
  dataReads: {
    dimension: 'count',
    limits: { min: 1, max: QUEUE_SIZE_MAX },
    doc: 'Requests of a queue whose data a device reads at a time, at the most.',
  },
} as const satisfies Readonly<Record<string, FetchParameter>>;
