// The tables of drivers and workloads. A row makes a workload's type usable in scenario files; a
// driver is chosen by the type of its device.
import { balloon } from './balloon/index.ts';
import { blk } from './blk/index.ts';
import type { DriverRow } from './common/index.ts';
import { consoleDriver } from './console/index.ts';
import { gpio } from './gpio/index.ts';
import { i2c } from './i2c/index.ts';
import { net } from './net/index.ts';
import { pmem } from './pmem/index.ts';
import { rng } from './rng/index.ts';
import { vsock } from './vsock/index.ts';
import {
  balloonCycle,
  consoleEcho,
  entropy,
  fio,
  gpioToggle,
  hwclock,
  ping,
  pktgen,
  scriptFor,
  stream,
  vsockEcho,
} from './workloads/index.ts';

export const drivers = {
  blk,
  rng,
  i2c,
  gpio,
  ['console']: consoleDriver,
  net,
  balloon,
  vsock,
  pmem,
} as const satisfies Readonly<Record<string, DriverRow>>;

export const workloads = {
  fio,
  script: scriptFor(drivers),
  entropy,
  hwclock,
  gpioToggle,
  consoleEcho,
  ping,
  pktgen,
  stream,
  balloonCycle,
  vsockEcho,
} as const;
