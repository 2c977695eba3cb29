// The line on a terminal that says how far a run is: the share that is done and the time that is left,
// where all workloads can tell, and how far the simulation has come.
import { SingleBar } from 'cli-progress';
import type { Progress } from '../hosts/index.ts';
import { formatTime, PS_PER_S } from '../kernel/index.ts';
import { formatEvents } from '../text/index.ts';

const COLUMNS_DEFAULT = 80;
/** Wall ms between two looks at how far the run is. */
const LOOK_MS = 100;
/** Before this much is done, what is left cannot be told from it. */
const LEAST_SHARE = 0.02;

export class ProgressLine {
  readonly #bar: SingleBar;
  readonly #started = performance.now();
  #lookedAt = this.#started;

  /** `name` is that of the scenario. */
  constructor(name: string) {
    // A signal ends the program at once, also while one thread is busy with the run: a cursor hidden
    // and a line wrap turned off would stay so. Cut to its width, the line needs neither.
    this.#bar = new SingleBar({
      format: (_options, _state, { text }: { text: string }) =>
        `${name}  ${text}`.slice(0, (process.stderr.columns || COLUMNS_DEFAULT) - 1),
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: false,
      linewrap: true,
      fps: 5,
    });
    this.#bar.start(1, 0, { text: 'starting' });
  }

  update(progress: Progress): void {
    const now = performance.now();
    if (now < this.#lookedAt + LOOK_MS) return;
    this.#lookedAt = now;
    // Once the bar is full the line would be gone.
    const share = Math.min(progress.share ?? 0, 0.999);
    const text = progressText(progress, (now - this.#started) / 1000);
    this.#bar.update(share, { text });
  }

  stop(): void {
    this.#bar.stop();
  }
}

/** Says how far a run is that has taken so many wall seconds. */
export function progressText({ simulatedPs, events, share }: Progress, seconds: number): string {
  const done = share === null ? '' : `${Math.floor(share * 100)} %${leftText(share, seconds)}  `;
  const speed = seconds > 0 ? events / seconds : 0;
  return (
    `${done}${formatTime(simulatedPs)} simulated, ${formatEvents(events)} events, ` +
    `${formatEvents(speed)} ev/s`
  );
}

function leftText(share: number, seconds: number): string {
  if (share < LEAST_SHARE) return '';
  const left = Math.ceil((seconds * (1 - share)) / share);
  return `, ${formatTime(left * PS_PER_S)} left`;
}
