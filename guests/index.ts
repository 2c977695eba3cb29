// The tables of drivers and workloads. A row makes a workload's type usable in scenario files; a
// driver is chosen by the type of its device.
import { blk } from './blk/index.ts';
import { rng } from './rng/index.ts';
import { entropy, fio } from './workloads/index.ts';

export const drivers = { blk, rng } as const;

export const workloads = { fio, entropy } as const;
