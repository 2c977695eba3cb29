// The table of suites. `npm run bench` runs all of them, `npm run bench -- NAME…` those named.
import { addCodecTasks } from './codec.bench.ts';
import { addKernelTasks } from './kernel.bench.ts';
import { suite as addMachineTasks, engineRates } from './machine.bench.ts';
import { addQueueTasks, QUEUE_NAMES } from './queues.bench.ts';
import { addRingTasks } from './rings.bench.ts';
import { addScenarioTasks } from './scenario.bench.ts';
import type { Suite } from './suite.ts';

export const suites: Readonly<Record<string, Suite>> = {
  kernel: {
    what: 'the event kernel on the hold model',
    add: addKernelTasks,
  },
  machine: {
    what: 'charts, compiled and interpreted',
    add: addMachineTasks,
    summary: (bench) =>
      engineRates(bench).map(
        ({ chart, compiled, ratio }) =>
          `${chart}: ${(compiled / 1e6).toFixed(2)} M events/s compiled, ${ratio.toFixed(0)} × XState`,
      ),
  },
  queues: {
    what: 'event queues on the hold model',
    variants: QUEUE_NAMES,
    add: addQueueTasks,
  },
  codec: {
    what: 'virtio-msg messages',
    add: addCodecTasks,
  },
  rings: {
    what: 'chains of three segments through a virtqueue, driver and device side',
    add: addRingTasks,
  },
  scenario: {
    what: 'whole verified requests over FF-A, 4 KiB at depth 32, one thread',
    add: addScenarioTasks,
  },
};
