// The table of suites. `npm run bench` runs all of them, `npm run bench -- NAME…` those named.
import { addKernelTasks } from './kernel.bench.ts';
import { suite as addMachineTasks, engineRates } from './machine.bench.ts';
import { addQueueTasks, QUEUE_NAMES } from './queues.bench.ts';
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
};
