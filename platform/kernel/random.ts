// Named random streams. A stream is derived from (seed, name) only, so that adding a component never
// moves another's draws. The generator is sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state.
import { assert } from '../errors.ts';

/** A deterministic source of integers. */
export interface RandomStream {
  /** The next 32 random bits, 0 … 2^32-1. */
  next(): number;
  /** An unbiased integer in 0 … bound-1; bound at most 2^32. */
  below(bound: number): number;
  /** True with probability numerator / denominator. */
  ratio(numerator: number, denominator: number): boolean;
  /** A draw of the exponential distribution with this mean, rounded to an integer of at least 0. */
  exponential(mean: number): number;
  /** Fills the whole of `target` with random bytes. */
  fill(target: Uint8Array): void;
}

class Sfc32 implements RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(a: number, b: number, c: number) {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    for (let i = 0; i < 15; i++) this.next();
  }

  next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  below(bound: number): number {
    assert(bound > 0 && bound <= 2 ** 32, `bound ${bound} is outside 1 … 2^32`);
    // Reject the incomplete last run of the range, so that every value is equally likely.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = this.next();
    while (draw >= limit) draw = this.next();
    return draw % bound;
  }

  ratio(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  exponential(mean: number): number {
    // Two draws make a uniform in (0, 1] of 53 bits, so that the tail is not cut at 22 means.
    const uniform = ((this.next() >>> 5) * 2 ** 26 + (this.next() >>> 6) + 1) / 2 ** 53;
    return Math.round(-Math.log(uniform) * mean);
  }

  fill(target: Uint8Array): void {
    let word = 0;
    for (let i = 0; i < target.length; i++) {
      if ((i & 3) === 0) word = this.next();
      target[i] = word;
      word >>>= 8;
    }
  }
}

/** Makes the stream of this name under this seed. Equal arguments give equal draws, anywhere. */
export function randomStream(seed: number, name: string): RandomStream {
  let a = hashStep(0x9e3779b9, seed | 0);
  let b = hashStep(0x243f6a88, Math.floor(seed / 2 ** 32) | 0);
  let c = hashStep(0xb7e15162, name.length);
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    a = hashStep(a, code);
    b = hashStep(b ^ a, code);
    c = hashStep(c ^ b, code);
  }
  return new Sfc32(a, b, c);
}

function hashStep(state: number, value: number): number {
  let mixed = Math.imul(state ^ value, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
