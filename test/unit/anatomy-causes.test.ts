// How chains of causes are cut into pieces, on a kernel with events made by hand.
import { expect, test } from 'vitest';
import { CauseLog, type Component, Kernel } from '../../platform/kernel/index.ts';
import { CauseIndex, nodeOfKey } from '../../platform/observe/anatomy/cause-index.ts';

const TIMER = -6;
const WAIT = -1;

/** Runs `first` at the start and `then` at each event; keys of the events in order. */
function run(nodes: number, first: (kernel: Kernel, log: CauseLog, ids: number[]) => void) {
  const kernel = new Kernel(nodes);
  const log = new CauseLog();
  kernel.causes = log;
  const keys: number[] = [];
  const component: Component = {
    deliver: () => {
      keys.push(kernel.currentKey);
      steps.shift()?.();
    },
  };
  const steps: (() => void)[] = [];
  const ids = Array.from({ length: nodes }, (_, node) => kernel.add(node, component));
  first(kernel, log, ids);
  return { kernel, log, keys, steps };
}

test('the order key of an event tells the node that scheduled it', () => {
  const { kernel, keys } = run(40_000, (own, _log, ids) => {
    own.schedule(ids[0], 1, 0);
    own.schedule(ids[3], 2, 0);
    own.schedule(ids[39_999], 3, 0, 0, 0, 2);
  });
  kernel.runUntil(10);
  expect(keys.map(nodeOfKey)).toEqual([0, 3, 39_999]);
});

test('parts follow one another, and what is before the asked-for time is cut off', () => {
  const { kernel, log, keys, steps } = run(2, (own, causes, ids) => {
    causes.note(5, 30);
    causes.note(WAIT, 20);
    own.schedule(ids[0], 50, 0);
  });
  steps.push(() => {
    log.note(7, 40);
    kernel.schedule(1, 40, 0);
  });
  kernel.runUntil(1000);
  const causes = new CauseIndex([log]);
  expect(causes.piecesBefore(keys[1], 10, TIMER)).toEqual([
    { label: 5, node: 0, start: 10, end: 30, cut: true },
    { label: WAIT, node: 0, start: 30, end: 50, cut: false },
    { label: 7, node: 1, start: 50, end: 90, cut: false },
  ]);
  expect(causes.piecesBefore(keys[1], 50, TIMER)).toHaveLength(1);
  expect(causes.piecesBefore(keys[1], 90, TIMER)).toEqual([]);
});

test('a delay without any part is a timer, one with too few is not accounted for', () => {
  const { kernel, log, keys, steps } = run(1, (own, _causes, ids) => {
    own.schedule(ids[0], 100, 0);
  });
  steps.push(() => {
    log.note(3, 10);
    kernel.schedule(0, 25, 0);
  });
  kernel.runUntil(1000);
  expect(new CauseIndex([log]).piecesBefore(keys[1], 0, TIMER)).toEqual([
    { label: TIMER, node: 0, start: 0, end: 100, cut: false },
    { label: 3, node: 0, start: 100, end: 110, cut: false },
    { label: null, node: 0, start: 110, end: 125, cut: false },
  ]);
});

test('chains go on in the records of another group', () => {
  // Keys of two nodes: see the kernel for their layout.
  const SPAN = 2 ** 35;
  const first = {
    keys: [0],
    parents: [-1],
    times: [10],
    partEnds: [1],
    partLabels: [1],
    partDurations: [10],
  };
  const second = {
    keys: [SPAN],
    parents: [0],
    times: [14],
    partEnds: [1],
    partLabels: [2],
    partDurations: [4],
  };
  const causes = new CauseIndex([first, second]);
  expect(causes.piecesBefore(SPAN, 0, TIMER)).toEqual([
    { label: 1, node: 0, start: 0, end: 10, cut: false },
    { label: 2, node: 1, start: 10, end: 14, cut: false },
  ]);
  expect(() => new CauseIndex([second]).piecesBefore(SPAN, 0, TIMER)).toThrow(
    expect.objectContaining({ name: 'AssertionError' }),
  );
});
