// Transitions per second of the project's own charts, and of one with nested and parallel states and
// assignments, on both engines. Each task walks a chart once around a loop of its life.
import type { Bench } from 'tinybench';
import { type AnyStateMachine, assign, type EventObject, emit, setup } from 'xstate';
import { deviceSessionChart } from '../../buses/ffa/device-chart.ts';
import { pollChart } from '../../buses/ffa/poll-chart.ts';
import { deviceChart } from '../../devices/common/device-chart.ts';
import { queueChart } from '../../devices/common/queue-chart.ts';
import { driverChart } from '../../guests/common/driver-chart.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { type AnyChart, ChartHost, type EngineName } from '../../platform/machine/index.ts';

interface Loop {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly input?: unknown;
  /** Brings the chart to where the loop begins. */
  readonly before: readonly EventObject[];
  /** Each takes a transition; the last one closes the loop. */
  readonly loop: readonly EventObject[];
}

/** A made-up chart with what the others lack. */
const mixedChart = setup({
  types: {} as { context: { count: number; total: number }; events: EventObject },
  guards: { odd: ({ context }) => context.count % 2 === 1 },
  actions: {
    count: assign({ count: ({ context }) => context.count + 1 }),
    total: assign(({ context }) => ({ total: context.total + context.count })),
    note: emit(({ context }) => ({ type: 'noted', count: context.count })),
  },
}).createMachine({
  id: 'mixed',
  context: { count: 0, total: 0 },
  type: 'parallel',
  states: {
    link: {
      initial: 'up',
      states: { up: { on: { FLIP: 'down' } }, down: { entry: 'note', on: { FLIP: 'up' } } },
    },
    work: {
      initial: 'idle',
      states: {
        idle: { on: { STEP: { target: 'busy', actions: 'count' } } },
        busy: {
          initial: 'first',
          onDone: 'idle',
          states: {
            first: { on: { STEP: [{ guard: 'odd', target: 'second' }, { target: 'last' }] } },
            second: { on: { STEP: { target: 'last', actions: 'total' } } },
            last: { type: 'final' },
          },
        },
      },
    },
  },
});

function events(...types: readonly string[]): EventObject[] {
  return types.map((type) => ({ type }));
}

const STATUS_SET = { type: 'reply.status', status: 0x0f };
const INFO = { type: 'reply.info', info: { deviceId: 2, queuesMax: 1, configSize: 0 } };

const LOOPS: readonly Loop[] = [
  {
    name: 'queue',
    machine: queueChart,
    before: events('START', 'LOOK'),
    loop: events('NEW', 'ENTRIES', 'MORE', 'CHAINS', 'EMPTY', 'LOOK'),
  },
  {
    name: 'device',
    machine: deviceChart,
    before: [],
    loop: [
      ...events('ACKNOWLEDGE', 'DRIVER'),
      { type: 'FEATURES_OK', acceptable: true } as EventObject,
      ...events('DRIVER_OK', 'ERROR', 'RESET'),
    ],
  },
  {
    name: 'driver',
    machine: driverChart,
    input: { deviceId: 2, queueCount: 1, requiredFeatures: 0n, configSize: 0 },
    before: [],
    loop: [
      ...events('ONLINE'),
      ...[INFO, { type: 'reply.status', status: 0 }, STATUS_SET, STATUS_SET],
      { type: 'reply.features', features: 0n } as EventObject,
      ...[{ type: 'reply.featuresSet' }, STATUS_SET],
      ...events('OFFLINE'),
    ],
  },
  {
    name: 'ffa session',
    machine: deviceSessionChart,
    before: [],
    loop: [{ type: 'VERSION', matches: true } as EventObject, { type: 'RESET' }],
  },
  {
    name: 'ffa poll',
    machine: pollChart,
    input: { interval: Infinity },
    before: events('ENABLE'),
    loop: events('EVENT', 'WAKE', 'EVENT', 'EMPTY', 'WAKE'),
  },
  {
    name: 'mixed',
    machine: mixedChart as unknown as AnyStateMachine,
    before: [],
    loop: events('STEP', 'STEP', 'FLIP', 'STEP', 'STEP', 'STEP', 'FLIP'),
  },
];

/** Times around the loop in one run of a task, so that timing it costs nothing. */
const ROUNDS: Readonly<Record<EngineName, number>> = { compiled: 1000, xstate: 10 };

/** Adds a task for each chart and engine, named `chart NAME ENGINE`. */
export function suite(bench: Bench): void {
  // Engine by engine, and charts made when their task begins: a run uses one engine only.
  for (const engine of ['compiled', 'xstate'] as const) {
    for (const loop of LOOPS) {
      let chart: AnyChart;
      bench.add(
        taskName(loop, engine),
        () => {
          for (let round = 0; round < ROUNDS[engine]; round++) walk(chart, loop.loop);
        },
        {
          beforeAll: () => {
            chart = startedChart(loop, engine);
          },
        },
      );
    }
  }
}

export interface EngineRates {
  readonly chart: string;
  /** Events per second. */
  readonly compiled: number;
  readonly xstate: number;
  readonly ratio: number;
}

/** What a finished bench measured, chart by chart. */
export function engineRates(bench: Bench): EngineRates[] {
  return LOOPS.map((loop) => {
    const rate = (engine: EngineName): number => {
      const result = bench.getTask(taskName(loop, engine))?.result;
      if (result?.state !== 'completed') return Number.NaN;
      // tinybench counts in milliseconds.
      return (loop.loop.length * ROUNDS[engine] * 1000) / result.latency.p50;
    };
    const compiled = rate('compiled');
    const xstate = rate('xstate');
    return { chart: loop.name, compiled, xstate, ratio: compiled / xstate };
  });
}

function taskName(loop: Loop, engine: EngineName): string {
  return `chart ${loop.name} ${engine}`;
}

function startedChart(loop: Loop, engine: EngineName): AnyChart {
  const host = new ChartHost(new Kernel(1), 0, 'node', engine);
  const chart = host.start(loop.machine, { name: loop.name, input: loop.input, perform: () => {} });
  chart.begin();
  walk(chart, loop.before);
  checkLoop(chart, loop);
  return chart;
}

function walk(chart: AnyChart, list: readonly EventObject[]): void {
  for (let i = 0; i < list.length; i++) chart.send(list[i] as never);
}

/** Refuses to measure events that do nothing: every one must change the state or emit. */
function checkLoop(chart: AnyChart, loop: Loop): void {
  const states = [chart.state];
  for (const event of loop.loop) {
    chart.send(event as never);
    states.push(chart.state);
  }
  if (states.at(-1) !== states[0] || new Set(states).size < 2) {
    throw new Error(`the loop of ${loop.name} does not close: ${states.join(' → ')}`);
  }
}
