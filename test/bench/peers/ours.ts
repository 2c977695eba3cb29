// The models of the peers on busbar's kernel, as a program of its own: prints {"events", "seconds"}
// and, for the pipeline, "early": the requests completed in the first two simulated ms. Arguments:
// model, size, seconds to measure.
import { PS_PER_MS } from '../../../platform/kernel/index.ts';
import { HoldModel } from '../hold.ts';
import { Pipeline, STEPS } from './pipeline.ts';

const [model, size, wanted] = process.argv.slice(2);
console.log(JSON.stringify(model === 'hold' ? hold(Number(size)) : pipeline(Number(size))));

/** Calls `slice` for the wanted time; half a second before `begin` goes to the compiler. */
function timed(slice: () => void, begin = () => {}): { calls: number; seconds: number } {
  const run = (limit: number) => {
    const start = performance.now();
    let calls = 0;
    let seconds = 0;
    for (; seconds < limit; calls++, seconds = (performance.now() - start) / 1000) slice();
    return { calls, seconds };
  };
  run(0.5);
  begin();
  return run(Number(wanted));
}

/** Each pending event has its own component, as each is a process in the peers. */
function hold(pending: number): object {
  const eventsPerSlice = 50_000;
  const hold = new HoldModel({ pending, ownComponents: true });
  hold.run(3 * pending);
  const { calls, seconds } = timed(() => hold.run(eventsPerSlice));
  return { events: calls * eventsPerSlice, seconds };
}

function pipeline(inFlight: number): object {
  const pipeline = new Pipeline(inFlight);
  let end = 2 * PS_PER_MS;
  pipeline.kernel.runUntil(end);
  const early = pipeline.completed;
  let before = 0;
  const { seconds } = timed(
    () => {
      end += PS_PER_MS;
      pipeline.kernel.runUntil(end);
    },
    () => {
      before = pipeline.completed;
    },
  );
  return { events: (pipeline.completed - before) * STEPS.length, seconds, early };
}
