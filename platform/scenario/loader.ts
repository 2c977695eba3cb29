// From the text of a scenario file to a Topology: every reference resolved, every unit converted,
// every problem found at once. Tables of types come in as an argument.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';
import type {
  BusPlan,
  Definition,
  DevicePlan,
  NodePlan,
  Tables,
  TimingDefinition,
  Topology,
  WorkloadPlan,
} from '../contracts/index.ts';
import { assert } from '../errors.ts';
import { NODES_MAX } from '../kernel/index.ts';
import { constantTable } from '../timing/index.ts';
import { type Entry, expandCopies } from './copies.ts';
import { DeviceNumbers } from './device-numbers.ts';
import { parseExpectations, REPORT_KEYS } from './expectations.ts';
import { parseFaults } from './faults.ts';
import { checkHotPlug } from './hot-plug.ts';
import { faultOfFile } from './input-file.ts';
import { Names } from './names.ts';
import { NetworkSection } from './networks.ts';
import { ScenarioError } from './problem.ts';
import { applyOverrides, loadProfile } from './profile.ts';
import { checkRegions } from './regions.ts';
import { checkRestarts } from './restarts.ts';
import {
  busFrame,
  deviceFrame,
  nodeFrame,
  scenarioFrame,
  withoutOwnKeys,
  workloadFrame,
} from './schema.ts';
import { EntryParser, isMapping, parseWith } from './typed-entry.ts';
import { checkWorkloadDevice } from './workload-devices.ts';
import { type Path, YamlSource } from './yaml-source.ts';

/** A topology with what only the tools around a run need. */
export interface LoadedScenario extends Topology {
  /** Values by path whose product a sweep runs; empty without a sweep. */
  readonly sweep: Readonly<Record<string, readonly (string | number | boolean)[]>>;
}

/** A scenario as text, with the name to show in errors and the folder of its relative paths. */
export interface ScenarioText {
  readonly text: string;
  readonly file: string;
  readonly folder: string;
}

type Frame = z.output<typeof scenarioFrame>;

class Loader {
  readonly #source: YamlSource;
  readonly #tables: Tables;
  readonly #folder: string;
  readonly #nodeNames: Names;
  readonly #busNames: Names;
  readonly #deviceNames: Names;
  readonly #networks: NetworkSection;
  readonly #workloadNames = new Map<string, number>();
  readonly #nodes: NodePlan[] = [];
  readonly #buses: BusPlan[] = [];
  readonly #devices: DevicePlan[] = [];
  readonly #workloads: WorkloadPlan[] = [];
  /** Next free packet port by node. */
  readonly #ports: number[] = [];
  /** Where a plan of a bus, device or workload stands in the file. */
  readonly #paths = new Map<object, Path>();

  constructor(input: ScenarioText, tables: Tables) {
    this.#source = new YamlSource(input.file, input.text);
    this.#tables = tables;
    this.#folder = input.folder;
    this.#nodeNames = new Names(this.#source, 'node');
    this.#busNames = new Names(this.#source, 'bus');
    this.#deviceNames = new Names(this.#source, 'device');
    this.#networks = new NetworkSection(this.#source, this.#nodes, this.#ports);
  }

  load(): LoadedScenario {
    const source = this.#source;
    const frame = this.#loadFrame();
    const profile = this.#loadProfile(frame, constantTable(this.#tables));
    this.#loadNodes(frame.nodes);
    this.#networks.load(this.#entries('networks', frame.networks), this.#nodeNames);
    this.#loadBuses(frame.buses);
    this.#loadDevices(frame.devices);
    this.#loadWorkloads(frame.workloads);
    const faults = parseFaults(
      {
        source,
        busNames: this.#busNames,
        buses: this.#buses,
        table: this.#tables.buses,
      },
      frame.faults,
    );
    const sections = {
      devices: this.#deviceNames,
      buses: this.#busNames,
      networks: this.#networks.names,
      nodes: this.#nodeNames,
    };
    const expect = parseExpectations(source, sections, frame.expect);
    source.throwProblems();
    assert(profile !== null, 'a scenario without problems has a profile');
    const topology: LoadedScenario = {
      name: frame.name,
      description: frame.description,
      file: source.file,
      folder: this.#folder,
      seed: frame.seed,
      profile,
      nodes: this.#nodes,
      buses: this.#buses,
      networks: this.#networks.plans(),
      devices: this.#devices,
      workloads: this.#workloads,
      faults,
      until: { workloadsDone: frame.until.workloads === 'done', atMost: frame.until.atMost },
      expect,
      sweep: frame.sweep,
    };
    this.#runChecks(topology);
    source.throwProblems();
    return topology;
  }

  /**
   * The top level. When only keys beside nodes, buses and devices are wrong, the rest is still
   * returned, so that every problem of the file is found at once.
   */
  #loadFrame(): Frame {
    const source = this.#source;
    if (source.data === undefined) source.throwProblems();
    const data = withoutOwnKeys(source.data ?? null);
    const frame = parseWith(source, scenarioFrame, { path: [], value: data });
    if (frame !== null) return frame;
    if (!isMapping(data)) source.throwProblems();
    const salvaged: Record<string, unknown> = {};
    for (const [key, schema] of Object.entries(scenarioFrame.shape)) {
      const result = schema.safeParse((data as Record<string, unknown>)[key]);
      if (!result.success && ['nodes', 'buses', 'devices'].includes(key)) source.throwProblems();
      salvaged[key] = result.success ? result.data : schema.safeParse(undefined).data;
    }
    return salvaged as Frame;
  }

  #loadProfile(frame: Frame, table: readonly TimingDefinition[]) {
    const options = { name: frame.profile, folder: this.#folder, table };
    const profile = loadProfile(this.#source, options);
    return applyOverrides(this.#source, table, { profile, overrides: frame.timing });
  }

  /** All entries of a section after replication. */
  #entries(section: string, raw: Readonly<Record<string, unknown>>): Entry[] {
    return Object.entries(raw).flatMap(([name, value]) =>
      expandCopies(this.#source, [section, name], name, value),
    );
  }

  #loadNodes(raw: Readonly<Record<string, unknown>>): void {
    const entries = this.#entries('nodes', raw);
    if (entries.length === 0 || entries.length > NODES_MAX) {
      this.#source.report({
        code: entries.length === 0 ? 'MISSING' : 'OUT_OF_RANGE',
        path: ['nodes'],
        at: 'key',
        message: `a scenario with ${entries.length} nodes cannot run`,
        expected: `1 to ${NODES_MAX} nodes`,
      });
      return;
    }
    for (const [index, entry] of entries.entries()) {
      this.#nodeNames.add(entry, index);
      this.#ports.push(0);
      if (entry.broken) continue;
      const node = parseWith(this.#source, nodeFrame, { path: entry.path, value: entry.raw });
      if (node === null) continue;
      const { kind, placement = null, count: _, ...rest } = node;
      const world = node.world ?? (kind === 'partition' ? 'secure' : 'normal');
      const place = { file: this.#source.file, ...this.#source.placeOf([...entry.path, 'memory']) };
      const plan = { index, name: entry.name, kind, ...rest, world, placement, place };
      this.#paths.set(plan, entry.path);
      this.#nodes.push(plan);
    }
  }

  #loadBuses(raw: Readonly<Record<string, unknown>>): void {
    const parser = new EntryParser({
      source: this.#source,
      frame: busFrame,
      table: this.#tables.buses,
      word: 'bus',
      folder: this.#folder,
    });
    for (const [index, entry] of this.#entries('buses', raw).entries()) {
      this.#busNames.add(entry, index);
      const parsed = parser.parse(entry);
      if (parsed === null) continue;
      const { path, name } = entry;
      const { frame, options } = parsed;
      const driver = this.#nodeNames.find({ name: frame.driver, path: [...path, 'driver'] });
      const device = this.#nodeNames.find({ name: frame.device, path: [...path, 'device'] });
      if (driver === null || device === null) continue;
      if (driver === device && this.#tables.buses[frame.type].withinNode !== true) {
        this.#source.report({
          code: 'SELF_BUS',
          path: [...path, 'device'],
          at: 'value',
          message: `bus '${name}' joins node '${frame.device}' to itself`,
          expected: 'two different nodes',
        });
        continue;
      }
      const ports = { driverPort: this.#ports[driver]++, devicePort: this.#ports[device]++ };
      const { type, revision } = frame;
      const beyondDrafts = this.#tables.buses[type].beyondDrafts?.(options) ?? [];
      const ends = { driver, device, deviceName: frame.device, ...ports };
      const plan = { index, name, type, ...ends, revision, options, beyondDrafts };
      this.#paths.set(plan, path);
      this.#buses[index] = plan;
    }
  }

  #loadDevices(raw: Readonly<Record<string, unknown>>): void {
    const parser = new EntryParser({
      source: this.#source,
      frame: deviceFrame,
      table: this.#tables.devices,
      word: 'device',
      folder: this.#folder,
    });
    const numbers = new DeviceNumbers(this.#source);
    for (const [index, entry] of this.#entries('devices', raw).entries()) {
      this.#deviceNames.add(entry, index);
      this.#refuseReportKey(entry);
      const parsed = parser.parse(entry);
      if (parsed === null) continue;
      const { frame, options } = parsed;
      const bus = this.#busNames.find({ name: frame.bus, path: [...entry.path, 'bus'] });
      if (bus === null) continue;
      const place = { bus, name: this.#buses[bus]?.name ?? 'this bus', max: this.#numberMax(bus) };
      const number = numbers.take(entry, frame.number, place);
      if (number === null) continue;
      const { addAt, removeAt } = frame;
      const plan = {
        ...{ index, name: entry.name, type: frame.type, bus, number, options },
        ...(addAt === undefined ? {} : { addAt }),
        ...(removeAt === undefined ? {} : { removeAt }),
      };
      checkHotPlug(this.#source, {
        plan,
        bus: this.#buses[bus],
        path: entry.path,
        buses: this.#tables.buses,
      });
      this.#paths.set(plan, entry.path);
      this.#devices[index] = plan;
      this.#networks.attach(plan, this.#buses[bus], entry.path);
    }
  }

  #refuseReportKey({ base, path }: Entry): void {
    if (!REPORT_KEYS.includes(base)) return;
    const message = `'${base}' means a part of the report`;
    this.#source.report({ code: 'BAD_VALUE', path, at: 'key', message, expected: 'another name' });
  }

  /** Largest device number on a bus; one that could not be loaded is not asked. */
  #numberMax(bus: number): number {
    const plan = this.#buses[bus] as BusPlan | undefined;
    if (plan === undefined) return Infinity;
    return 2 ** (this.#tables.buses[plan.type].deviceBits?.(plan.options) ?? 16) - 1;
  }

  #loadWorkloads(raw: readonly unknown[]): void {
    const parser = new EntryParser({
      source: this.#source,
      frame: workloadFrame,
      table: this.#tables.workloads,
      word: 'workload',
      folder: this.#folder,
    });
    for (const [position, value] of raw.entries()) {
      const path = ['workloads', position];
      for (const entry of expandCopies(this.#source, path, '', value)) {
        const devices = this.#devicesOf(entry);
        const parsed = parser.parse(entry, ({ type, options }) => {
          const first = this.#devices[devices[0] ?? -1] as DevicePlan | undefined;
          return (first && this.#tables.workloads[type].optionsOn?.(first)) ?? options;
        });
        if (parsed === null) continue;
        const { frame, options } = parsed;
        for (const device of devices) {
          const index = this.#workloads.length;
          const name = this.#workloadName(frame, device, index);
          const plan = { index, name, type: frame.type, device, options };
          this.#paths.set(plan, path);
          const used = this.#devices[device];
          const place = { plan, device: used, path, tables: this.#tables };
          if (checkWorkloadDevice(this.#source, place)) this.#workloads.push(plan);
        }
      }
    }
  }

  /** The devices that a workload's entry names. */
  #devicesOf({ raw, path }: Entry): readonly number[] {
    const name = isMapping(raw) ? raw.device : undefined;
    if (typeof name !== 'string') return [];
    return this.#deviceNames.findAll({ name, path: [...path, 'device'] });
  }

  /** `fio.disk0`, or the given name; a second of the same name becomes `fio.disk0-1`. */
  #workloadName(frame: z.output<typeof workloadFrame>, device: number, index: number): string {
    const deviceName = this.#devices[device]?.name ?? String(index);
    const wanted = frame.name ?? `${frame.type}.${deviceName}`;
    const earlier = this.#workloadNames.get(wanted) ?? 0;
    this.#workloadNames.set(wanted, earlier + 1);
    return earlier === 0 ? wanted : `${wanted}-${earlier}`;
  }

  /** Asks each definition about its entries, once everything else is in order. */
  #runChecks(topology: Topology): void {
    const { buses, devices, workloads } = this.#tables;
    const sections = [
      { plans: topology.buses, table: buses },
      { plans: topology.devices, table: devices },
      { plans: topology.workloads, table: workloads },
    ];
    for (const { plans, table } of sections) {
      for (const plan of plans) this.#runCheck(plan, table[plan.type], topology);
    }
    for (const plan of topology.devices) {
      const path = this.#paths.get(plan) ?? [];
      checkRegions(this.#source, { plan, topology, path, tables: this.#tables });
    }
    for (const plan of topology.nodes) {
      const path = this.#paths.get(plan) ?? [];
      checkRestarts(this.#source, { plan, path, buses: topology.buses, table: buses });
    }
  }

  #runCheck(
    plan: BusPlan | DevicePlan | WorkloadPlan,
    definition: Definition,
    topology: Topology,
  ): void {
    const findings = definition.check?.(plan, topology) ?? [];
    const path = this.#paths.get(plan) ?? [];
    for (const { field, message, expected } of findings) {
      const place = field === null ? path : [...path, field];
      const at = field === null ? 'key' : 'value';
      this.#source.report({ code: 'REFUSED', path: place, at, message, expected });
    }
  }
}

/** Loads a scenario from its text. Throws ScenarioError with every problem found. */
export function parseScenario(input: ScenarioText, tables: Tables): LoadedScenario {
  return new Loader(input, tables).load();
}

const FILE_MESSAGES = {
  missing: 'there is no such file',
  notFile: 'this is not a file',
  unreadable: 'this file cannot be read',
} as const;

/** Loads a scenario file. Throws ScenarioError with every problem found. */
export function loadScenario(file: string, tables: Tables): LoadedScenario {
  const fault = faultOfFile(file);
  if (fault !== null) {
    const message = FILE_MESSAGES[fault];
    const place = { file, line: 0, column: 0, excerpt: '', length: 0 };
    throw new ScenarioError([
      { code: 'NO_FILE', message, expected: null, nearest: null, ...place },
    ]);
  }
  return parseScenario({ text: readFileSync(file, 'utf8'), file, folder: dirname(file) }, tables);
}
