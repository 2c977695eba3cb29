// The models of the peers on busbar's kernel, as a program of its own. Arguments: model, size. For each
// number of seconds read, it runs that long and prints {"events", "seconds"} in CPU time, which counts
// the compiler's and the collector's threads too; for the pipeline also "early", the requests completed
// in the first two simulated ms.
import { createInterface } from 'node:readline';
import { PS_PER_MS } from '../../../platform/kernel/index.ts';
import { HoldModel } from '../hold.ts';
import { Pipeline, STEPS } from './pipeline.ts';

interface Model {
  readonly early?: number;
  /** Runs on for a while and returns how many events that were. */
  readonly run: () => number;
}

/** CPU seconds given to the compiler before anything is measured. */
const WARM_UP = 0.5;

const [name, size] = process.argv.slice(2);
const model = name === 'hold' ? hold(Number(size)) : pipeline(Number(size));
timed(WARM_UP);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ ...timed(Number(line)), early: model.early }));
}

function timed(wanted: number): { events: number; seconds: number } {
  const start = process.cpuUsage();
  let events = 0;
  let seconds = 0;
  while (seconds < wanted) {
    events += model.run();
    const { user, system } = process.cpuUsage(start);
    seconds = (user + system) / 1e6;
  }
  return { events, seconds };
}

/** Each pending event has its own component, as each is a process in the peers. */
function hold(pending: number): Model {
  const eventsPerSlice = 50_000;
  const hold = new HoldModel({ pending, ownComponents: true });
  hold.run(3 * pending);
  const run = () => {
    hold.run(eventsPerSlice);
    return eventsPerSlice;
  };
  return { run };
}

function pipeline(inFlight: number): Model {
  const pipeline = new Pipeline(inFlight);
  let end = 2 * PS_PER_MS;
  pipeline.kernel.runUntil(end);
  const early = pipeline.completed;
  const run = () => {
    const before = pipeline.completed;
    end += PS_PER_MS;
    pipeline.kernel.runUntil(end);
    return (pipeline.completed - before) * STEPS.length;
  };
  return { early, run };
}
