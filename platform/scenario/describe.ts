// The resolved topology as text for people: what `busbar check` prints.
import type { ZodObject } from 'zod';
import type {
  BusPlan,
  Definition,
  DevicePlan,
  FaultPlan,
  NetworkPlan,
  Tables,
  Topology,
  WorkloadPlan,
} from '../contracts/index.ts';
import { writeQuantity } from '../timing/index.ts';
import { kindOfField } from './fields.ts';
import type { LoadedScenario } from './loader.ts';

type Row = readonly string[];

/** Copies shown of a replicated entry; the last one is shown as well. */
const COPIES_SHOWN = 3;

/** Writes option values as the scenario would, with the units of their fields. */
function describeOptions(options: Readonly<Record<string, unknown>>, schema?: ZodObject): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const field = schema?.shape[key];
      const kind = field === undefined ? null : kindOfField(field);
      const quantity = kind !== null && kind !== 'inputFile' && typeof value === 'number';
      if (quantity) return `${key}=${writeQuantity(value, kind)}`;
      return `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    })
    .join(' ');
}

/** Aligns columns; the last one is left ragged. */
function alignRows(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    // A row of one cell is a remark that stands across the columns.
    if (row.length === 1) continue;
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** `disk0` of `disk0-17`; null when the name is not that of a copy. */
function baseOf(name: string): string | null {
  return /^(.*)-\d+$/.exec(name)?.[1] ?? null;
}

/** Replaces the middle of a long run of copies by one line that counts them. */
function foldCopies(rows: readonly Row[]): Row[] {
  const folded: Row[] = [];
  for (let start = 0; start < rows.length; ) {
    const base = baseOf(rows[start][0]);
    let end = start + 1;
    while (base !== null && end < rows.length && baseOf(rows[end][0]) === base) end++;
    const hidden = end - start - COPIES_SHOWN - 1;
    if (hidden > 1) {
      const shown = rows.slice(start, start + COPIES_SHOWN);
      folded.push(...shown, [`… ${hidden} more like these`], rows[end - 1]);
    } else {
      folded.push(...rows.slice(start, end));
    }
    start = end;
  }
  return folded;
}

function section(title: string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const lines = alignRows(foldCopies(rows)).map((line) => `  ${line}`);
  return ['', `${title} (${rows.length})`, ...lines];
}

function optionsOf(plan: BusPlan | DevicePlan | WorkloadPlan, table?: Record<string, Definition>) {
  return describeOptions(plan.options, table?.[plan.type]?.options);
}

function networkRow(network: NetworkPlan, { devices }: Topology): Row {
  const { name, type, rate, latency, buffer, lossPerMillion, links } = network;
  const loss = lossPerMillion === 0 ? '' : ` lossPerMillion=${lossPerMillion}`;
  const queue = type === 'switch' ? ` buffer=${writeQuantity(buffer, 'size')}` : '';
  const speed = `rate=${writeQuantity(rate, 'rate')} latency=${writeQuantity(latency, 'time')}`;
  const ends = links.map(({ device }) => devices[device].name).join(', ');
  return [name, type, ends, `${speed}${queue}${loss}`];
}

function faultRow(fault: FaultPlan, topology: Topology): Row {
  const { action, amount, message } = fault;
  const extra = action === 'delay' ? ` by ${writeQuantity(amount, 'time')}` : '';
  const pages = action === 'shrink' ? ` by ${amount} page${amount === 1 ? '' : 's'}` : '';
  const count = fault.count === 1 ? 'once' : `${fault.count} times`;
  const times = fault.count === Number.POSITIVE_INFINITY ? 'always' : count;
  const what = `${action} ${message}${extra}${pages}`;
  return [`from ${writeQuantity(fault.at, 'time')}`, topology.buses[fault.bus].name, what, times];
}

function timingLines(topology: Topology): string[] {
  const { name, description, constants } = topology.profile;
  const counts = { measured: 0, specified: 0, guess: 0 };
  for (const constant of constants) counts[constant.kind]++;
  const own = constants.filter((constant) => constant.source === 'scenario');
  const rows = own.map((constant) => [constant.name, constant.text, 'set by the scenario']);
  return [
    '',
    `Timing: profile ${name}`,
    `  ${description}`,
    `  ${constants.length} constants: ${counts.measured} measured, ${counts.specified} specified, ${counts.guess} guesses`,
    ...alignRows(rows).map((line) => `  ${line}`),
  ];
}

function untilText({ until }: Topology): string {
  const limit = writeQuantity(until.atMost, 'time');
  return until.workloadsDone ? `every workload is done, at most ${limit}` : limit;
}

/** Prints a loaded scenario with every default and unit resolved. */
export function describeTopology(topology: Topology | LoadedScenario, tables?: Tables): string {
  const { nodes, buses, devices, workloads } = topology;
  const deviceName = (index: number) => devices[index].name;
  const nodeRows = nodes.map((node) => {
    const cpus = `${node.cpus} cpu${node.cpus === 1 ? '' : 's'}`;
    const placement = node.placement === null ? [] : [`worker ${node.placement}`];
    const memory = writeQuantity(node.memory, 'size');
    return [node.name, node.kind, node.world, cpus, memory, ...placement];
  });
  const busRows = buses.map((bus) => {
    const ends = `${nodes[bus.driver].name} -> ${nodes[bus.device].name}`;
    return [bus.name, bus.type, bus.revision, ends, optionsOf(bus, tables?.buses)];
  });
  const networkRows = topology.networks.map((network) => networkRow(network, topology));
  const deviceRows = devices.map((device) => {
    const place = `${buses[device.bus].name} number ${device.number}`;
    const { addAt, removeAt } = device;
    const from = addAt === undefined ? '' : ` addAt=${writeQuantity(addAt, 'time')}`;
    const to = removeAt === undefined ? '' : ` removeAt=${writeQuantity(removeAt, 'time')}`;
    return [device.name, device.type, place + from + to, optionsOf(device, tables?.devices)];
  });
  const workloadRows = workloads.map((workload) => {
    const options = optionsOf(workload, tables?.workloads);
    return [workload.name, workload.type, `on ${deviceName(workload.device)}`, options];
  });
  const sweep = 'sweep' in topology ? topology.sweep : {};
  const sweepRows = Object.entries(sweep).map(([path, values]) => [path, values.join(', ')]);
  return [
    topology.description === '' ? topology.name : `${topology.name}: ${topology.description}`,
    `file ${topology.file}, seed ${topology.seed}, until ${untilText(topology)}`,
    ...section('Nodes', nodeRows),
    ...section('Buses', busRows),
    ...section('Networks', networkRows),
    ...section('Devices', deviceRows),
    ...section('Workloads', workloadRows),
    ...section(
      'Faults',
      topology.faults.map((fault) => faultRow(fault, topology)),
    ),
    ...section(
      'Expectations',
      topology.expect.map((expectation) => [expectation.text]),
    ),
    ...section('Sweep', sweepRows),
    ...timingLines(topology),
    '',
  ].join('\n');
}
