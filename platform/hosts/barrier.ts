// The barrier between two windows: a round counter of each group in shared memory. Who waits spins for
// a short time, then sleeps; a flag ends the wait when the run is off.

/** 32-bit words between the round counters of two groups, so that they share no cache line. */
const ROUND_WORDS = 32;
/** Words ahead of the round counters: a flag that the run is off, and how many threads sleep. */
const ABORTED = 0;
const SLEEPERS = 16;
const HEADER_WORDS = 32;

/** Makes the shared memory of a barrier. */
export function createBarrier(groupCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER_WORDS + groupCount * ROUND_WORDS) * 4);
}

/** Tells all threads of a run to give up, and wakes those that sleep. */
export function abortRun(memory: SharedArrayBuffer): void {
  const words = new Int32Array(memory);
  Atomics.store(words, ABORTED, 1);
  for (let word = HEADER_WORDS; word < words.length; word += ROUND_WORDS) {
    Atomics.notify(words, word);
  }
}

/** Thrown in a thread when another one has failed. */
export class RunAborted extends Error {
  override name = 'RunAborted';
}

/** Looks at the round counter between two readings of the clock while spinning. */
const LOOKS_PER_READING = 128;
/**
 * How long to spin before sleeping. It adapts: a busy machine or more threads than cores make spinning
 * worse than useless, as whoever spins keeps from running the one that it waits for. But to wake up
 * takes longer than a round, so threads that sleep make one another sleep. Now and then all of them
 * try again, in the same round.
 */
const SPIN_MS_MAX = 0.1;
const SPIN_MS_MIN = 0.002;
const SPIN_GROWTH = 1.05;
const SPIN_DECAY = 0.5;
const ROUNDS_PER_TRIAL = 64;
/** A sleeper looks up this often by itself, should a thread have died without a word. */
const SLEEP_MS = 100;

/** A group's side of the barrier. */
export class Barrier {
  /** Seconds waited, by the group that came last. */
  readonly waitedFor: Float64Array;
  /** Times that this thread went to sleep. */
  sleeps = 0;
  readonly #words: Int32Array;
  readonly #own: number;
  readonly #count: number;
  readonly #spinMsMax: number;
  #spinMs: number;
  #round = 0;

  constructor(memory: SharedArrayBuffer, own: number, cores: number) {
    this.#words = new Int32Array(memory);
    this.#own = own;
    this.#count = (this.#words.length - HEADER_WORDS) / ROUND_WORDS;
    this.waitedFor = new Float64Array(this.#count);
    this.#spinMsMax = this.#count <= cores ? SPIN_MS_MAX : SPIN_MS_MIN;
    this.#spinMs = this.#spinMsMax;
  }

  /**
   * Waits until all groups have come here as often as this one. `since` is the time in ms at which
   * this group was ready; returns the time at which all were. Throws RunAborted.
   */
  pass(since: number): number {
    const words = this.#words;
    this.#round = (this.#round + 1) | 0;
    if (this.#round % ROUNDS_PER_TRIAL === 0) this.#spinMs = this.#spinMsMax;
    Atomics.store(words, HEADER_WORDS + this.#own * ROUND_WORDS, this.#round);
    if (Atomics.load(words, SLEEPERS) > 0) {
      Atomics.notify(words, HEADER_WORDS + this.#own * ROUND_WORDS);
    }
    // Groups are awaited one after another; the last one that was not there yet came last of all.
    let last = -1;
    for (let group = 0; group < this.#count; group++) {
      if (group === this.#own || this.#isHere(group)) continue;
      last = group;
      this.#await(group);
    }
    this.#checkAborted();
    if (last < 0) return since;
    const now = performance.now();
    this.waitedFor[last] += (now - since) / 1000;
    return now;
  }

  /** Starts the account of waiting anew. */
  forget(): void {
    this.waitedFor.fill(0);
    this.sleeps = 0;
  }

  #isHere(group: number): boolean {
    return ((Atomics.load(this.#words, HEADER_WORDS + group * ROUND_WORDS) - this.#round) | 0) >= 0;
  }

  #await(group: number): void {
    const start = performance.now();
    do {
      for (let look = 0; look < LOOKS_PER_READING; look++) {
        if (!this.#isHere(group)) continue;
        this.#spinMs = Math.min(this.#spinMsMax, this.#spinMs * SPIN_GROWTH);
        return;
      }
      this.#checkAborted();
    } while (performance.now() - start < this.#spinMs);
    this.#spinMs = Math.max(SPIN_MS_MIN, this.#spinMs * SPIN_DECAY);
    this.#sleep(group);
  }

  #sleep(group: number): void {
    this.sleeps++;
    const words = this.#words;
    const word = HEADER_WORDS + group * ROUND_WORDS;
    Atomics.add(words, SLEEPERS, 1);
    // Whoever arrives stores its round first and looks for sleepers then, so no wake-up is lost.
    for (;;) {
      const seen = Atomics.load(words, word);
      if (((seen - this.#round) | 0) >= 0) break;
      this.#checkAborted();
      Atomics.wait(words, word, seen, SLEEP_MS);
    }
    Atomics.sub(words, SLEEPERS, 1);
  }

  #checkAborted(): void {
    if (Atomics.load(this.#words, ABORTED) !== 0) {
      throw new RunAborted('another thread of the run has failed');
    }
  }
}
