// How well founded a result is: the charged time by kind of evidence, and the constants behind it.
import type { EvidenceKind, ProfilePlan } from '../contracts/index.ts';
import type { Charges } from './costs.ts';

/** The account of one constant over a run. */
export interface ChargedConstant {
  readonly name: string;
  readonly kind: EvidenceKind;
  readonly text: string;
  readonly source: string;
  readonly count: number;
  readonly ps: number;
  /** Part of all charged time, 0 … 1. */
  readonly share: number;
}

/** The account of a whole run. */
export interface EvidenceSummary {
  readonly totalPs: number;
  /** Part of all charged time that rests on each kind, 0 … 1; the three add up to 1. */
  readonly shares: Readonly<Record<EvidenceKind, number>>;
  /** Every constant that was charged, the largest first. */
  readonly constants: readonly ChargedConstant[];
  /** Those of them that are guesses, the largest first. */
  readonly guesses: readonly ChargedConstant[];
}

/** Sums charges by kind of evidence. Constants that cost nothing in this run are left out. */
export function summariseEvidence(profile: ProfilePlan, charges: Charges): EvidenceSummary {
  let totalPs = 0;
  for (const ps of charges.ps) totalPs += ps;
  const share = (ps: number) => (totalPs === 0 ? 0 : ps / totalPs);
  const psByKind = { measured: 0, specified: 0, guess: 0 };
  const constants: ChargedConstant[] = [];
  profile.constants.forEach(({ name, kind, text, source }, id) => {
    const ps = charges.ps[id];
    const count = charges.counts[id];
    psByKind[kind] += ps;
    if (count > 0) constants.push({ name, kind, text, source, count, ps, share: share(ps) });
  });
  // Array sort is stable, so that equal charges keep the order of the profile.
  constants.sort((a, b) => b.ps - a.ps);
  return {
    totalPs,
    shares: {
      measured: share(psByKind.measured),
      specified: share(psByKind.specified),
      guess: share(psByKind.guess),
    },
    constants,
    guesses: constants.filter((constant) => constant.kind === 'guess'),
  };
}
