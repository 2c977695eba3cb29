// What a scenario may say of an FF-A bus, and how it is told what it may not.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { topologyOf } from '../support/scenarios.ts';

const OTHER = '3b6a8f52-0c1d-4e7a-9f35-6d2c81b0e4a7';

/** What is wrong with a scenario of two buses: problems in one line each. */
function problems(...options: readonly string[]): string[] {
  const buses = options.map(
    (more, index) => `  ffa${index}: { type: ffa, driver: vm, device: tee${more} }\n`,
  );
  const text =
    'name: test\nnodes:\n  vm: { kind: vm }\n  tee: { kind: partition }\nbuses:\n' +
    `${buses.join('')}until: { atMost: 1ms }\n`;
  try {
    parseScenario({ text, file: 'test.yaml', folder: import.meta.dirname }, tables);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems.map(
      ({ line, message, expected, nearest }) =>
        `${line}: ${message}; ${expected}${nearest === null ? '' : `; ${nearest}`}`,
    );
  }
  return [];
}

describe('services', () => {
  it('may be several between two nodes, each once', () => {
    expect(problems('', `, service: ${OTHER}`)).toEqual([]);
    const device = 'c66028b5-2498-4aa1-9de7-77da6122abf0';
    expect(problems('', '')).toEqual([
      `7: bus 'ffa0' is the service ${device} between these nodes already; another UUID`,
    ]);
    // What counts is what the partition has, not what is looked for.
    expect(problems('', `, service: ${OTHER}, deviceService: ${device}`).length).toBe(1);
    expect(problems('', `, deviceService: ${OTHER}`)).toEqual([]);
  });

  it('are UUIDs, in letters of either case', () => {
    expect(problems(`, service: ${OTHER.toUpperCase()}`)).toEqual([]);
    const bus = { service: OTHER.toUpperCase() };
    expect(topologyOf({ bus }).buses[0].options['service']).toBe(OTHER);
    expect(problems(', service: c66028b5-2498')[0]).toMatch(/^6: /);
  });
});

describe('grants', () => {
  it('need a hypervisor, and memory that is shared', () => {
    expect(problems(', memory: grants')).toEqual([
      '6: only a hypervisor knows grants; mediator: hypervisor, or memory: handles',
    ]);
    const found = problems(
      ', memory: grants, mediator: hypervisor, messages: indirect, buffers: lend',
    );
    expect(found.some((problem) => problem.includes('neither lent nor donated'))).toBe(true);
  });
});

describe('quirks', () => {
  it('are named, and a name that is nearly right is found', () => {
    expect(problems(', quirks: [nullAnswers, topByteAreas]')).toEqual([]);
    const [problem] = problems(', quirks: [nullAnswer]');
    expect(problem).toMatch(/^6: .*nullAnswers/);
  });

  it('are off unless they are asked for', () => {
    expect(topologyOf().buses[0].options['quirks']).toEqual([]);
  });
});
