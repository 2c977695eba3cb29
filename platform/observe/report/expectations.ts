// Checks a finished run: the scenario's own expectations, and the one that every scenario has which
// ends when its workloads are done.
import type { Topology } from '../../contracts/index.ts';
import { assert } from '../../errors.ts';
import {
  type ExpectationOutcome,
  evaluateExpectation,
  parseExpectation,
} from '../../scenario/index.ts';
import type { Report } from './data.ts';

/** The text of the expectation that nobody needs to write. */
export const WORKLOADS_DONE = 'workloads done';

/** Evaluates all expectations, in the order of the file. */
export function checkExpectations(
  topology: Topology,
  report: Omit<Report, 'expectations'>,
): ExpectationOutcome[] {
  const outcomes = topology.expect.map(({ text }) => {
    const { expectation, error } = parseExpectation(text);
    assert(error === null, `expectation '${text}' was accepted by the loader`);
    return evaluateExpectation(expectation, report);
  });
  return topology.until.workloadsDone ? [workloadsDone(report), ...outcomes] : outcomes;
}

/** A workload that gave up early is not done, even though the run need not wait for it. */
function workloadsDone({ workloads }: Pick<Report, 'workloads'>): ExpectationOutcome {
  const unfinished = workloads.filter(({ done, failure }) => !done || failure !== null).length;
  return {
    text: WORKLOADS_DONE,
    passed: unfinished === 0,
    actual: `${workloads.length - unfinished} of ${workloads.length}`,
    missing: null,
    expected: 'all',
  };
}
