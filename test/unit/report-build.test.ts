// The report as data and as text, from made-up outcomes of a small topology.
import { beforeAll, expect, test } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import type { NetworkPlan, Statistics, WorkloadResult } from '../../platform/contracts/index.ts';
import type {
  GroupOutcome,
  NetworkOutcome,
  NodeOutcome,
  WorkloadOutcome,
} from '../../platform/hosts/index.ts';
import type { Violation } from '../../platform/node/index.ts';
import { NO_LATENCIES } from '../../platform/observe/index.ts';
import {
  buildReport,
  expectationsHold,
  type RunFacts,
  reportText,
} from '../../platform/observe/report/index.ts';
import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';
import { PLAIN } from '../../platform/text/index.ts';
import { measured } from '../support/measured.ts';

const TEXT = `
name: made-up
nodes:
  linux: { kind: vm, cpus: 2 }
  secure: { kind: partition }
buses:
  ffa0: { type: ffa, driver: linux, device: secure }
devices:
  disk0: { type: blk, bus: ffa0, number: 0 }
  idle0: { type: rng, bus: ffa0, number: 1 }
workloads:
  - { type: fio, device: disk0, name: first }
  - { type: fio, device: disk0, name: second }
expect:
  - disk0.latency.p99 < 80us
  - nodes.linux.cpuBusy <= 50%
  - violations == 0
`;

const SECOND = 1e12;
let topology: LoadedScenario;
beforeAll(() => {
  topology = parseScenario({ text: TEXT, file: 'made-up.yaml', folder: '.' }, tables);
});

function node(index: number, changes: Partial<NodeOutcome> = {}): NodeOutcome {
  const constants = topology.profile.constants.length;
  return {
    node: index,
    cpuBusyPs: 0,
    cpuLentPs: 0,
    interrupts: 0,
    violations: 0,
    described: [],
    lanes: [index, 0, 5],
    chargesPs: new Float64Array(constants),
    chargeCounts: new Float64Array(constants),
    ...changes,
  };
}

function result(changes: Partial<WorkloadResult> = {}): WorkloadResult {
  return {
    requests: 10,
    errors: 0,
    bytes: 40_960,
    verified: 10,
    latency: { min: 10, p50: 20, p90: 30, p99: 40, p999: 50, max: 60, mean: 25 },
    elapsedPs: SECOND / 2,
    failure: null,
    ...changes,
  };
}

function workload(index: number, changes: Partial<WorkloadOutcome> = {}): WorkloadOutcome {
  const live = { done: true, driverState: 'live', downReason: null };
  return { workload: index, ...live, result: result(), ...changes };
}

function facts(group: Partial<GroupOutcome>, changes: Partial<RunFacts> = {}): RunFacts {
  const whole: GroupOutcome = {
    nodes: [node(0), node(1)],
    buses: [],
    devices: [],
    networks: [],
    workloads: [workload(0), workload(1)],
    events: 10,
    anatomy: null,
    messages: null,
    ...group,
  };
  return {
    groups: [whole],
    ending: 'done',
    simulatedPs: SECOND,
    engine: 'compiled',
    workers: 0,
    placement: [0, 0],
    wallSeconds: 2,
    ...changes,
  };
}

const textOf = (input: RunFacts) => reportText(topology, buildReport(topology, input), PLAIN);

test('two workloads of a device are added up; their percentiles are bounds', () => {
  const slow = result({
    requests: 30,
    errors: 2,
    latency: { min: 5, p50: 90, p90: 91, p99: 92, p999: 93, max: 94, mean: 85 },
    elapsedPs: SECOND,
    extra: { retries: 3, late: 1 },
  });
  const quick = result({ extra: { retries: 2 } });
  const { devices } = buildReport(
    topology,
    facts({ workloads: [workload(0, { result: quick }), workload(1, { result: slow })] }),
  );
  expect(devices['disk0']).toEqual({
    type: 'blk',
    bus: 'ffa0',
    number: 0,
    requests: 40,
    errors: 2,
    bytes: 81_920,
    verified: 20,
    // (10 × 25 + 30 × 85) / 40 = 70.
    latency: { min: 5, p50: 90, p90: 91, p99: 92, p999: 93, max: 94, mean: 70 },
    throughput: 81_920,
    iops: 40,
    extra: { retries: 5, late: 1 },
    operations: {},
    model: {},
    reads: {},
  });
  expect(devices['idle0'].requests).toBe(0);
  expect(devices['idle0'].latency.max).toBeNull();
});

test('what a workload tells by kind of request is added up by kind', () => {
  const latency = { min: 1, p50: 2, p90: 3, p99: 4, p999: 5, max: 6, mean: 2 };
  const read = { requests: 4, errors: 1, bytes: 100, latency };
  const slow = { ...read, requests: 12, latency: { ...latency, max: 9, mean: 6 } };
  const parts = [
    result({ operations: { read } }),
    result({ operations: { read: slow, write: read } }),
  ];
  const { devices, workloads } = buildReport(
    topology,
    facts({
      workloads: parts.map((part, index) => workload(index, { result: part })),
      devices: [{ device: 0, statistics: { served: 16 }, reads: { data: 3 } }],
    }),
  );
  // (4 × 2 + 12 × 6) / 16 = 5.
  expect(devices['disk0'].operations).toEqual({
    read: { requests: 16, errors: 2, bytes: 200, latency: { ...latency, max: 9, mean: 5 } },
    write: read,
  });
  expect(workloads[0].operations).toEqual({ read });
  expect([devices['disk0'].model, devices['idle0'].model]).toEqual([{ served: 16 }, {}]);
  expect([devices['disk0'].reads, devices['idle0'].reads]).toEqual([{ data: 3 }, {}]);
});

test('a share of CPU time is of all CPUs of the node', () => {
  const busy = node(0, { cpuBusyPs: SECOND, cpuLentPs: SECOND / 4, interrupts: 3 });
  const { nodes, expectations } = buildReport(topology, facts({ nodes: [busy, node(1)] }));
  expect(nodes['linux']).toMatchObject({ cpus: 2, cpuBusy: 0.5, interrupts: 3, events: 5 });
  expect(expectations).toContainEqual(
    expect.objectContaining({ text: 'nodes.linux.cpuBusy <= 50%', passed: true, actual: 0.5 }),
  );
});

test('the two ends of a bus may come from two groups', () => {
  const end = (side: 'driver' | 'device', messages: number, linkBusyPs: number) => ({
    bus: 0,
    side,
    statistics: { messages, bytes: 8 * messages, linkBusyPs, EVENT_AVAIL: messages },
    calls: messages,
  });
  const input = facts({ nodes: [node(0)], buses: [end('driver', 3, SECOND / 10)] });
  const [group] = input.groups;
  const other = {
    ...group,
    nodes: [node(1)],
    workloads: [],
    buses: [end('device', 4, SECOND / 5)],
  };
  const report = buildReport(topology, { ...input, groups: [other, group], placement: [1, 0] });
  expect(report.buses['ffa0']).toMatchObject({
    messages: 7,
    bytes: 56,
    utilisation: 0.2,
    driver: { EVENT_AVAIL: 3 },
    device: { EVENT_AVAIL: 4 },
    perRequest: { requests: 20, calls: 7 / 20 },
  });
  expect(report.events).toBe(20);
  expect(report.placement).toEqual({ linux: 1, secure: 0 });
  const together = buildReport(topology, facts({}));
  expect(report.digest).toBe(together.digest);
});

test('a network adds up what its senders put on their cables', () => {
  const place = { node: 0, port: 0 };
  const lan: NetworkPlan = {
    index: 0,
    name: 'lan0',
    type: 'switch',
    rate: 1e9,
    latency: 1,
    buffer: 1,
    lossPerMillion: 0,
    node: null,
    links: [0, 1].map((device) => ({ device, name: `net${device}`, near: place, far: place })),
  };
  const part = (kind: NetworkOutcome['part'], device: number | null, statistics: Statistics) => ({
    network: 0,
    part: kind,
    device,
    statistics,
  });
  const networks = [
    part('switch', null, { received: 5 }),
    part('switchPort', 1, { frames: 4, bytes: 400, busyPs: SECOND / 4, dropped: 1 }),
    part('device', 1, { frames: 1, bytes: 64, busyPs: 8, lost: 2 }),
    part('device', 0, { frames: 3, bytes: 300, busyPs: 9 }),
  ];
  const networked = { ...topology, networks: [lan] };
  const report = buildReport(networked, facts({ networks }));
  expect(report.networks).toEqual({
    lan0: {
      type: 'switch',
      frames: 8,
      bytes: 764,
      dropped: 1,
      lost: 2,
      utilisation: 0.25,
      switch: { received: 5 },
      devices: { disk0: networks[3].statistics, idle0: networks[2].statistics },
      ports: { idle0: networks[1].statistics },
    },
  });
  const text = reportText(networked, report, PLAIN);
  expect(text).toContain('network lan0 (switch): disk0, idle0');
  expect(text).toMatch(/lan0 +switch +8 +764 B +1 +2 +25 %/);
});

test('speeds are of the wall time, and 0 when there was none', () => {
  expect(buildReport(topology, facts({}))).toMatchObject({ eventsPerSecond: 5, speedRatio: 0.5 });
  const instant = buildReport(topology, facts({}, { wallSeconds: 0 }));
  expect(instant).toMatchObject({ eventsPerSecond: 0, speedRatio: 0 });
});

test('violations are listed in the order of time, and fail the expectation', () => {
  const violation = (at: number, name: string): Violation => ({
    at,
    node: name,
    code: 'DMA_FAULT',
    text: 'refused',
  });
  const input = facts({
    nodes: [
      node(0, {
        violations: 2,
        described: [violation(2_000_000, 'linux'), violation(9_000_000, 'linux')],
      }),
      node(1, { violations: 7, described: [violation(1_000_000, 'secure')] }),
    ],
  });
  const report = buildReport(topology, input);
  expect(report.violations).toBe(9);
  expect(report.violationList.map(({ at }) => at / 1_000_000)).toEqual([1, 2, 9]);
  expect(expectationsHold(report)).toBe(false);
  const text = textOf(input);
  expect(text).toContain('9 violations');
  expect(text).toContain('1 us  secure  DMA_FAULT  refused');
  expect(text).toContain('… 6 more');
});

test('a workload at the limit fails the run and says what it waits for', () => {
  const waiting = workload(1, { done: false, driverState: 'settingQueues' });
  const input = facts({ workloads: [workload(0), waiting] }, { ending: 'stalled' });
  const report = buildReport(topology, input);
  expect(report.expectations[0]).toEqual({
    text: 'workloads done',
    passed: false,
    missing: null,
    actual: '1 of 2',
    expected: 'all',
  });
  expect(report.workloads[1].waitsFor).toContain('settingQueues');
  const text = textOf(input);
  expect(text).toContain('stalled');
  expect(text).toContain('second is not done: it waits for the driver of disk0');
  expect(text).toMatch(/✗ +workloads done/);
});

test('a step that ended otherwise than expected fails the run', () => {
  const reportOf = (...wrong: readonly number[]) =>
    buildReport(
      topology,
      facts({
        workloads: wrong.map((each, i) =>
          workload(i, { result: result({ steps: { total: 5, wrong: each } }) }),
        ),
      }),
    );
  const held = reportOf(0, 0);
  expect(held.workloads[0].steps).toEqual({ total: 5, wrong: 0 });
  expect(held.expectations.at(1)).toMatchObject({ text: 'steps as expected', passed: true });
  const failed = reportOf(0, 2);
  expect(failed.expectations.at(1)).toMatchObject({ passed: false, actual: '8 of 10' });
  expect(expectationsHold(failed)).toBe(false);
  // Without steps there is nothing to expect of them.
  const plain = buildReport(topology, facts({ workloads: [workload(0)] }));
  expect(plain.workloads[0]).not.toHaveProperty('steps');
  expect(plain.expectations.map(({ text }) => text)).not.toContain('steps as expected');
});

test('a workload that gave up is not done, unless nobody waits for it', () => {
  const failed = workload(0, { result: result({ failure: 'the device is lost' }) });
  const input = facts({ workloads: [failed, workload(1)] });
  expect(expectationsHold(buildReport(topology, input))).toBe(false);
  expect(textOf(input)).toContain('first gave up: the device is lost');
  const patient = { ...topology, until: { workloadsDone: false, atMost: SECOND } };
  expect(expectationsHold(buildReport(patient, input))).toBe(true);
});

test('evidence names the guesses, the largest first', () => {
  const { constants } = topology.profile;
  const at = (name: string) => constants.findIndex((constant) => constant.name === name);
  const charged = node(0);
  for (const [name, ps] of [
    ['cpu.submit', 300],
    ['ffa.worldSwitch', 500],
    ['memory.lineLatency', 200],
  ] as const) {
    charged.chargesPs[at(name)] = ps;
    charged.chargeCounts[at(name)] = 1;
  }
  const input = facts({ nodes: [charged, node(1)] });
  expect(buildReport(topology, input).evidence.shares).toEqual({
    measured: 0.2,
    specified: 0,
    guess: 0.8,
  });
  expect(textOf(input)).toContain(
    '80 % of the charged time rests on guesses: ffa.worldSwitch 50 %, cpu.submit 30 %\n',
  );
});

test('the last line sums the run up', () => {
  const lines = textOf(facts({})).trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(
    /^simulated 1 s in 2 s of wall time \(ratio 0\.5\), 10 events, 5 ev\/s, digest [0-9a-f]{16}$/,
  );
});

test('a brief report is what failed, and the last line', () => {
  const slow = result({ latency: { ...measured(result().latency), p99: 90_000 } });
  const report = buildReport(
    topology,
    facts({ workloads: [workload(0, { result: slow }), workload(1)] }),
  );
  const lines = reportText(topology, report, PLAIN, true).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toBe('✗ disk0.latency.p99 < 80us: is 90 us');
  expect(lines[1]).toMatch(/^made-up: simulated 1 s/);
});

test('an expectation of a latency fails where no request has completed, and says so', () => {
  const none = result({ requests: 0, latency: NO_LATENCIES });
  const outcomes = [workload(0, { result: none }), workload(1, { result: none })];
  const report = buildReport(topology, facts({ workloads: outcomes }));
  const [first] = reportText(topology, report, PLAIN, true).split('\n');
  expect(first).toBe('✗ disk0.latency.p99 < 80us: no request has completed');
});

test('a drawing of many buses is cut short', () => {
  const many = `
name: many
nodes:
  host: { kind: vm }
  card: { kind: partition, count: 9 }
  spare: { kind: vm }
buses:
  bus: { type: ffa, driver: host, device: 'card-{i}', count: 9 }
`;
  const scenario = parseScenario({ text: many, file: 'many.yaml', folder: '.' }, tables);
  const nodes = scenario.nodes.map(({ index }) => node(index));
  const placement = nodes.map(() => 0);
  const report = buildReport(scenario, facts({ nodes, workloads: [] }, { placement }));
  const text = reportText(scenario, report, PLAIN);
  expect(text).toContain('bus-3');
  expect(text).not.toContain('-- bus-4');
  expect(text).toContain('… and 5 more buses');
  expect(text).toContain('not on a bus: spare');
});
