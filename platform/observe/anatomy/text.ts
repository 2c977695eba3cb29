// The anatomy of a request as a table for people. All times are in ns with three decimals, so that
// every picosecond can be seen to add up.
import { PS_PER_NS } from '../../kernel/index.ts';
import {
  alignColumns,
  formatCount,
  formatShare,
  type Paint,
  shorten,
  wrapLine,
} from '../../text/index.ts';
import type { Anatomy, AnatomyStep } from './anatomy.ts';

const WHAT_SHOWN_MAX = 56;
const SOURCE_SHOWN_MAX = 56;
/** On screens narrower than this, what a constant is and where it comes from is left out. */
const WIDE = 100;

interface Line {
  readonly numbers: readonly string[];
  readonly words: readonly string[];
  readonly isTitle: boolean;
}

/** Prints steps grouped by phase, and then all steps of a constant together. */
export function anatomyText(anatomy: Anatomy, paint: Paint): string {
  const { device, request, requests, median, submittedPs, latencyPs, steps } = anatomy;
  const choice = median ? ', the one of median latency' : '';
  const title = `Anatomy of request ${formatCount(request)} of ${formatCount(requests)} on ${device}`;
  return [
    paint.bold(`${title}${choice}`),
    ...wrapLine(
      `submitted at ${nanoseconds(submittedPs)} ns; ${formatCount(steps.length)} steps add up to ` +
        `its latency of ${nanoseconds(latencyPs)} ns`,
      paint.columns,
    ),
    '',
    ...stepLines(anatomy, paint),
    '',
    ...totalLines(anatomy, paint),
    '',
  ].join('\n');
}

function stepLines({ phases, steps, latencyPs }: Anatomy, paint: Paint): string[] {
  const wide = paint.columns >= WIDE;
  const head: Line = {
    numbers: ['start ns', 'cost ns', 'share'],
    words: wide ? ['node', 'constant', 'what'] : ['node', 'constant, or what'],
    isTitle: false,
  };
  const lines = phases.flatMap(({ name, startPs, costPs }) => [
    { numbers: numbersOf(startPs, costPs, latencyPs), words: [name], isTitle: true },
    ...steps.filter(({ phase }) => phase === name).map((step) => stepLine(step, latencyPs, wide)),
  ]);
  const all = [head, ...lines];
  const numbers = alignColumns(
    all.map((line) => line.numbers),
    { right: 0 },
  );
  // Titles of phases stand across the columns.
  const words = alignColumns(all.map((line) => (line.isTitle ? [] : line.words)));
  return all.map((line, row) => {
    if (line.isTitle) return paint.bold(`${numbers[row]}  ${line.words[0]}`);
    const text = shorten(`${numbers[row]}    ${words[row]}`, paint.columns);
    return line === head ? paint.dim(text) : text;
  });
}

function stepLine(step: AnatomyStep, latencyPs: number, wide: boolean): Line {
  const { startPs, costPs, node, what, constant } = step;
  const said = shorten(what, WHAT_SHOWN_MAX);
  return {
    numbers: numbersOf(startPs, costPs, latencyPs),
    words: wide ? [node, constant ?? '-', said] : [node, constant ?? said],
    isTitle: false,
  };
}

function numbersOf(startPs: number, costPs: number, latencyPs: number): string[] {
  const share = latencyPs === 0 ? 0 : costPs / latencyPs;
  return [nanoseconds(startPs), nanoseconds(costPs), formatShare(share)];
}

function totalLines({ totals }: Anatomy, paint: Paint): string[] {
  const head = ['times', 'total ns', 'share'];
  const numbers = alignColumns(
    [
      head,
      ...totals.map(({ count, costPs, share }) => [
        formatCount(count),
        nanoseconds(costPs),
        formatShare(share),
      ]),
    ],
    { right: 0 },
  );
  const wide = paint.columns >= WIDE;
  const words = alignColumns([
    ['constant', 'value', 'kind', ...(wide ? ['source'] : [])],
    ...totals.map(({ what, constant, value, kind, source }) => {
      if (constant === null) return [what];
      const named = [constant, value ?? '', kind ?? ''];
      return wide ? [...named, shorten(source ?? '', SOURCE_SHOWN_MAX)] : named;
    }),
  ]);
  return numbers.map((line, row) => {
    const text = shorten(`${line}    ${words[row]}`, paint.columns);
    return row === 0 ? paint.dim(text) : text;
  });
}

/** Exact, with a comma between thousands. */
function nanoseconds(ps: number): string {
  const fraction = String(ps % PS_PER_NS).padStart(3, '0');
  return `${formatCount(Math.floor(ps / PS_PER_NS))}.${fraction}`;
}
