// What things cost at run time: a node's view of the profile that hands out durations and keeps
// account of what was charged, so that a report can say how much of its result rests on guesses.
import type { ConstantDimension, ProfilePlan } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import { type Duration, transferTime } from '../kernel/index.ts';

/** A timing constant at run time: its position in the profile's list. */
export type CostId = number;

/** Charges by constant id; plain typed arrays, so that they cross threads as they are. */
export interface Charges {
  readonly ps: Float64Array;
  readonly counts: Float64Array;
}

/** Constants by id. Looking up a name happens once, at construction of a model. */
export class Costs {
  readonly charges: Charges;
  readonly #values: Float64Array;
  readonly #isTime: Uint8Array;
  readonly #isRate: Uint8Array;
  readonly #ids: ReadonlyMap<string, CostId>;

  constructor(profile: ProfilePlan) {
    const { constants } = profile;
    this.#values = Float64Array.from(constants, (constant) => constant.value);
    const are = (dimension: ConstantDimension) =>
      Uint8Array.from(constants, (constant) => (constant.dimension === dimension ? 1 : 0));
    this.#isTime = are('time');
    this.#isRate = are('rate');
    this.#ids = new Map(constants.map((constant, index) => [constant.name, index]));
    this.charges = {
      ps: new Float64Array(constants.length),
      counts: new Float64Array(constants.length),
    };
  }

  /** Finds the id of a constant. An unknown name is a bug: definitions declare what they use. */
  idOf(name: string): CostId {
    const id = this.#ids.get(name);
    assert(id !== undefined, `timing constant ${name} is not declared by any definition`);
    return id;
  }

  /** Charges the time of constant `id` once and returns it, in ps. */
  time(id: CostId): Duration {
    const ps = this.#values[id];
    assert(this.#isTime[id] === 1, 'time() of what is no time');
    this.charges.ps[id] += ps;
    this.charges.counts[id]++;
    return ps;
  }

  /** Charges the time of constant `id` `count` times and returns the sum, in ps. */
  times(id: CostId, count: number): Duration {
    assert(this.#isTime[id] === 1, 'times() of what is no time');
    const ps = this.#values[id] * count;
    this.charges.ps[id] += ps;
    this.charges.counts[id] += count;
    return ps;
  }

  /** Charges the time `bytes` take at rate `id`, rounded up to whole ps, and returns it. */
  transfer(id: CostId, bytes: number): Duration {
    assert(this.#isRate[id] === 1, 'transfer() of what is no rate');
    const ps = transferTime(bytes, this.#values[id]);
    this.charges.ps[id] += ps;
    this.charges.counts[id]++;
    return ps;
  }

  /** Reads a constant without charging it: timeouts, intervals, lookahead, sizes, counts. */
  value(id: CostId): number {
    return this.#values[id];
  }
}

/** Adds up the charges of several nodes. All come from one profile. */
export function mergeCharges(parts: readonly Charges[]): Charges {
  assert(parts.length > 0, 'nothing to merge');
  const sum = {
    ps: new Float64Array(parts[0].ps.length),
    counts: new Float64Array(parts[0].ps.length),
  };
  for (const part of parts) {
    assert(part.ps.length === sum.ps.length, 'charges of different profiles');
    for (let id = 0; id < sum.ps.length; id++) {
      sum.ps[id] += part.ps[id];
      sum.counts[id] += part.counts[id];
    }
  }
  return sum;
}
