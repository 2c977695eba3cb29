// The `networks` section: what a topology says of switches, wires and their cables, and what is refused.
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Tables } from '../../platform/contracts/index.ts';
import { describeTopology, parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { tables as standIns } from './scenario-tables.ts';

const nic = {
  type: 'nic',
  doc: 'Something with a cable.',
  spec: 'stand-in',
  options: z.object({ network: z.string().optional().describe('Its network.') }),
  timing: [],
};
const tables: Tables = { ...standIns, devices: { ...standIns.devices, nic } };

const FRAME = {
  name: 'test',
  nodes: { vm: { kind: 'vm' }, card: { kind: 'card', count: 3 } },
  buses: { bus: { type: 'ffa', driver: 'vm', device: 'card-{i}', count: 3 } },
};

function load(more: object) {
  const text = JSON.stringify({ ...FRAME, ...more });
  return parseScenario({ text, file: 'test.yaml', folder: import.meta.dirname }, tables);
}

function problemsOf(more: object) {
  try {
    load(more);
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems.map(({ code, message }) => ({ code, message }));
  }
  return [];
}

const nics = (count: number, network: string) => ({
  nic: { type: 'nic', bus: 'bus-{i}', number: 0, network, count },
});

describe('a network in a scenario', () => {
  it('is by default 1 Gbit/s with 1 us and no loss', () => {
    const { networks } = load({ networks: { lan: { type: 'switch' } } });
    expect(networks[0]).toMatchObject({
      name: 'lan',
      rate: 125_000_000,
      latency: 1_000_000,
      buffer: 131_072,
      lossPerMillion: 0,
    });
  });

  it('gives a switch a node after all others, and a cable to each device', () => {
    const { networks, nodes } = load({
      networks: { lan: { type: 'switch', placement: 2 } },
      devices: nics(3, 'lan'),
    });
    expect(nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ['vm', 'vm'],
      ['card-0', 'card'],
      ['card-1', 'card'],
      ['card-2', 'card'],
      ['lan', 'switch'],
    ]);
    expect(nodes[4]).toMatchObject({ index: 4, placement: 2 });
    // Port 0 of each card is that of its bus.
    expect(networks[0].node).toBe(4);
    expect(networks[0].links).toEqual([
      { device: 0, name: 'nic-0', near: { node: 1, port: 1 }, far: { node: 4, port: 0 } },
      { device: 1, name: 'nic-1', near: { node: 2, port: 1 }, far: { node: 4, port: 1 } },
      { device: 2, name: 'nic-2', near: { node: 3, port: 1 }, far: { node: 4, port: 2 } },
    ]);
  });

  it('joins the two devices of a wire to each other', () => {
    const { networks, nodes } = load({
      networks: { cable: { type: 'wire' } },
      devices: nics(2, 'cable'),
    });
    expect(nodes.length).toBe(4);
    expect(networks[0].node).toBe(null);
    expect(networks[0].links).toEqual([
      { device: 0, name: 'nic-0', near: { node: 1, port: 1 }, far: { node: 2, port: 1 } },
      { device: 1, name: 'nic-1', near: { node: 2, port: 1 }, far: { node: 1, port: 1 } },
    ]);
  });

  it('is printed with its devices', () => {
    const text = describeTopology(
      load({
        networks: { lan: { type: 'switch', latency: '5us', lossPerMillion: 3 } },
        devices: nics(2, 'lan'),
      }),
      { tables },
    );
    expect(text).toMatch(/Networks \(1\)\n {2}lan +switch +nic-0, nic-1 +rate=.*latency=5us.*/);
  });

  it.each([1, 3])('refuses a wire with %i devices', (count) => {
    const problems = problemsOf({
      networks: { cable: { type: 'wire' } },
      devices: nics(count, 'cable'),
    });
    expect(problems.map(({ code }) => code)).toEqual(['REFUSED']);
  });

  it.each([
    ['a device of a network that is not there', { devices: nics(1, 'wan') }, 'UNKNOWN_NAME'],
    ['a network of the name of a node', { networks: { vm: { type: 'switch' } } }, 'DUPLICATE_NAME'],
    ['another type', { networks: { lan: { type: 'hub' } } }, 'BAD_VALUE'],
    ['an unknown key', { networks: { lan: { type: 'wire', speed: 1 } } }, 'UNKNOWN_KEY'],
    ['no latency', { networks: { lan: { type: 'switch', latency: '0us' } } }, 'OUT_OF_RANGE'],
    ['a bare rate', { networks: { lan: { type: 'switch', rate: 1000 } } }, 'BAD_UNIT'],
  ])('refuses %s', (_, more, code) => {
    expect(problemsOf(more)[0]?.code).toBe(code);
  });

  it('lets no bus end at a switch', () => {
    const problems = problemsOf({
      networks: { lan: { type: 'switch' } },
      buses: { bus: { type: 'ffa', driver: 'vm', device: 'lan' } },
    });
    expect(problems.map(({ code }) => code)).toEqual(['UNKNOWN_NAME']);
  });
});
