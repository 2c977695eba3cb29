// Events per second of the kernel on the hold model, each delivered to a component and digested.
import type { Bench } from 'tinybench';
import { HoldModel } from './hold.ts';
import { addTask } from './suite.ts';

const PENDING = [10, 100, 10_000, 100_000, 1_000_000];
const EVENTS = 100_000;

export function addKernelTasks(bench: Bench): void {
  for (const ownComponents of [false, true]) {
    for (const pending of PENDING) {
      addTask(bench, {
        name: `${pending} pending, ${ownComponents ? 'a component each' : 'one component'}`,
        unit: 'events',
        count: EVENTS,
        prepare: () => {
          const model = new HoldModel({ pending, ownComponents });
          // Until each event was delivered twice, the times are not those of a steady state.
          model.run(2 * pending);
          return () => model.run(EVENTS);
        },
      });
    }
  }
}
