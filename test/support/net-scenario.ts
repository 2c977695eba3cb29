// Scenarios with network cards for tests: VMs, each with a partition for its card, on one network.
import { tables } from '../../platform/cli/tables.ts';

import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';

type Entry = Readonly<Record<string, unknown>>;

export interface NetParts {
  /** Number of VMs; their cards are `net-0`, `net-1`, and so on. */
  readonly stations?: number;
  readonly seed?: number;
  /** More keys of the network `lan`, of all cards, and of single ones. */
  readonly network?: Entry;
  readonly card?: Entry;
  readonly cards?: readonly Entry[];
  readonly vm?: Entry;
  readonly timing?: Readonly<Record<string, string>>;
  readonly workloads: readonly Entry[];
  readonly atMost?: string;
}

/** Loads the scenario that the parts make. */
export function netTopology(parts: NetParts): LoadedScenario {
  const { stations = 2, seed = 1, workloads, timing = {}, atMost = '1000s' } = parts;
  const each = <T>(make: (index: number) => T): T[] =>
    Array.from({ length: stations }, (_, i) => make(i));
  const scenario = {
    name: 'net',
    seed,
    timing,
    nodes: {
      ...Object.fromEntries(
        each((i) => [`vm-${i}`, { kind: 'vm', cpus: 2, memory: '64MiB', ...parts.vm }]),
      ),
      ...Object.fromEntries(each((i) => [`card-${i}`, { kind: 'partition', memory: '16MiB' }])),
    },
    buses: Object.fromEntries(
      each((i) => [`ffa-${i}`, { type: 'ffa', driver: `vm-${i}`, device: `card-${i}` }]),
    ),
    networks: { lan: { type: 'switch', latency: '1us', ...parts.network } },
    devices: Object.fromEntries(
      each((i) => [
        `net-${i}`,
        {
          ...{ type: 'net', bus: `ffa-${i}`, number: 0, network: 'lan' },
          ...parts.card,
          ...parts.cards?.[i],
        },
      ]),
    ),
    workloads,
    until: { workloads: 'done', atMost },
  };
  const text = JSON.stringify(scenario);
  return parseScenario({ text, file: 'net.yaml', folder: import.meta.dirname }, tables);
}
