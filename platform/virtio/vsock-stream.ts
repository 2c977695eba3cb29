// What each end of a vsock stream keeps (virtio 1.4 §5.10.6.3): the credit it has and gives, the bytes it
// has received and nobody has read, and the bytes it is to send. Counters run freely, modulo 2^32. Of a
// seqpacket socket it also keeps where messages end; a stream has no such ends.
import { assert } from '../errors.ts';
import type { VsockHeader } from './vsock.ts';

export class VsockStream {
  /** Bytes that this end receives ahead of its reader. */
  readonly bufAlloc: number;
  /** Bytes that were sent so far, and what the peer said of its buffer. */
  #sent = 0;
  #peerBufAlloc = 0;
  #peerForwarded = 0;
  /** Bytes received and read so far, and how many of the latter the peer knows of. */
  #received = 0;
  #forwarded = 0;
  #forwardedTold = 0;
  readonly #incoming = new ByteFifo();
  readonly #outgoing = new ByteFifo();
  readonly #incomingEnds = new MessageEnds();
  readonly #outgoingEnds = new MessageEnds();
  /** Flags of the message whose last byte was read or taken last; 0 when that was no last byte. */
  readFlags = 0;
  takenFlags = 0;

  constructor(bufAlloc: number) {
    this.bufAlloc = bufAlloc;
  }

  /** Bytes that the peer has room for. */
  get peerFree(): number {
    return Math.max(0, this.#peerBufAlloc - ((this.#sent - this.#peerForwarded) >>> 0));
  }

  /** Bytes that wait for a reader. */
  get readable(): number {
    return this.#incoming.length;
  }

  /** Bytes that wait to be sent. */
  get unsent(): number {
    return this.#outgoing.length;
  }

  /** True when the peer should be told of room that it may be waiting for. */
  get owesUpdate(): boolean {
    return ((this.#forwarded - this.#forwardedTold) >>> 0) * 2 >= this.bufAlloc;
  }

  /** Takes what a packet of the peer says of its buffer. */
  learn({ bufAlloc, fwdCnt }: VsockHeader): void {
    this.#peerBufAlloc = bufAlloc;
    this.#peerForwarded = fwdCnt;
  }

  /** Writes what this end has to say of its own into a packet. */
  stamp(header: VsockHeader): void {
    header.bufAlloc = this.bufAlloc;
    header.fwdCnt = this.#forwarded;
    this.#forwardedTold = this.#forwarded;
  }

  /**
   * Takes payload that has come, the end of a message if it has `flags`. Returns false when the peer had no
   * credit for it.
   */
  receive(bytes: Uint8Array, at: number, length: number, flags = 0): boolean {
    if (((this.#received - this.#forwarded) >>> 0) + length > this.bufAlloc) return false;
    this.#received = (this.#received + length) >>> 0;
    this.#incoming.push(bytes, at, length);
    this.#incomingEnds.added(length, flags);
    return true;
  }

  /**
   * Reads up to `length` bytes, which makes room for as many, and no further than to the end of a message.
   * Returns how many there were; `readFlags` tells whether they end one.
   */
  read(target: Uint8Array, length: number): number {
    const most = this.#incomingEnds.limit(Math.min(length, this.#incoming.length));
    const count = this.#incoming.take(target, 0, most);
    this.readFlags = this.#incomingEnds.taken(count);
    this.#forwarded = (this.#forwarded + count) >>> 0;
    return count;
  }

  /** Appends bytes to be sent; with `flags`, they end a message. */
  write(bytes: Uint8Array, at: number, length: number, flags = 0): void {
    this.#outgoing.push(bytes, at, length);
    this.#outgoingEnds.added(length, flags);
  }

  /**
   * Takes as many bytes for a packet as there are, as fit, and as the peer has room for, all of one message.
   * `takenFlags` are those of the packet.
   */
  take(target: Uint8Array, at: number, length: number): number {
    const most = Math.min(length, this.#outgoing.length, this.peerFree);
    const count = this.#outgoingEnds.limit(most);
    this.#outgoing.take(target, at, count);
    this.takenFlags = this.#outgoingEnds.taken(count);
    this.#sent = (this.#sent + count) >>> 0;
    return count;
  }

  /** Forgets what is to be sent: the peer will not receive it. */
  discard(): void {
    this.#outgoing.clear();
    this.#outgoingEnds.clear();
  }

  /** As a new stream; the peer is told of the buffer in the first packet. */
  reset(): void {
    this.#sent = 0;
    this.#peerBufAlloc = 0;
    this.#peerForwarded = 0;
    this.#received = 0;
    this.#forwarded = 0;
    this.#forwardedTold = 0;
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#incomingEnds.clear();
    this.#outgoingEnds.clear();
    this.readFlags = 0;
    this.takenFlags = 0;
  }
}

/** Where the messages in a queue of bytes end, by bytes counted from the beginning. */
class MessageEnds {
  #added = 0;
  #taken = 0;
  readonly #places: number[] = [];
  readonly #flags: number[] = [];

  /** Bytes were added; with `flags`, they end a message. A message without bytes is none. */
  added(length: number, flags: number): void {
    this.#added += length;
    if (flags === 0 || this.#added === (this.#places.at(-1) ?? this.#taken)) return;
    this.#places.push(this.#added);
    this.#flags.push(flags);
  }

  /** How many of the next `length` bytes belong to one message. */
  limit(length: number): number {
    return this.#places.length === 0 ? length : Math.min(length, this.#places[0] - this.#taken);
  }

  /** Bytes were taken. Returns the flags of the message that they end, or 0. */
  taken(length: number): number {
    this.#taken += length;
    if (length === 0 || this.#places[0] !== this.#taken) return 0;
    this.#places.shift();
    return this.#flags.shift()!;
  }

  clear(): void {
    this.#added = 0;
    this.#taken = 0;
    this.#places.length = 0;
    this.#flags.length = 0;
  }
}

/** Bytes first in, first out, in an array that grows and is reused. */
class ByteFifo {
  length = 0;
  #bytes = new Uint8Array(0);
  #start = 0;

  push(bytes: Uint8Array, at: number, length: number): void {
    this.#makeRoom(length);
    this.#bytes.set(bytes.subarray(at, at + length), this.#start + this.length);
    this.length += length;
  }

  take(target: Uint8Array, at: number, length: number): number {
    assert(length <= this.length, 'there are as many bytes as are taken');
    target.set(this.#bytes.subarray(this.#start, this.#start + length), at);
    this.#start += length;
    this.length -= length;
    if (this.length === 0) this.#start = 0;
    return length;
  }

  clear(): void {
    this.length = 0;
    this.#start = 0;
  }

  #makeRoom(length: number): void {
    const needed = this.length + length;
    if (this.#start + needed <= this.#bytes.length) return;
    const larger = needed > this.#bytes.length;
    const target = larger ? new Uint8Array(Math.max(1024, 2 * needed)) : this.#bytes;
    target.set(this.#bytes.subarray(this.#start, this.#start + this.length));
    this.#bytes = target;
    this.#start = 0;
  }
}
