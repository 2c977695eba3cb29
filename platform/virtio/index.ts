export * from './bits.ts';
export * from './blk.ts';
export * from './rng.ts';
export * from './split-ring.ts';
