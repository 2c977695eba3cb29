// Scenarios over buses that move messages over a link (ivshmem, xen, …): two VMs, or one node for a bus
// within it, with a default for everything.
import { tables } from '../../platform/cli/tables.ts';
import type { BusDefinition, DriverTransport } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';
import { Rig, type RigOptions } from './rig.ts';

type Entry = Readonly<Record<string, unknown>>;

export interface LinkScenario {
  readonly type: string;
  readonly seed?: number;
  /** More keys of the bus `bus0`. */
  readonly bus?: Entry;
  /** More keys of the two nodes. */
  readonly driver?: Entry;
  readonly device?: Entry;
  readonly devices?: Readonly<Record<string, Entry>>;
  readonly workloads?: readonly Entry[];
  readonly faults?: readonly Entry[];
  readonly timing?: Readonly<Record<string, string>>;
  readonly until?: Entry;
}

/** A disk in memory. */
export const disk = (number = 0, more: Entry = {}): Entry => ({
  type: 'blk',
  bus: 'bus0',
  number,
  capacity: '1MiB',
  ...more,
});

/** A few verified requests. */
export const fio = (more: Entry = {}): Entry => ({
  type: 'fio',
  device: 'disk0',
  rw: 'randrw',
  blockSize: '4KiB',
  depth: 4,
  operations: 60,
  verify: true,
  ...more,
});

/** Three devices with endless work: one is added, one removed, one stays. */
export function comingAndGoing({ addAt, removeAt }: { addAt: string; removeAt: string }) {
  const rng = (number: number, more: Entry = {}): Entry => ({
    type: 'rng',
    bus: 'bus0',
    number,
    ...more,
  });
  return {
    devices: { rng0: rng(2, { addAt }), rng1: rng(3, { removeAt }), rng2: rng(4) },
    workloads: [0, 1, 2].map((i) => ({
      type: 'entropy',
      device: `rng${i}`,
      operations: 100_000,
      thinkTime: '50us',
    })),
  };
}

/** The bus joins a node to itself. */
const withinNode = (type: string) =>
  (tables.buses as Readonly<Record<string, { readonly withinNode?: boolean }>>)[type].withinNode ===
  true;

/** Loads the scenario. Throws ScenarioError like the real thing. */
export function linkTopology(scenario: LinkScenario): LoadedScenario {
  const { type, seed = 1, timing = {}, faults = [], workloads = [fio()] } = scenario;
  const one = withinNode(type);
  const nodes = {
    linux: { kind: 'vm', cpus: 2, memory: '32MiB', ...scenario.driver },
    ...(one ? {} : { peer: { kind: 'vm', cpus: 1, memory: '8MiB', ...scenario.device } }),
  };
  const text = JSON.stringify({
    name: 'test',
    seed,
    timing,
    nodes,
    buses: { bus0: { type, driver: 'linux', device: one ? 'linux' : 'peer', ...scenario.bus } },
    devices: scenario.devices ?? { disk0: disk() },
    workloads,
    faults,
    until: scenario.until ?? { workloads: 'done', atMost: '20s' },
  });
  return parseScenario({ text, file: 'test.yaml', folder: import.meta.dirname }, tables);
}

/** A rig for the scenario, not yet run. */
export function linkRig(scenario: LinkScenario, options: RigOptions = {}): Rig {
  return new Rig(linkTopology(scenario), options);
}

/** The same, with the nodes of both sides at hand, and the transports of the drivers. */
export function linkRigWithNodes(scenario: LinkScenario) {
  const nodes: { driver?: Node; device?: Node } = {};
  const transports: DriverTransport[] = [];
  const watch = (row: BusDefinition): BusDefinition => ({
    ...row,
    createDriverEnd: (environment) => {
      nodes.driver = environment.node;
      const end = row.createDriverEnd(environment);
      const transport = end.transport.bind(end);
      end.transport = (plan) => {
        const made = transport(plan);
        transports.push(made);
        return made;
      };
      return end;
    },
    createDeviceEnd: (environment) => {
      nodes.device = environment.node;
      return row.createDeviceEnd(environment);
    },
  });
  const rows = Object.entries<BusDefinition>(tables.buses).map(([type, row]) => [type, watch(row)]);
  const rig = linkRig(scenario, { tables: { ...tables, buses: Object.fromEntries(rows) } });
  return { rig, driver: nodes.driver!, device: nodes.device!, transports };
}

/** Counters of the bus, of both sides. */
export function busCounters(rig: Rig, side: 'driver' | 'device'): Readonly<Record<string, number>> {
  return rig.outcome.buses.find((bus) => bus.side === side)!.statistics;
}
