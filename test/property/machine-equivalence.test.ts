// The compiled engine does what XState's interpreter does, on charts and events drawn from seeds.
import { expect, test } from 'vitest';
import { equivalenceCheck } from '../support/machine-equivalence.ts';
import { randomChart } from '../support/random-chart.ts';

const BLOCKS = 8;
const CHARTS_PER_BLOCK = 50;
const STEPS = 40;

for (let block = 0; block < BLOCKS; block++) {
  const first = block * CHARTS_PER_BLOCK + 1;
  const last = first + CHARTS_PER_BLOCK - 1;
  test(`random charts of seeds ${first} … ${last}: ${STEPS} steps alike on both engines`, () => {
    const total = { states: 0, effects: 0, timersFired: 0, failed: 0 };
    for (let seed = first; seed <= last; seed++) {
      const { machine, events, journal } = randomChart(seed);
      const report = equivalenceCheck(machine, events, { steps: STEPS, seed, journal });
      total.states += report.states.size;
      total.effects += report.effects;
      total.timersFired += report.timersFired;
      total.failed += Number(report.failed);
    }
    // The charts do something: several states each, effects at most steps, timers that fire.
    expect(total.states).toBeGreaterThan(2.5 * CHARTS_PER_BLOCK);
    expect(total.effects).toBeGreaterThan(STEPS * CHARTS_PER_BLOCK);
    expect(total.timersFired).toBeGreaterThan(4 * CHARTS_PER_BLOCK);
    // A few get into states that are impossible together, which both engines report.
    expect(total.failed).toBeLessThan(CHARTS_PER_BLOCK / 10);
  });
}
