// A program that runs a model for as long as it is told, line by line, and says how many events it had.
// Kept running between rounds, so that contestants can take short turns.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** What a program prints, on one line. */
export interface Measured {
  readonly events: number;
  /** CPU time of the process. */
  readonly seconds: number;
  /** Requests completed in the first two simulated ms, for models that complete requests. */
  readonly early?: number;
}

export class Contestant {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, [program, ...parameters]: readonly string[]) {
    this.name = name;
    this.#child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Lets it run for so many seconds of CPU time. */
  async run(seconds: number): Promise<Measured> {
    this.#child.stdin.write(`${seconds}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.name} has ended`);
      // SystemC opens with lines of its own.
      if (value.startsWith('{')) return JSON.parse(value) as Measured;
    }
  }

  /** Ends the program, and returns when it is gone. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('close', () => resolve());
      this.#child.stdin.end();
    });
  }
}
