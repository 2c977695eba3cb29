export * from './bits.ts';
export * from './blk.ts';
export * from './driver-ring.ts';
export * from './ds1338.ts';
export * from './i2c.ts';
export * from './packed-ring.ts';
export * from './rng.ts';
export * from './split-ring.ts';
