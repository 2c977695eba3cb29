// `--trace [FORMAT:]FILE`: which file, in which format, and writing it after the run.
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Topology } from '../contracts/index.ts';
import { UsageError } from '../errors.ts';
import { writeWhole } from '../hosts/index.ts';
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

/**
 * A file that gets a trace: whole, or not at all. Until then messages wait in files beside it, which have no
 * name any more once they are open, so that nothing is left of them whatever happens.
 */
export class TraceFile {
  readonly #choice: TraceChoice;
  /** Where the trace is put together; the file itself where that is a pipe, a terminal or a link. */
  readonly #draft: string;
  readonly #stores: number[] = [];

  /** Throws UsageError when the file cannot be written, so that a slip in its name is found before the run. */
  constructor(choice: TraceChoice) {
    const { file } = choice;
    this.#choice = choice;
    this.#draft = isReplaceable(file) ? `${file}.${process.pid}.part` : file;
    this.#trying(() => {
      if (existsSync(file)) accessSync(file, constants.W_OK);
      if (this.#draft === file) return;
      closeSync(openSync(this.#draft, 'w'));
      unlinkSync(this.#draft);
    });
  }

  /** Opens a file for messages that wait. */
  store(): number {
    const folder = this.#draft === this.#choice.file ? tmpdir() : dirname(this.#draft);
    const name = join(folder, `busbar-${randomUUID()}.messages`);
    return this.#trying(() => {
      const descriptor = openSync(name, 'wx+', 0o600);
      this.#stores.push(descriptor);
      unlinkSync(name);
      return descriptor;
    });
  }

  /** Writes all messages. Throws UsageError when it cannot. */
  write(topology: Topology, messages: Iterable<TracedMessage>): void {
    const { format, file } = this.#choice;
    try {
      const descriptor = openSync(this.#draft, 'w');
      try {
        writeLines(descriptor, traceLines(format, topology, messages));
      } finally {
        closeSync(descriptor);
      }
      if (this.#draft !== file) renameSync(this.#draft, file);
    } catch (error) {
      // Whoever read a pipe has gone away, as `head` does.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
      if (this.#draft !== file) rmSync(this.#draft, { force: true });
      throw cannotWrite(file, error);
    }
  }

  /** Gives up the messages that wait. */
  close(): void {
    for (const store of this.#stores.splice(0)) closeSync(store);
  }

  #trying<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw cannotWrite(this.#choice.file, error);
    }
  }
}

/** True for a file, or the name of one to be, which another file can take the place of. */
function isReplaceable(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
}

function writeLines(descriptor: number, lines: Iterable<string>): void {
  let chunk = '';
  for (const line of lines) {
    chunk += line;
    if (chunk.length < CHUNK_SIZE) continue;
    writeWhole(descriptor, Buffer.from(chunk));
    chunk = '';
  }
  writeWhole(descriptor, Buffer.from(chunk));
}

function cannotWrite(file: string, error: unknown): UsageError {
  return new UsageError('NO_FILE', `cannot write '${file}': ${(error as Error).message}`);
}
