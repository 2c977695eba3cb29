// Checks a finished run: the scenario's own expectations, and those that nobody needs to write: of a scenario
// that ends when its workloads are done, and of workloads that consist of steps.
import type { Topology } from '../../contracts/index.ts';
import { assert } from '../../errors.ts';
import {
  type ExpectationOutcome,
  evaluateExpectation,
  parseExpectation,
} from '../../scenario/index.ts';
import type { Report } from './data.ts';

/** The texts of the expectations that nobody needs to write. */
export const WORKLOADS_DONE = 'workloads done';
const STEPS_RIGHT = 'steps as expected';

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
  return [
    ...(topology.until.workloadsDone ? [workloadsDone(report)] : []),
    ...stepsRight(report),
    ...outcomes,
  ];
}

/** One outcome for the steps of all workloads that have any. */
function stepsRight({ workloads }: Pick<Report, 'workloads'>): ExpectationOutcome[] {
  const steps = workloads.flatMap((workload) => workload.steps ?? []);
  if (steps.length === 0) return [];
  const wrong = steps.reduce((sum, each) => sum + each.wrong, 0);
  const total = steps.reduce((sum, each) => sum + each.total, 0);
  return [
    {
      text: STEPS_RIGHT,
      passed: wrong === 0,
      actual: `${total - wrong} of ${total}`,
      missing: null,
      expected: 'all',
    },
  ];
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
