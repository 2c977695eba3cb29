// The steps that a script may have persistent memory do: the requests of any disk.
import { BlockPlayer, blockRows } from '../blk/index.ts';
import { defineSteps, type ScriptPort, type StepOf } from '../common/index.ts';
import type { PmemDriver } from './pmem-driver.ts';

export const pmemSteps = defineSteps(
  blockRows,
  (port: ScriptPort<PmemDriver, StepOf<typeof blockRows>>) => new BlockPlayer(port),
);
