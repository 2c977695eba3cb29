// The report for people. Everything in it is in the JSON report too.
import type { Topology } from '../../contracts/index.ts';
import { formatTime, PS_PER_S } from '../../kernel/index.ts';
import type { ExpectationOutcome } from '../../scenario/index.ts';
import {
  alignColumns,
  alignRows,
  formatBytes,
  formatCount,
  formatEvents,
  formatLatency,
  formatRate,
  formatShare,
  type Paint,
  wrapLine,
} from '../../text/index.ts';
import { LATENCY_KEYS } from '../latency.ts';
import type { Report, WorkloadReport } from './data.ts';
import { drawTopology } from './drawing.ts';

/** Rows shown of a section; the rest is in the JSON report. */
const ROWS_SHOWN_MAX = 16;
const VIOLATIONS_SHOWN_MAX = 5;
const GUESSES_SHOWN_MAX = 4;

/**
 * Prints a report as text, ending with the line that sums it up. When `brief`, only what went wrong
 * comes before that line.
 */
export function reportText(
  topology: Topology,
  report: Report,
  paint: Paint,
  brief = false,
): string {
  if (brief) return briefText(report, paint);
  return [
    `${paint.bold(report.scenario)}: seed ${report.seed}, profile ${report.profile}`,
    '',
    ...drawTopology(topology, paint.columns),
    ...section(paint, workloadTable(report)),
    ...unfinishedLines(report, paint),
    ...section(paint, latencyTable(report)),
    ...section(paint, busTable(report)),
    ...beyondDraftsLines(report),
    ...section(paint, perRequestTable(report)),
    ...section(paint, networkTable(report)),
    ...section(paint, nodeTable(report)),
    ...faultLines(topology, report),
    ...violationLines(report, paint),
    ...expectationLines(report.expectations, paint),
    '',
    ...evidenceLines(report, paint),
    ...wrapLine(summaryLine(report), paint.columns).map((line) => paint.bold(line)),
    '',
  ].join('\n');
}

function briefText(report: Report, paint: Paint): string {
  const failed = report.expectations.filter(({ passed }) => !passed);
  const lines = failed.map((outcome) => paint.bad(`✗ ${outcome.text}: ${foundText(outcome)}`));
  return [...lines, `${report.scenario}: ${summaryLine(report)}`, ''].join('\n');
}

interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns from this one on are numbers. */
  readonly right: number;
  /** Shown below the rows when some of them are not. */
  readonly total?: readonly string[];
}

function section(paint: Paint, table: Table): string[] {
  const { title, head, rows, right, total = [] } = table;
  if (rows.length === 0) return [];
  const hidden = rows.length - ROWS_SHOWN_MAX;
  const [first, ...lines] = alignColumns(
    [[title, ...head], ...rows.slice(0, ROWS_SHOWN_MAX), ...(hidden > 0 ? [total] : [])],
    { right, columns: paint.columns },
  );
  const last = hidden > 0 ? lines.pop()! : '';
  const more = hidden > 0 ? [paint.dim(`… ${formatCount(hidden)} more`)] : [];
  return ['', paint.bold(first), ...lines, ...more, ...(last === '' ? [] : [last])];
}

function workloadTable({ workloads }: Report): Table {
  const rows = workloads.map((workload) => [
    workload.name,
    workload.device,
    ...figuresOf(workload),
  ]);
  const sum = (pick: (workload: WorkloadReport) => number) =>
    workloads.reduce((all, workload) => all + pick(workload), 0);
  const seconds = Math.max(0, ...workloads.map(({ elapsedPs }) => elapsedPs)) / PS_PER_S;
  const requests = sum((workload) => workload.requests);
  const bytes = sum((workload) => workload.bytes);
  const all = {
    requests,
    errors: sum((workload) => workload.errors),
    verified: sum((workload) => workload.verified),
    bytes,
    throughput: seconds === 0 ? 0 : bytes / seconds,
    iops: seconds === 0 ? 0 : requests / seconds,
  };
  return {
    title: 'Workloads',
    head: ['device', 'requests', 'errors', 'verified', 'bytes', 'throughput', 'requests/s'],
    rows,
    right: 2,
    total: [`all ${formatCount(workloads.length)}`, '', ...figuresOf(all)],
  };
}

function figuresOf(
  figures: Pick<
    WorkloadReport,
    'requests' | 'errors' | 'verified' | 'bytes' | 'throughput' | 'iops'
  >,
): string[] {
  return [
    formatCount(figures.requests),
    formatCount(figures.errors),
    formatCount(figures.verified),
    formatBytes(figures.bytes),
    formatRate(figures.throughput),
    formatCount(figures.iops),
  ];
}

/** Says who is not through, and what for: first of all a reader must know that. */
function unfinishedLines({ workloads, ending }: Report, paint: Paint): string[] {
  const lines: string[] = [];
  if (ending === 'stalled') lines.push('The run has stalled: nothing is left to happen.');
  const unfinished = workloads.filter(
    ({ waitsFor, failure }) => waitsFor !== null || failure !== null,
  );
  for (const workload of unfinished.slice(0, ROWS_SHOWN_MAX)) lines.push(trouble(workload));
  const hidden = unfinished.length - ROWS_SHOWN_MAX;
  if (hidden > 0) lines.push(`… and ${hidden} more`);
  const wrapped = lines.flatMap((line) => wrapLine(line, paint.columns));
  return wrapped.length === 0 ? [] : ['', ...wrapped.map((line) => paint.bad(line))];
}

function trouble({ name, waitsFor, failure }: WorkloadReport): string {
  if (failure !== null) return `${name} gave up: ${failure}`;
  return `${name} is not done: it waits for ${waitsFor}`;
}

function latencyTable({ devices }: Report): Table {
  const head = ['min', 'p50', 'p90', 'p99', 'p99.9', 'max', 'mean'];
  const rows = Object.entries(devices).flatMap(([name, { latency }]) =>
    latency.min === null ? [] : [[name, ...LATENCY_KEYS.map((key) => formatLatency(latency[key]))]],
  );
  return { title: 'Latency', head, rows, right: 1 };
}

function busTable({ buses }: Report): Table {
  const head = ['type', 'messages', 'bytes', 'to driver', 'to device', 'utilisation'];
  const rows = Object.entries(buses).map(([name, bus]) => [
    name,
    bus.type,
    formatCount(bus.messages),
    formatBytes(bus.bytes),
    formatBytes(bus.device['bytesToDriver'] ?? 0),
    formatBytes(bus.driver['bytesToDevice'] ?? 0),
    formatShare(bus.utilisation),
  ]);
  return { title: 'Buses', head, rows, right: 2 };
}

/** Buses with something that is in no draft of virtio-msg: what they show is no property of it. */
function beyondDraftsLines({ buses }: Report): string[] {
  const users = new Map<string, string[]>();
  for (const [name, { beyondDrafts }] of Object.entries(buses)) {
    for (const what of beyondDrafts) users.set(what, [...(users.get(what) ?? []), name]);
  }
  const lines = [...users].map(([what, names]) => `${what}: ${names.join(', ')}`);
  return lines.length === 0 ? [] : ['', 'In no draft of virtio-msg:', ...lines];
}

/** Carriers side by side; only where there are several to compare. */
function perRequestTable({ buses }: Report): Table {
  const head = ['latency', 'messages', 'calls', 'interrupts', 'bytes', 'driver CPU', 'device CPU'];
  const rows = Object.entries(buses).flatMap(([name, { perRequest }]) => {
    if (perRequest === null) return [];
    const { latency, messages, calls, interrupts, bytes, driverCpu, deviceCpu } = perRequest;
    const time = (ns: number | null) => (ns === null ? '-' : formatLatency(ns));
    const each = (value: number) => value.toFixed(2);
    return [
      [
        name,
        time(latency),
        each(messages),
        each(calls),
        each(interrupts),
        formatBytes(bytes),
        time(driverCpu),
        time(deviceCpu),
      ],
    ];
  });
  return { title: 'Per request', head, rows: rows.length < 2 ? [] : rows, right: 1 };
}

function networkTable({ networks }: Report): Table {
  const head = ['type', 'frames', 'bytes', 'dropped', 'lost', 'utilisation'];
  const rows = Object.entries(networks).map(([name, network]) => [
    name,
    network.type,
    formatCount(network.frames),
    formatBytes(network.bytes),
    formatCount(network.dropped),
    formatCount(network.lost),
    formatShare(network.utilisation),
  ]);
  return { title: 'Networks', head, rows, right: 2 };
}

function nodeTable({ nodes }: Report): Table {
  const head = ['cpus', 'busy', 'of it lent', 'interrupts', 'violations', 'events'];
  const rows = Object.entries(nodes).map(([name, node]) => [
    name,
    String(node.cpus),
    formatShare(node.cpuBusy),
    formatShare(node.cpuBusyPs === 0 ? 0 : node.cpuLentPs / node.cpuBusyPs),
    formatCount(node.interrupts),
    formatCount(node.violations),
    formatCount(node.events),
  ]);
  return { title: 'Nodes', head, rows, right: 1 };
}

function faultLines({ faults }: Topology, { buses }: Report): string[] {
  if (faults.length === 0) return [];
  const ends = Object.values(buses).flatMap(({ driver, device }) => [driver, device]);
  const acted = ends.reduce((sum, end) => sum + (end['faultsInjected'] ?? 0), 0);
  const rules = `${formatCount(faults.length)} fault rule${faults.length === 1 ? '' : 's'}`;
  return ['', `${rules} acted ${formatCount(acted)} time${acted === 1 ? '' : 's'}.`];
}

function violationLines({ violations, violationList }: Report, paint: Paint): string[] {
  if (violations === 0) return ['', 'No violations.'];
  const described = violationList.slice(0, VIOLATIONS_SHOWN_MAX);
  const shown = described.flatMap(({ at, node, code, text }) =>
    wrapLine(`  ${formatTime(at, 7)}  ${node}  ${code}  ${text}`, paint.columns),
  );
  const hidden = violations - described.length;
  const title = `${formatCount(violations)} violation${violations === 1 ? '' : 's'}`;
  return [
    '',
    paint.bad(title),
    ...shown,
    ...(hidden > 0 ? [`  … ${formatCount(hidden)} more`] : []),
  ];
}

function expectationLines(outcomes: readonly ExpectationOutcome[], paint: Paint): string[] {
  if (outcomes.length === 0) return [];
  const rows = alignRows(
    outcomes.map((outcome) => [outcome.passed ? '✓' : '✗', outcome.text, foundText(outcome)]),
    { columns: paint.columns },
  );
  return [
    '',
    paint.bold('Expectations'),
    ...rows.flatMap((lines, index) => lines.map(outcomes[index].passed ? paint.good : paint.bad)),
  ];
}

/** What was found, or why nothing was. */
function foundText({ text, actual, expected, missing }: ExpectationOutcome): string {
  return actual === null ? (missing ?? 'nothing') : `is ${valueText(text, actual, expected)}`;
}

/** The value that was compared, in the kind of unit that the expectation is written in. */
function valueText(text: string, actual: number | string | boolean, expected: string): string {
  if (typeof actual !== 'number') return String(actual);
  if (/\d ?(ps|ns|us|ms|s)$/.test(expected)) {
    return /Ps\W/.test(text) ? formatTime(actual) : formatLatency(actual);
  }
  if (expected.endsWith('%')) return formatShare(actual);
  return Number.isInteger(actual) ? formatCount(actual) : String(Number(actual.toPrecision(7)));
}

function evidenceLines({ evidence }: Report, paint: Paint): string[] {
  const { totalPs, shares, guesses } = evidence;
  if (totalPs === 0) return [];
  const shown = guesses.slice(0, GUESSES_SHOWN_MAX).filter(({ share }) => share > 0);
  const names = shown.map(({ name, share }) => `${name} ${formatShare(share)}`).join(', ');
  const more = guesses.length > shown.length ? ', …' : '';
  const text = `${formatShare(shares.guess)} of the charged time rests on guesses`;
  return wrapLine(shares.guess === 0 ? `${text}.` : `${text}: ${names}${more}`, paint.columns);
}

function summaryLine(report: Report): string {
  const { simulatedPs, wallSeconds, speedRatio, events, eventsPerSecond, digest } = report;
  return (
    `simulated ${formatTime(simulatedPs)} in ${formatTime(wallSeconds * 1e12, 3)} of wall time ` +
    `(ratio ${Number(speedRatio.toPrecision(3))}), ${formatCount(events)} events, ` +
    `${formatEvents(eventsPerSecond)} ev/s, digest ${digest}`
  );
}
