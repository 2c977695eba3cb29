// A balloon alone on the bench, live.
import { expect } from 'vitest';
import type { BalloonDevice } from '../../devices/balloon/balloon-device.ts';
import { STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench } from './device-bench.ts';

/** A balloon with these options, whose driver takes these features (by default all). */
export function balloonBench(
  options: Record<string, unknown> = {},
  features?: bigint,
): DeviceBench {
  const dut = new DeviceBench('balloon', {
    options,
    ...(features === undefined ? {} : { features }),
  });
  expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return dut;
}

/** What the report says of it. */
export const balloonFigures = (dut: DeviceBench) => (dut.device as BalloonDevice).statistics();
