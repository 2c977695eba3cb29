// Takes one function of a card into use: runs the probe chart's effects as scripts on a core.
import type { Chart } from '../machine/index.ts';
import type { Node } from '../node/index.ts';
import { AccessRunner } from './access-runner.ts';
import type { PciePath } from './options.ts';
import { type ProbeEffect, type ProbeEvent, probeChart } from './probe-chart.ts';
import {
  enable,
  type InterruptKind,
  identify,
  type ProbedFunction,
  placeBars,
  readCapabilities,
  startReset,
  vectorsOf,
} from './probe-scripts.ts';
import type { RootPort } from './root-port.ts';
import { pcieTimingIds } from './timing.ts';

export interface FunctionProbeOptions {
  readonly node: Node;
  /** Names the chart. */
  readonly name: string;
  readonly port: RootPort;
  readonly path: PciePath;
  readonly functionId: number;
  /** Null for a function that is polled. */
  readonly interrupts: InterruptKind | null;
  /** Sets up as many interrupt vectors as the function has, and returns the number of the first. */
  vectors(count: number): number;
  /** False when the driver knows no such function. */
  accepts(found: Pick<ProbedFunction, 'vendorId' | 'deviceId'>): boolean;
  ready(found: ProbedFunction): void;
  /** There is no such function (any more). */
  absent(): void;
}

export class FunctionProbe {
  readonly runner: AccessRunner;
  readonly #options: FunctionProbeOptions;
  readonly #chart: Chart<unknown, ProbeEvent>;
  #found: ProbedFunction = NOTHING;

  constructor(options: FunctionProbeOptions) {
    this.#options = options;
    const { node, name, port } = options;
    this.runner = new AccessRunner(node, port);
    this.#chart = node.charts.start(probeChart, {
      name: `${name}.probe`,
      input: { readyTime: node.costs.value(pcieTimingIds(node.costs).readyTime) },
      perform: (effect: ProbeEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  get isReady(): boolean {
    return this.#chart.matches('ready');
  }

  start(): void {
    this.#chart.send({ type: 'PROBE' });
  }

  /** Resets the function and takes it into use again. */
  reset(): void {
    this.#chart.send({ type: 'RESET' });
  }

  linkChanged(isUp: boolean): void {
    this.#chart.send({ type: isUp ? 'INSERTED' : 'REMOVED' });
  }

  #perform(effect: ProbeEffect): void {
    const { functionId, port, ready, absent } = this.#options;
    const found = this.#found;
    switch (effect.type) {
      case 'scan':
        return port.scan(this.runner, () => this.#tell(true));
      case 'identify':
        return this.runner.run(functionId, identify(), (ids) => this.#identified(ids));
      case 'placeBars':
        return this.runner.run(functionId, placeBars(port.barWindow, found.bars), (bars) => {
          if (bars === null) this.#tell(false);
          else this.#learnt({ bars });
        });
      case 'readCapabilities':
        return this.runner.run(functionId, readCapabilities(), (capabilities) => {
          this.#learnt({ capabilities });
        });
      case 'enable':
        return this.#enable();
      case 'startReset':
        return this.runner.run(functionId, startReset(found), (done) => this.#tell(done));
      case 'ready':
        return ready(found);
      case 'absent':
        return absent();
    }
  }

  #enable(): void {
    const { functionId, path, interrupts, vectors } = this.#options;
    const count = vectorsOf(this.#found, interrupts);
    const asked = { kind: interrupts, count, firstVector: count === 0 ? 0 : vectors(count) };
    this.runner.run(functionId, enable(path, this.#found, asked), (done) => this.#tell(done));
  }

  #identified(ids: Omit<ProbedFunction, 'bars' | 'capabilities'> | null): void {
    if (ids !== null && this.#options.accepts(ids)) this.#learnt(ids);
    else this.#tell(false);
  }

  #learnt(part: Partial<ProbedFunction>): void {
    this.#found = { ...this.#found, ...part };
    this.#tell(true);
  }

  #tell(done: boolean): void {
    this.#chart.send({ type: done ? 'DONE' : 'NONE' });
  }
}

const NOTHING: ProbedFunction = {
  vendorId: 0,
  deviceId: 0,
  revision: 0,
  bars: new Map(),
  capabilities: [],
};
