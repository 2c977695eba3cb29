// The kernel's event queue beside the candidates it was chosen from, on the hold model with four
// kinds of delays. Each queue has a process of its own: in the kernel, too, only one is ever used.
import type { Bench } from 'tinybench';
import { CalendarQueue, type EventQueue } from '../../platform/kernel/index.ts';
import { HoldModel, INCREMENTS, type IncrementName } from './hold.ts';
import { HeapQueue } from './queues/heap-queue.ts';
import { LadderQueue } from './queues/ladder-queue.ts';
import { WheelQueue } from './queues/wheel-queue.ts';
import { addTask } from './suite.ts';

const PENDING = [10, 100, 10_000, 100_000, 1_000_000];
const EVENTS = 50_000;

const QUEUES: Readonly<Record<string, () => EventQueue>> = {
  'calendar queue': () => new CalendarQueue(),
  '4-ary heap': () => new HeapQueue(),
  'ladder queue': () => new LadderQueue(),
  'timing wheel': () => new WheelQueue(),
};
export const QUEUE_NAMES = Object.keys(QUEUES);

export function addQueueTasks(bench: Bench, name: string): void {
  for (const increments of Object.keys(INCREMENTS) as IncrementName[]) {
    for (const pending of PENDING) {
      addTask(bench, {
        name: `${increments}, ${pending} pending`,
        unit: 'events',
        count: EVENTS,
        prepare: () => {
          const model = new HoldModel({ pending, increments, queue: QUEUES[name]() });
          model.run(2 * pending);
          return () => model.run(EVENTS);
        },
      });
    }
  }
}
