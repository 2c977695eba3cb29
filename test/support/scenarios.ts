// Scenarios for tests: a VM and a partition on one FF-A bus, with a default for everything, so that a
// test writes down only what it is about.
import { tables } from '../../platform/cli/tables.ts';
import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';

type Entry = Readonly<Record<string, unknown>>;

/** What a test may say; the rest is defaulted. */
export interface ScenarioParts {
  readonly seed?: number;
  readonly profile?: string;
  /** Timing constants by name, with units. */
  readonly timing?: Readonly<Record<string, string | number>>;
  /** More keys of the two nodes. */
  readonly linux?: Entry;
  readonly storage?: Entry;
  /** More keys of the bus `ffa0`. */
  readonly bus?: Entry;
  readonly devices?: Readonly<Record<string, Entry>>;
  readonly workloads?: readonly Entry[];
  readonly faults?: readonly Entry[];
  readonly until?: Entry;
}

/** A disk of this number of the bus, in memory, small enough to be made quickly. */
export function memoryDisk(number = 0, more: Entry = {}): Entry {
  return { type: 'blk', bus: 'ffa0', number, capacity: '1MiB', ...more };
}

/** Topologies by text: they are plain data that nobody changes. */
const known = new Map<string, LoadedScenario>();

/** Loads the scenario that the parts make. Throws ScenarioError like the real thing. */
export function topologyOf(parts: ScenarioParts = {}): LoadedScenario {
  const { seed = 1, profile = 'arm-neoverse-n1', timing = {}, faults = [] } = parts;
  const scenario = {
    name: 'test',
    seed,
    profile,
    timing,
    nodes: {
      linux: { kind: 'vm', cpus: 2, memory: '16MiB', ...parts.linux },
      storage: { kind: 'partition', cpus: 1, memory: '4MiB', ...parts.storage },
    },
    buses: { ffa0: { type: 'ffa', driver: 'linux', device: 'storage', ...parts.bus } },
    devices: parts.devices ?? { disk0: memoryDisk() },
    workloads: parts.workloads ?? [],
    faults,
    until: parts.until ?? { workloads: 'done', atMost: '1s' },
  };
  // JSON is YAML.
  const text = JSON.stringify(scenario);
  const topology =
    known.get(text) ??
    parseScenario({ text, file: 'test.yaml', folder: import.meta.dirname }, tables);
  known.set(text, topology);
  return topology;
}
