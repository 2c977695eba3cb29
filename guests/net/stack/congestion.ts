// How fast a TCP sender may send: slow start, congestion avoidance and fast recovery (RFC 5681, RFC
// 6582), and how long it waits for an answer (RFC 6298). Bytes and ps; no segments.
import { PS_PER_MS, PS_PER_S } from '../../../platform/kernel/index.ts';

/** Segments of the first window (RFC 6928). */
const FIRST_WINDOW = 10;
/** Duplicate acknowledgements that mean a loss. */
const DUPLICATES = 3;

/** The least and the first time-out: those of Linux. */
export const RTO_MIN = 200 * PS_PER_MS;
const RTO_FIRST = PS_PER_S;
const RTO_MAX = 60 * PS_PER_S;

export class Congestion {
  /** Bytes that may be on their way. */
  window: number;
  windowMax: number;
  threshold = Infinity;
  /** In fast recovery, until this position is acknowledged; -1 outside it. */
  recover = -1;
  rto = RTO_FIRST;
  /** Smoothed round trip, or 0 before the first one. */
  roundTrip = 0;
  readonly #segment: number;
  #variation = 0;
  #duplicates = 0;

  /** `segment` is the largest payload of a segment. */
  constructor(segment: number) {
    this.#segment = segment;
    this.window = FIRST_WINDOW * segment;
    this.windowMax = this.window;
  }

  get recovering(): boolean {
    return this.recover >= 0;
  }

  /** A round trip was measured. */
  measured(time: number): void {
    if (this.roundTrip === 0) {
      this.roundTrip = time;
      this.#variation = time / 2;
    } else {
      this.#variation += (Math.abs(time - this.roundTrip) - this.#variation) / 4;
      this.roundTrip += (time - this.roundTrip) / 8;
    }
    const wanted = Math.ceil(this.roundTrip + 4 * this.#variation);
    this.rto = Math.min(RTO_MAX, Math.max(RTO_MIN, wanted));
  }

  /**
   * New bytes up to `position` were acknowledged, of `flight` that were on their way. Returns true in
   * recovery when more is missing: the segment at `position` must be sent again.
   */
  acknowledged(position: number, bytes: number, flight: number): boolean {
    this.#duplicates = 0;
    if (!this.recovering) {
      // A window that was not used says nothing about the network, and does not grow (RFC 7661).
      if (flight * 2 >= this.window) this.#grow(bytes);
    } else if (position >= this.recover) {
      this.window = this.threshold;
      this.recover = -1;
    } else {
      this.window = Math.max(this.#segment, this.window - bytes + this.#segment);
      return true;
    }
    if (this.window > this.windowMax) this.windowMax = this.window;
    return false;
  }

  #grow(bytes: number): void {
    const step = Math.min(bytes, 2 * this.#segment);
    const slow = this.window < this.threshold;
    this.window += slow ? step : Math.max(1, Math.floor((this.#segment * step) / this.window));
  }

  /**
   * An acknowledgement came that acknowledges nothing new, with `flight` bytes on their way up to `sent`.
   * Returns true when that means a loss: the oldest segment must be sent again.
   */
  duplicate(flight: number, sent: number): boolean {
    this.#duplicates++;
    if (this.recovering) {
      this.window += this.#segment;
      return false;
    }
    if (this.#duplicates < DUPLICATES) return false;
    this.threshold = Math.max(Math.floor(flight / 2), 2 * this.#segment);
    this.window = this.threshold + DUPLICATES * this.#segment;
    this.recover = sent;
    return true;
  }

  /** No answer came in time. */
  timedOut(flight: number): void {
    this.threshold = Math.max(Math.floor(flight / 2), 2 * this.#segment);
    this.window = this.#segment;
    this.recover = -1;
    this.#duplicates = 0;
    this.rto = Math.min(RTO_MAX, this.rto * 2);
  }
}
