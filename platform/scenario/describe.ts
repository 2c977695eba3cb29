// The resolved topology as text for people: what `busbar check` prints.
import type { ZodObject, z } from 'zod';
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
import { alignColumns, wrapLine } from '../text/index.ts';
import { writeQuantity } from '../timing/index.ts';
import { kindOfField, partsOf } from './fields.ts';
import type { LoadedScenario } from './loader.ts';

type Row = readonly string[];

/** Copies shown of a replicated entry; the last one is shown as well. */
const COPIES_SHOWN = 3;

type Schema = z.core.$ZodType;

/** Writes option values as the scenario would, with the units of their fields. */
function describeOptions(options: Readonly<Record<string, unknown>>, schema?: ZodObject): string {
  return entriesOf(options)
    .map(([key, value]) => `${key}=${valueText(value, schema?.shape[key])}`)
    .join(' ');
}

function entriesOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, inner]) => inner !== undefined);
}

function valueText(value: unknown, schema: Schema | undefined): string {
  const kind = schema === undefined ? null : kindOfField(schema);
  if (kind !== null && kind !== 'inputFile' && typeof value === 'number') {
    return writeQuantity(value, kind);
  }
  const { shape, element } = partsOf(schema, value);
  if (Array.isArray(value)) return `[${value.map((each) => valueText(each, element)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const inner = entriesOf(value).map(([key, each]) => `${key}: ${valueText(each, shape?.[key])}`);
  return `{ ${inner.join(', ')} }`;
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

function section(title: string, rows: readonly Row[], columns: number): string[] {
  if (rows.length === 0) return [];
  return ['', `${title} (${rows.length})`, ...indented(foldCopies(rows), columns)];
}

function indented(rows: readonly Row[], columns: number): string[] {
  return alignColumns(rows, { columns: columns - 2 }).map((line) => `  ${line}`);
}

function optionsOf(plan: BusPlan | DevicePlan, table?: Record<string, Definition>) {
  return describeOptions(plan.options, table?.[plan.type]?.options);
}

function workloadOptions({ type, options }: WorkloadPlan, device: DevicePlan, tables?: Tables) {
  const row = tables?.workloads[type];
  return describeOptions(options, row?.optionsOn?.(device) ?? row?.options);
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

function timingLines(topology: Topology, columns: number): string[] {
  const { name, description, constants } = topology.profile;
  const counts = { measured: 0, specified: 0, guess: 0 };
  for (const constant of constants) counts[constant.kind]++;
  const own = constants.filter((constant) => constant.source === 'scenario');
  const rows = own.map((constant) => [constant.name, constant.text, 'set by the scenario']);
  return [
    '',
    `Timing: profile ${name}`,
    ...wrapLine(`  ${description}`, columns),
    `  ${constants.length} constants: ${counts.measured} measured, ${counts.specified} specified, ${counts.guess} guesses`,
    ...indented(rows, columns),
  ];
}

function headline({ name, description }: Topology): string {
  return description === '' ? name : `${name}: ${description}`;
}

function untilText({ until }: Topology): string {
  const limit = writeQuantity(until.atMost, 'time');
  return until.workloadsDone ? `every workload is done, at most ${limit}` : limit;
}

/** How a topology is printed. */
export interface DescribeOptions {
  /** Makes quantities among the options of types be written with their units. */
  readonly tables?: Tables;
  /** Characters that lines should keep to. Default: no limit. */
  readonly columns?: number;
}

/** Prints a loaded scenario with every default and unit resolved. */
export function describeTopology(
  topology: Topology | LoadedScenario,
  { tables, columns = Infinity }: DescribeOptions = {},
): string {
  const { nodes, buses, devices, workloads, file, seed } = topology;
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
    const options = workloadOptions(workload, devices[workload.device], tables);
    return [workload.name, workload.type, `on ${deviceName(workload.device)}`, options];
  });
  const sweep = 'sweep' in topology ? topology.sweep : {};
  const sweepRows = Object.entries(sweep).map(([path, values]) => [path, values.join(', ')]);
  return [
    ...wrapLine(headline(topology), columns),
    ...wrapLine(`file ${file}, seed ${seed}, until ${untilText(topology)}`, columns),
    ...section('Nodes', nodeRows, columns),
    ...section('Buses', busRows, columns),
    ...section('Networks', networkRows, columns),
    ...section('Devices', deviceRows, columns),
    ...section('Workloads', workloadRows, columns),
    ...section(
      'Faults',
      topology.faults.map((fault) => faultRow(fault, topology)),
      columns,
    ),
    ...section(
      'Expectations',
      topology.expect.map((expectation) => [expectation.text]),
      columns,
    ),
    ...section('Sweep', sweepRows, columns),
    ...timingLines(topology, columns),
    '',
  ].join('\n');
}
