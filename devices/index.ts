// The table of devices. A row makes its type usable in scenario files, listings and contract tests.
import { balloon } from './balloon/index.ts';
import { blk } from './blk/index.ts';
import { consoleDevice } from './console/index.ts';
import { gpio } from './gpio/index.ts';
import { i2c } from './i2c/index.ts';
import { net } from './net/index.ts';
import { pmem } from './pmem/index.ts';
import { rng } from './rng/index.ts';
import { vsock } from './vsock/index.ts';

export const devices = {
  blk,
  rng,
  i2c,
  gpio,
  ['console']: consoleDevice,
  net,
  balloon,
  vsock,
  pmem,
} as const;
