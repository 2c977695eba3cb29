// Which nodes share a thread, which links that cuts, and how far apart it keeps the threads.
import { describe, expect, it } from 'vitest';
import type { NodePlan, Topology } from '../../platform/contracts/index.ts';
import { cutLinks, groupDistances, type Link } from '../../platform/hosts/lookahead.ts';
import { guessedLoad, placeNodes } from '../../platform/hosts/placement.ts';
import { eightPairs } from './scenarios.ts';

function topologyOf(placements: readonly (number | null)[]): Topology {
  const nodes = placements.map((placement, index) => ({ index, placement }) as NodePlan);
  return { nodes } as unknown as Topology;
}

function link(a: number, b: number, latency: number): Link {
  const ends = [
    { node: a, port: 0 },
    { node: b, port: 0 },
  ] as const;
  return { name: `${a}-${b}`, ends, latency };
}

const loose = (count: number) => topologyOf(new Array<null>(count).fill(null));

describe('automatic placement', () => {
  it('keeps the ends of the tightest links together', () => {
    const links = [link(0, 1, 500), link(1, 2, 10), link(2, 3, 500), link(3, 0, 10)];
    const placement = placeNodes({ topology: loose(4), links, groups: 2, load: [1, 1, 1, 1] });
    expect(placement[1]).toBe(placement[2]);
    expect(placement[0]).toBe(placement[3]);
    expect(placement[0]).not.toBe(placement[1]);
  });

  it('parts what is tightly linked rather than leave a thread with nothing', () => {
    const links = [link(0, 1, 10)];
    expect(placeNodes({ topology: loose(2), links, groups: 2, load: [3, 2] })).toEqual([0, 1]);
  });

  it('balances the load that it is given', () => {
    const load = [8, 1, 1, 1, 1, 4];
    const placement = placeNodes({ topology: loose(6), links: [], groups: 2, load });
    const sums = [0, 0];
    for (const [node, group] of placement.entries()) sums[group] += load[node];
    expect(sums).toEqual([8, 8]);
  });

  it('puts everything on one thread when there is one', () => {
    const links = [link(0, 1, 10)];
    expect(placeNodes({ topology: loose(3), links, groups: 1, load: [1, 1, 1] })).toEqual([
      0, 0, 0,
    ]);
  });

  it('has no more groups than nodes', () => {
    const placement = placeNodes({ topology: loose(2), links: [], groups: 8, load: [1, 1] });
    expect(placement).toEqual([0, 1]);
  });

  it('guesses the load from what lives on a node', () => {
    const load = guessedLoad(eightPairs());
    expect([...load.slice(0, 8)]).toEqual(new Array(8).fill(5));
    expect([...load.slice(8)]).toEqual(new Array(8).fill(3));
  });
});

describe("the scenario's placement", () => {
  it('is followed in the order of its numbers', () => {
    const topology = topologyOf([9, 2, 9, 5]);
    expect(placeNodes({ topology, links: [], groups: 8, load: [1, 1, 1, 1] })).toEqual([
      2, 0, 2, 1,
    ]);
  });

  it('is folded when there are fewer threads', () => {
    const topology = topologyOf([0, 1, 2, 3]);
    expect(placeNodes({ topology, links: [], groups: 2, load: [1, 1, 1, 1] })).toEqual([
      0, 1, 0, 1,
    ]);
  });

  it('draws nodes without a number to their tightest neighbour', () => {
    const topology = topologyOf([0, 1, null, null]);
    const links = [link(0, 2, 500), link(1, 2, 10), link(2, 3, 700)];
    expect(placeNodes({ topology, links, groups: 2, load: [1, 1, 1, 1] })).toEqual([0, 1, 1, 1]);
  });

  it('puts nodes without neighbours where least is', () => {
    const topology = topologyOf([0, 1, null]);
    expect(placeNodes({ topology, links: [], groups: 2, load: [2, 1, 1] })).toEqual([0, 1, 1]);
  });
});

describe('the distance between groups', () => {
  const links = [link(0, 1, 100), link(1, 2, 30), link(2, 3, 40), link(0, 1, 80)];

  it('counts only links that are cut', () => {
    expect(cutLinks(links, [0, 0, 1, 1]).map(({ name, groups }) => [name, groups])).toEqual([
      ['1-2', [0, 1]],
    ]);
  });

  it('is the least sum of latencies on any way', () => {
    const distances = groupDistances(4, cutLinks([...links, link(0, 3, 1000)], [0, 1, 2, 3]));
    expect([...distances.slice(0, 4)]).toEqual([Infinity, 80, 110, 150]);
    expect([...distances.slice(12)]).toEqual([150, 70, 40, Infinity]);
  });

  it('is infinite where no way leads', () => {
    expect([...groupDistances(2, [])]).toEqual([Infinity, Infinity, Infinity, Infinity]);
  });
});
