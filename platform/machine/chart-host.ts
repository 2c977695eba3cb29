// All charts of one node. It is the component that the kernel delivers chart timers to.
import type { AnyStateMachine } from 'xstate';
import { assert } from '../errors.ts';
import type { Component, ComponentId, EventHandle, Kernel } from '../kernel/index.ts';
import type { AnyChart, ChartEngine, ChartOf, ChartOptions, EngineName } from './chart.ts';
import { compiledEngine } from './compiled-engine.ts';
import {
  type ChartObserver,
  type ChartPlace,
  HostedChart,
  type HostedChartOptions,
  HostedTimer,
} from './hosted-chart.ts';
import { xstateEngine } from './xstate-engine.ts';

/** The kind of the events by which timers fire; `a` is the chart's index, `b` the timer's ordinal. */
export const CHART_TIMER = 1;

const ENGINES: Readonly<Record<EngineName, ChartEngine>> = {
  compiled: compiledEngine,
  xstate: xstateEngine,
};

export interface ChartHostOptions {
  readonly kernel: Kernel;
  readonly node: number;
  readonly nodeName: string;
  readonly engine: EngineName;
}

/** Makes the chart host of a node. */
export function createChartHost(options: ChartHostOptions): ChartHost {
  return new ChartHost(options.kernel, options.node, options.nodeName, options.engine);
}

/** Runs the charts of one node on one engine. */
export class ChartHost implements Component, ChartPlace {
  readonly kernel: Kernel;
  readonly nodeName: string;
  readonly engine: ChartEngine;
  /** Set to be told of every step. */
  observer: ChartObserver | null = null;
  readonly #id: ComponentId;
  readonly #charts: HostedChart[] = [];
  readonly #names = new Set<string>();
  readonly #spareTimers: HostedTimer[] = [];

  constructor(kernel: Kernel, node: number, nodeName: string, engine: EngineName = 'compiled') {
    this.kernel = kernel;
    this.nodeName = nodeName;
    this.engine = ENGINES[engine];
    this.#id = kernel.add(node, this);
  }

  /** The charts in the order of `start`, stopped ones included. */
  get charts(): readonly AnyChart[] {
    return this.#charts as readonly unknown[] as readonly AnyChart[];
  }

  /**
   * Makes a chart of a machine. It enters its initial state when `begin` is called on it. Throws
   * RunError CHART when the engine cannot run the machine.
   */
  start<Machine extends AnyStateMachine>(
    machine: Machine,
    options: ChartOptions<Machine>,
  ): ChartOf<Machine> {
    const { name } = options;
    assert(!this.#names.has(name), `node ${this.nodeName} has two charts named ${name}`);
    this.#names.add(name);
    const chart = new HostedChart(
      this,
      this.#charts.length,
      machine,
      options as HostedChartOptions,
    );
    this.#charts.push(chart);
    return chart as unknown as ChartOf<Machine>;
  }

  deliver(_kind: number, a: number, b: number): void {
    this.#charts[a].timerFired(b);
  }

  schedule(delay: number, chartIndex: number, ordinal: number): EventHandle {
    return this.kernel.schedule(this.#id, delay, CHART_TIMER, chartIndex, ordinal);
  }

  takeTimer(): HostedTimer {
    return this.#spareTimers.pop() ?? new HostedTimer();
  }

  giveTimer(timer: HostedTimer): void {
    this.#spareTimers.push(timer);
  }
}
