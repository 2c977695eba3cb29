// The sending half of a TCP connection: what was written and is not acknowledged yet, what may be sent
// now, and what must be sent again. Positions count from the own SYN, which is 0; the first byte is 1.
//
//   una ─── sent, not acknowledged ─── next ─── written, not sent ─── end │ FIN
import { type Component, type ComponentId, NO_EVENT } from '../../../platform/kernel/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import { ByteRing } from './byte-ring.ts';
import { Congestion } from './congestion.ts';

/** Time-outs in a row after which the peer is given up. */
const TIMEOUTS_MAX = 15;

/** What every station takes (RFC 9293 §3.7.1). */
const FIRST_SEGMENT = 536;

export interface SenderOptions {
  readonly node: Node;
  /** Bytes that are kept until they are acknowledged. */
  readonly buffer: number;
  /** Sends `length` bytes from `position` on, or SYN or FIN with length 0. False: no room now. */
  transmit(position: number, length: number): boolean;
  /** The peer has not answered for too long. */
  giveUp(): void;
}

export class TcpSender implements Component {
  /** Everything before this position is acknowledged. */
  una = 0;
  /** Bytes that the peer has room for, from `una` on. */
  peerWindow = 65_535;
  segments = 0;
  /** Segments sent again, time-outs, and losses told by duplicates. */
  retransmissions = 0;
  timeouts = 0;
  fastRetransmissions = 0;
  congestion: Congestion;
  /** Payload of a segment, and of a packet that the device cuts into segments, at the most. */
  #segment = FIRST_SEGMENT;
  #packet = FIRST_SEGMENT;
  readonly #options: SenderOptions;
  readonly #ring: ByteRing;
  readonly #id: ComponentId;
  #next = 0;
  /** One past the furthest position ever sent. */
  #sent = 0;
  /** One past the last byte written. */
  #end = 1;
  #finished = false;
  #timeoutsInRow = 0;
  /** The round trip being measured: what must be acknowledged, and since when. */
  #timedPosition = -1;
  #timedAt = 0;
  #deadline = Infinity;
  #timer = NO_EVENT;
  #timerAt = 0;
  /** The oldest segment is to be sent again, but there was no room for it. */
  #oldestWaits = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#ring = new ByteRing(options.buffer);
    this.congestion = new Congestion(FIRST_SEGMENT);
    this.#id = options.node.add(this);
  }

  /** Both sides have said how large segments may be; no bytes were sent before. */
  agree(segment: number, packet: number): void {
    const { rto } = this.congestion;
    this.#segment = segment;
    this.#packet = packet;
    this.congestion = new Congestion(segment);
    this.congestion.rto = rto;
  }

  /** Bytes that `write` has room for. */
  get room(): number {
    return this.#ring.size - (this.#end - Math.max(1, this.una));
  }

  /** Bytes acknowledged so far. */
  get acknowledgedBytes(): number {
    return Math.min(Math.max(1, this.una), this.#end) - 1;
  }

  /** True when all, FIN included, is acknowledged. */
  get done(): boolean {
    return this.#finished && this.una > this.#end;
  }

  /** Positions that were sent: an acknowledgement beyond them makes no sense. */
  get sent(): number {
    return this.#sent;
  }

  /** True for a position where FIN stands, or will once it is sent. */
  isEnd(position: number): boolean {
    return this.#finished && position === this.#end;
  }

  /** Adds bytes to send; returns how many there was room for. */
  write(bytes: Uint8Array, offset: number, length: number): number {
    const accepted = Math.min(length, this.room);
    this.#ring.put(this.#end, bytes, offset, accepted);
    this.#end += accepted;
    this.output();
    return accepted;
  }

  /** Copies written bytes from `position` on. */
  copy(position: number, target: Uint8Array, offset: number, length: number): void {
    this.#ring.get(position, target, offset, length);
  }

  /** No more will be written. */
  finish(): void {
    this.#finished = true;
    this.output();
  }

  /** Sends what the windows allow. */
  output(): void {
    if (this.#oldestWaits) this.#sendOldest();
    while (!this.#oldestWaits) {
      const length = this.#nextLength();
      if (length < 0) break;
      if (!this.#send(this.#next, length)) break;
      this.#next += Math.max(1, length);
    }
    if (this.#sent > this.una && this.#deadline === Infinity) this.#restartTimer();
  }

  /** The peer has everything before `position`. */
  acknowledge(position: number, isDuplicate: boolean): void {
    const flight = this.#sent - this.una;
    if (position <= this.una) {
      if (!isDuplicate || flight === 0) return;
      if (!this.congestion.duplicate(flight, this.#sent)) return this.output();
      this.fastRetransmissions++;
      this.#sendOldest();
      return this.output();
    }
    const bytes = position - this.una;
    this.una = position;
    this.#oldestWaits = false;
    this.#next = Math.max(this.#next, position);
    this.#timeoutsInRow = 0;
    this.#measure(position);
    if (this.congestion.acknowledged(position, bytes, flight)) this.#sendOldest();
    if (this.#sent > this.una) this.#restartTimer();
    else this.#deadline = Infinity;
    this.output();
  }

  stop(): void {
    this.#options.node.kernel.cancel(this.#timer);
    this.#timer = NO_EVENT;
    this.#deadline = Infinity;
    this.#finished = false;
    this.#end = this.#next;
  }

  /** The timer went off; what it waits for may lie later by now. */
  deliver(): void {
    const { kernel } = this.#options.node;
    this.#timer = NO_EVENT;
    if (this.#deadline === Infinity) return;
    if (kernel.now < this.#deadline) {
      this.#startTimer(this.#deadline - kernel.now);
      return;
    }
    this.#timedOut();
  }

  #timedOut(): void {
    this.timeouts++;
    this.#timeoutsInRow++;
    if (this.#timeoutsInRow > TIMEOUTS_MAX) return this.#options.giveUp();
    this.congestion.timedOut(this.#sent - this.una);
    // Everything not acknowledged counts as lost.
    this.#next = this.una;
    this.#oldestWaits = false;
    this.#timedPosition = -1;
    this.#deadline = Infinity;
    this.output();
    if (this.#deadline === Infinity) this.#restartTimer();
  }

  /** Bytes of the next packet: 0 for SYN or FIN, -1 when nothing may be sent. */
  #nextLength(): number {
    const next = this.#next;
    if (next === 0) return 0;
    if (this.una === 0) return -1;
    const segment = this.#segment;
    const limit = this.una + Math.min(this.congestion.window, this.peerWindow);
    const waiting = this.#end - next;
    if (waiting <= 0) return this.#finished && next === this.#end ? 0 : -1;
    const allowed = Math.min(waiting, limit - next, this.#packet);
    if (allowed <= 0) return -1;
    // A piece of a segment is sent only when it is all there is, or when nothing else is on its way.
    const whole = allowed < segment ? allowed : allowed - (allowed % segment);
    if (allowed === waiting) return allowed;
    return whole < segment && next > this.una ? -1 : whole;
  }

  #sendOldest(): void {
    const isMark = this.una === 0 || this.isEnd(this.una);
    const length = isMark ? 0 : Math.min(this.#segment, this.#end - this.una);
    this.#oldestWaits = !this.#send(this.una, length);
    this.#restartTimer();
  }

  #send(position: number, length: number): boolean {
    const { node, transmit } = this.#options;
    if (!transmit(position, length)) return false;
    const segments = Math.max(1, Math.ceil(length / this.#segment));
    this.segments += segments;
    const end = position + Math.max(1, length);
    if (position < this.#sent) {
      this.retransmissions += segments;
      // An answer to either copy would be taken for one to the other (Karn).
      this.#timedPosition = -1;
    } else if (this.#timedPosition < 0) {
      this.#timedPosition = end;
      this.#timedAt = node.kernel.now;
    }
    if (end > this.#sent) this.#sent = end;
    return true;
  }

  #measure(position: number): void {
    if (this.#timedPosition < 0 || position < this.#timedPosition) return;
    this.congestion.measured(this.#options.node.kernel.now - this.#timedAt);
    this.#timedPosition = -1;
  }

  #restartTimer(): void {
    const { kernel } = this.#options.node;
    const { rto } = this.congestion;
    this.#deadline = kernel.now + rto;
    // A timer that goes off too early looks at the deadline again; one that is too late is replaced.
    if (this.#timer !== NO_EVENT && this.#timerAt <= this.#deadline) return;
    kernel.cancel(this.#timer);
    this.#startTimer(rto);
  }

  #startTimer(delay: number): void {
    const { kernel } = this.#options.node;
    this.#timer = kernel.schedule(this.#id, delay, 0);
    this.#timerAt = kernel.now + delay;
  }
}
