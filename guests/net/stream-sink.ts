// The far end of the `stream` workload: it answers calls, compares every byte with what it must be, and
// tells the caller at the end. What the bytes must be follows from the seed and the stream's number.
import type { RandomStream } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { NetStack, TcpConnection, TcpHandler } from './stack/index.ts';

export const STREAM_PORT = 5001;
/** Bytes before the data: the stream's number, le32. */
export const STREAM_HEADER = 4;
/** The answer: bytes that were right and bytes that were wrong, as doubles. */
export const STREAM_ANSWER = 16;
/** Bytes of the pattern made at a time, on both sides alike. */
const STREAM_CHUNK = 4096;
const WINDOW = 1_048_576;

/** The number of a stream: made of its name, so that other streams don't change it (FNV-1a). */
export function streamNumber(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The bytes of a stream, in order. */
export class StreamPattern {
  readonly #random: RandomStream;
  readonly #chunk = new Uint8Array(STREAM_CHUNK);
  #at = STREAM_CHUNK;

  constructor(node: Node, stream: number) {
    this.#random = node.random(`stream/${stream}`);
  }

  /** The next bytes in one piece, no more than `max`. They count as used. */
  take(max: number): Uint8Array {
    if (this.#at === STREAM_CHUNK) {
      this.#random.fill(this.#chunk);
      this.#at = 0;
    }
    const end = Math.min(STREAM_CHUNK, this.#at + max);
    const piece = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }
}

/** Lets a stack answer streams. */
export function serveStreams(node: Node, stack: NetStack): void {
  stack.tcp.listen(STREAM_PORT, {
    window: WINDOW,
    accept: (connection) => new StreamSink(node, stack.name, connection),
  });
}

class StreamSink implements TcpHandler {
  readonly #node: Node;
  readonly #name: string;
  readonly #connection: TcpConnection;
  readonly #header = new Uint8Array(STREAM_HEADER);
  #headerBytes = 0;
  #pattern: StreamPattern | null = null;
  #right = 0;
  #wrong = 0;

  constructor(node: Node, name: string, connection: TcpConnection) {
    this.#node = node;
    this.#name = name;
    this.#connection = connection;
  }

  connected(): void {}

  received(bytes: Uint8Array, offset: number, length: number): void {
    let at = offset;
    const end = offset + length;
    while (at < end && this.#headerBytes < STREAM_HEADER) {
      this.#header[this.#headerBytes++] = bytes[at++];
    }
    if (this.#headerBytes < STREAM_HEADER) return;
    if (this.#pattern === null) {
      const stream = new DataView(this.#header.buffer).getUint32(0, true);
      this.#pattern = new StreamPattern(this.#node, stream);
    }
    while (at < end) {
      const piece = this.#pattern.take(end - at);
      this.#compare(bytes, at, piece);
      at += piece.length;
    }
  }

  acknowledged(): void {}

  /** The caller has sent all: tell it what came. */
  peerEnded(): void {
    if (this.#wrong > 0) {
      const text = `${this.#name}: ${this.#wrong} bytes of a stream are not what was sent`;
      this.#node.violations.report('VERIFY', text);
    }
    const answer = new Uint8Array(STREAM_ANSWER);
    const view = new DataView(answer.buffer);
    view.setFloat64(0, this.#right, true);
    view.setFloat64(8, this.#wrong, true);
    this.#connection.write(answer, 0, STREAM_ANSWER);
    this.#connection.close();
  }

  closed(): void {}

  #compare(bytes: Uint8Array, at: number, expected: Uint8Array): void {
    let wrong = 0;
    // Nearly always all are right, which is told much faster than how many are not.
    if (Buffer.compare(bytes.subarray(at, at + expected.length), expected) !== 0) {
      for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) wrong++;
    }
    this.#wrong += wrong;
    this.#right += expected.length - wrong;
  }
}
