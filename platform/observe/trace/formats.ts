// How a trace of messages is written to a file: as text for people, or as JSON Lines for programs.
// Fields: platform/docs/trace.md.
import type { Topology } from '../../contracts/index.ts';
import { toHex } from '../../wire/index.ts';
import type { TracedMessage } from './message-trace.ts';

/** Formats by the name that the command line knows them by. */
export const TRACE_FORMATS = ['text', 'jsonl'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** Yields the lines of a trace file, each with its end. */
export function traceLines(
  format: TraceFormat,
  topology: Topology,
  messages: Iterable<TracedMessage>,
): Iterable<string> {
  return format === 'text' ? textLines(topology, messages) : jsonLines(messages);
}

const TIME_WIDTH = 14;
const SIZE_WIDTH = 5;
const WAY = 'way';

function* textLines(topology: Topology, messages: Iterable<TracedMessage>): Iterable<string> {
  const { name, seed, buses } = topology;
  const width = Math.max(3, ...buses.map((bus) => bus.name.length));
  yield `# Messages of ${name}, seed ${seed}. Time in ns; -> is from driver to device, size in bytes.\n`;
  const size = 'size'.padStart(SIZE_WIDTH);
  yield `# ${'time'.padStart(TIME_WIDTH - 2)}  ${'bus'.padEnd(width)}  ${WAY}  ${size}  message\n`;
  for (const { ps, bus, from, size, text, dropped } of messages) {
    const columns = [
      nanoseconds(ps).padStart(TIME_WIDTH),
      bus.padEnd(width),
      (from === 'driver' ? '->' : '<-').padEnd(WAY.length),
      String(size).padStart(SIZE_WIDTH),
      dropped ? `${text} [dropped by a fault rule]` : text,
    ];
    yield `${columns.join('  ')}\n`;
  }
}

/** Exact to the picosecond, which a division would not be for long times. */
function nanoseconds(ps: number): string {
  return `${Math.floor(ps / 1000)}.${String(ps % 1000).padStart(3, '0')}`;
}

function* jsonLines(messages: Iterable<TracedMessage>): Iterable<string> {
  for (const message of messages) yield `${JSON.stringify(message, plainValue)}\n`;
}

/** JSON has no numbers of 64 bits and no bytes: both are written in hexadecimal. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return value instanceof Uint8Array ? toHex(value) : value;
}
