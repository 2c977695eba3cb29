// What a thread has recorded of messages: pieces of plain numbers and the bytes themselves, all but the last of
// them in a file that nobody else sees.
//
//   piece in a file: count f64 │ bytes f64 │ count × at f64 │ count × end f64 │ count × sender u32 │ bytes
import { readSync, writeSync } from 'node:fs';
import { RunError } from '../errors.ts';

/** Messages in the order in which they were sent; each list has one entry a message. */
export interface MessageRecord {
  readonly count: number;
  /** ps. */
  readonly at: Float64Array;
  /** Which end of which bus, and whether a fault rule has dropped it: see `senderOf`. */
  readonly sender: Uint32Array;
  /** Where the bytes of the message end; those of the next one begin there. */
  readonly end: Float64Array;
  readonly bytes: Uint8Array;
}

/** All that one thread has recorded. */
export interface RecordedMessages {
  /** Descriptor of the file with the earlier pieces; null when there can be none. */
  readonly file: number | null;
  /** How many pieces it has. */
  readonly filed: number;
  readonly last: MessageRecord;
}

const HEADER_SIZE = 16;

/** Yields the pieces in order; those of a file are read one by one. */
export function* piecesOf({ file, filed, last }: RecordedMessages): Iterable<MessageRecord> {
  let position = 0;
  for (let piece = 0; file !== null && piece < filed; piece++) {
    const [count, size] = new Float64Array(readWhole(file, position, HEADER_SIZE));
    position += HEADER_SIZE;
    const numbers = readWhole(file, position, count * 20);
    position += count * 20;
    const bytes = new Uint8Array(readWhole(file, position, size));
    position += size;
    yield {
      count,
      at: new Float64Array(numbers, 0, count),
      end: new Float64Array(numbers, count * 8, count),
      sender: new Uint32Array(numbers, count * 16, count),
      bytes,
    };
  }
  yield last;
}

/** Appends a piece to a file. Throws RunError TRACE when it cannot. */
export function appendPiece(file: number, piece: MessageRecord): void {
  const { count, at, end, sender, bytes } = piece;
  try {
    for (const part of [Float64Array.of(count, bytes.length), at, end, sender, bytes]) {
      writeWhole(file, new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    }
  } catch (error) {
    const { message } = error as Error;
    throw new RunError('TRACE', `recorded messages cannot be kept: ${message}`);
  }
}

/** Writes all bytes where the file is now; a pipe may take less at a time than it is given. */
export function writeWhole(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

function readWhole(file: number, position: number, length: number): ArrayBuffer {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const read = readSync(file, bytes, done, length - done, position + done);
    if (read === 0) throw new RunError('TRACE', 'recorded messages have been cut off');
    done += read;
  }
  return bytes.buffer;
}
