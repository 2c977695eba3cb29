// The line on a terminal that says how far a run is. A run that ends with its workloads cannot know
// how long it will take, so that the line shows how far it has come instead of a bar.
import { SingleBar } from 'cli-progress';
import type { Topology } from '../contracts/index.ts';
import { formatTime } from '../kernel/index.ts';
import { formatEvents } from '../observe/report/index.ts';

/** How far a run is. */
export interface Progress {
  readonly simulatedPs: number;
  readonly events: number;
}

export class ProgressLine {
  readonly #bar: SingleBar;
  readonly #started = performance.now();
  readonly #total: number;

  constructor(topology: Topology) {
    const { workloadsDone, atMost } = topology.until;
    this.#total = atMost;
    const bar = workloadsDone ? '' : '[{bar}] {percentage}%  ';
    this.#bar = new SingleBar({
      format: `${topology.name}  ${bar}{simulated} simulated, {events} events, {speed} ev/s`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      fps: 5,
    });
    this.#bar.start(this.#total, 0, this.#payload({ simulatedPs: 0, events: 0 }));
  }

  update(progress: Progress): void {
    this.#bar.update(Math.min(progress.simulatedPs, this.#total), this.#payload(progress));
  }

  stop(): void {
    this.#bar.stop();
  }

  #payload({ simulatedPs, events }: Progress): Record<string, string> {
    const seconds = (performance.now() - this.#started) / 1000;
    return {
      simulated: formatTime(simulatedPs),
      events: formatEvents(events),
      speed: formatEvents(seconds > 0 ? events / seconds : 0),
    };
  }
}
