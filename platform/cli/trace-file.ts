// `--trace [FORMAT:]FILE`: which file, in which format, and writing it after the run.
import { closeSync, openSync, writeSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { Topology } from '../contracts/index.ts';
import { UsageError } from '../errors.ts';
import {
  TRACE_FORMATS,
  type TracedMessage,
  type TraceFormat,
  traceLines,
} from '../observe/trace/index.ts';

/** A trace file as the command line names it. */
export interface TraceChoice {
  readonly format: TraceFormat;
  readonly file: string;
}

const JSON_LINES = /\.(jsonl|ndjson)$/;
/** Characters that are put together before they are written. */
const CHUNK_SIZE = 65_536;

/** Parses `FORMAT:FILE`, or FILE alone, whose ending says the format. */
export function parseTraceChoice(text: string): TraceChoice {
  const named = TRACE_FORMATS.find((format) => text.startsWith(`${format}:`));
  const file = named === undefined ? text : text.slice(named.length + 1);
  if (file === '') throw new InvalidArgumentError('It must name a file.');
  return { format: named ?? (JSON_LINES.test(file) ? 'jsonl' : 'text'), file };
}

/** A file that is open for a trace, so that a slip in its name is found before the run. */
export class TraceFile {
  readonly #choice: TraceChoice;
  readonly #descriptor: number;

  /** Throws UsageError when the file cannot be written. */
  constructor(choice: TraceChoice) {
    this.#choice = choice;
    try {
      this.#descriptor = openSync(choice.file, 'w');
    } catch (error) {
      throw cannotWrite(choice.file, error);
    }
  }

  /** Writes all messages and closes the file. Throws UsageError when it cannot. */
  write(topology: Topology, messages: Iterable<TracedMessage>): void {
    const { format, file } = this.#choice;
    try {
      let chunk = '';
      for (const line of traceLines(format, topology, messages)) {
        chunk += line;
        if (chunk.length < CHUNK_SIZE) continue;
        writeAll(this.#descriptor, chunk);
        chunk = '';
      }
      writeAll(this.#descriptor, chunk);
      closeSync(this.#descriptor);
    } catch (error) {
      // Whoever read a pipe has gone away, as `head` does.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw cannotWrite(file, error);
    }
  }
}

/** A pipe may take less than it is given. */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

function cannotWrite(file: string, error: unknown): UsageError {
  return new UsageError('NO_FILE', `cannot write '${file}': ${(error as Error).message}`);
}
