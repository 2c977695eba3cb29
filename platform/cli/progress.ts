// The line on a terminal that says how far a run is. A run that ends with its workloads cannot know
// how long it will take, so that the line shows how far it has come instead of a share.
import { SingleBar } from 'cli-progress';
import type { Topology } from '../contracts/index.ts';
import { formatTime } from '../kernel/index.ts';
import { formatEvents } from '../text/index.ts';

/** How far a run is. */
export interface Progress {
  readonly simulatedPs: number;
  readonly events: number;
}

interface Shown {
  readonly simulated: string;
  readonly events: string;
  readonly speed: string;
}

const COLUMNS_DEFAULT = 80;

export class ProgressLine {
  readonly #bar: SingleBar;
  readonly #started = performance.now();
  readonly #total: number;

  constructor(topology: Topology) {
    const { name, until } = topology;
    this.#total = until.atMost;
    // A signal ends the program at once, also while one thread is busy with the run: a cursor hidden
    // and a line wrap turned off would stay so. Cut to its width, the line needs neither.
    this.#bar = new SingleBar({
      format: (_, { progress }, payload) => {
        const share = until.workloadsDone ? '' : `${Math.floor(progress * 100)} %  `;
        const { simulated, events, speed } = payload as Shown;
        const text = `${name}  ${share}${simulated} simulated, ${events} events, ${speed} ev/s`;
        return text.slice(0, (process.stderr.columns || COLUMNS_DEFAULT) - 1);
      },
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: false,
      linewrap: true,
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

  #payload({ simulatedPs, events }: Progress): Shown {
    const seconds = (performance.now() - this.#started) / 1000;
    return {
      simulated: formatTime(simulatedPs),
      events: formatEvents(events),
      speed: formatEvents(seconds > 0 ? events / seconds : 0),
    };
  }
}
