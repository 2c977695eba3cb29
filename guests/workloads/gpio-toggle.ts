// A workload on GPIO lines: it toggles an output and waits for the interrupt of the input that is wired
// to it, or it listens to an input that a signal from outside drives. Levels and edges are verified.
import { z } from 'zod';
import type {
  Finding,
  Topology,
  WorkloadEnvironment,
  WorkloadPlan,
} from '../../platform/contracts/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import {
  GPIO_DIRECTION,
  GPIO_IRQ_TYPE,
  GPIO_MSG,
  waveEdgeAt,
  waveEdges,
  waveLevel,
} from '../../platform/virtio/index.ts';
import { defineWorkload, Watchdog } from '../common/index.ts';
import {
  GPIO_INTERRUPTS,
  type GpioClient,
  type GpioDriver,
  GpioResult,
  interruptField,
} from '../gpio/index.ts';
import { WorkloadBase } from './workload-base.ts';

const gpioToggleOptions = z.strictObject({
  in: count({ max: 1023 }).describe('The line that is listened to.'),
  out: count({ max: 1023 })
    .optional()
    .describe('The line that is toggled, wired to `in`. Without it a signal must drive `in`.'),
  interrupt: interruptField()
    .default('both')
    .describe('When the line interrupts; none reads it instead.'),
  operations: count({ min: 1 }).default(100).describe('Toggles, or edges to hear.'),
  interval: time({ min: 0 })
    .default(0)
    .describe('Time between the end of an operation and the next.'),
  timeout: time({ min: 1 })
    .default(100_000_000_000)
    .describe('How long an interrupt may be overdue.'),
  verify: z.boolean().default(true).describe('Compare levels, and count edges.'),
});

type GpioToggleOptions = z.output<typeof gpioToggleOptions>;

interface Stimulus {
  readonly line: number;
  readonly period: number;
}

/** What the answer to the request under way is for. */
type Purpose = 'prepare' | 'toggle' | 'release' | 'check' | 'disable';

class GpioToggle extends WorkloadBase implements GpioClient {
  readonly #options: GpioToggleOptions;
  readonly #driver: GpioDriver;
  readonly #slot: number;
  readonly #watchdog: Watchdog;
  readonly #irqType: number;
  /** ps of the signal that drives `in`, or 0 when `out` does. */
  readonly #period: number;
  /** Requests to be made before the first operation: type, line, value. */
  readonly #preparations: (readonly [type: number, line: number, value: number])[];
  #purpose: Purpose = 'prepare';
  #left: number;
  #level = 0;
  #submittedAt = 0;
  #latency = 0;
  #failed = false;
  /** An interrupt is due; none other is expected. */
  #due = false;
  /** The toggle's request was answered. */
  #answered = false;
  #lastEdge = -1;

  constructor(environment: WorkloadEnvironment<GpioToggleOptions, GpioDriver>) {
    const { node, plan, device, driver, finished } = environment;
    const { options } = plan;
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth: 1,
      total: options.operations,
      thinkTime: options.interval,
      finished,
    });
    this.#options = options;
    this.#driver = driver;
    this.#left = options.operations;
    this.#irqType = GPIO_INTERRUPTS[options.interrupt];
    const stimulus = device.options.stimulus as readonly Stimulus[];
    const period = stimulus.find(({ line }) => line === options.in)?.period ?? 0;
    this.#period = options.out === undefined ? period : 0;
    this.#preparations = this.#plan();
    this.#slot = driver.reserve(this, 1);
    this.firstSlot = this.#slot;
    this.#watchdog = new Watchdog({
      node,
      name: plan.name,
      timeout: options.timeout,
      expired: () => this.#overdue(),
    });
  }

  gpioReady(_names: readonly string[], interrupts: boolean): void {
    if (this.#irqType !== GPIO_IRQ_TYPE.NONE && !interrupts) {
      return this.down('the device has no interrupts');
    }
    this.#prepare();
  }

  gpioDown(reason: string): void {
    this.#watchdog.clear();
    this.down(reason);
  }

  gpioCompleted(_slot: number, result: GpioResult, value: number): void {
    if (result === GpioResult.lost) return;
    const failed = result !== GpioResult.ok;
    switch (this.#purpose) {
      case 'prepare':
        if (failed) return this.down('a line could not be set up');
        return this.#prepare();
      case 'toggle':
        this.#failed ||= failed;
        this.#answered = true;
        if (this.#due && !failed) return this.#watchdog.began();
        if (!this.#due) this.#latency ||= this.node.kernel.now - this.#submittedAt;
        return this.#toggled();
      case 'release':
        this.#failed ||= failed;
        return this.#check();
      case 'check':
        if (failed || value !== this.#level) this.#wrong(`line ${this.#options.in} is ${value}`);
        return this.#conclude();
      case 'disable':
        return this.over(this.#slot, this.#latency, this.#failed || failed, 0);
    }
  }

  gpioInterrupt(line: number): boolean {
    const levelTriggered = this.#isLevelType;
    if (this.#period > 0) {
      this.#heard();
    } else if (!this.#due) {
      this.#wrong(`an interrupt of line ${line} without cause`);
    } else {
      this.#due = false;
      this.#latency = this.node.kernel.now - this.#submittedAt;
      if (this.#answered) {
        this.#watchdog.ended();
        this.#toggled();
      }
    }
    // A level must be inactive again before its interrupt is unmasked.
    return !levelTriggered;
  }

  protected override next(): boolean {
    if (this.#left <= 0) return false;
    this.#left--;
    this.#failed = false;
    this.#answered = false;
    this.#latency = 0;
    this.#submittedAt = this.node.kernel.now;
    if (this.#period > 0) {
      this.#due = true;
      this.#watchdog.began();
      return true;
    }
    this.#level = this.#isLevelType ? this.#activeLevel : 1 - this.#level;
    this.#due = this.#isLevelType || (this.#irqType & edgeTo(this.#level)) !== 0;
    this.#request('toggle', GPIO_MSG.SET_VALUE, this.#options.out!, this.#level);
    return true;
  }

  /** An edge that fell into the reset is not heard of any more; a level will be. */
  gpioRecovered(): void {
    this.#lastEdge = -1;
    if (!this.#due || !this.#answered || this.#isLevelType) return;
    this.#due = false;
    this.#failed = true;
    this.#latency = this.node.kernel.now - this.#submittedAt;
    this.#watchdog.ended();
    this.#toggled();
  }

  get #isLevelType(): boolean {
    return this.#irqType >= GPIO_IRQ_TYPE.LEVEL_HIGH;
  }

  get #activeLevel(): number {
    return this.#irqType === GPIO_IRQ_TYPE.LEVEL_HIGH ? 1 : 0;
  }

  /** The value comes before the direction, so that the line never shows a wrong level. */
  #plan(): (readonly [number, number, number])[] {
    const { in: input, out } = this.#options;
    const requests: (readonly [number, number, number])[] = [];
    if (this.#isLevelType) this.#level = 1 - this.#activeLevel;
    if (out !== undefined) {
      requests.push([GPIO_MSG.SET_VALUE, out, this.#level]);
      requests.push([GPIO_MSG.SET_DIRECTION, out, GPIO_DIRECTION.OUT]);
    }
    requests.push([GPIO_MSG.SET_DIRECTION, input, GPIO_DIRECTION.IN]);
    if (this.#irqType !== GPIO_IRQ_TYPE.NONE) {
      requests.push([GPIO_MSG.SET_IRQ_TYPE, input, this.#irqType]);
    }
    return requests;
  }

  #prepare(): void {
    const request = this.#preparations.shift();
    if (request !== undefined) return this.#request('prepare', ...request);
    if (this.#irqType !== GPIO_IRQ_TYPE.NONE) this.#driver.unmask(this.#options.in, this);
    this.ready();
  }

  #request(purpose: Purpose, type: number, line: number, value: number): void {
    this.#purpose = purpose;
    this.#driver.request(this.#slot, type, line, value);
  }

  /** The toggle is answered, and its interrupt heard if one was due. */
  #toggled(): void {
    if (!this.#isLevelType) return this.#check();
    this.#level = 1 - this.#activeLevel;
    this.#request('release', GPIO_MSG.SET_VALUE, this.#options.out!, this.#level);
  }

  #check(): void {
    if (!this.#options.verify || this.#failed) return this.#conclude();
    this.verified++;
    this.#request('check', GPIO_MSG.GET_VALUE, this.#options.in, 0);
  }

  /** Ends an operation. After the last one the interrupt is disabled. */
  #conclude(): void {
    const { in: input } = this.#options;
    if (this.#left > 0 || this.#irqType === GPIO_IRQ_TYPE.NONE) {
      if (this.#isLevelType) this.#driver.unmask(input, this);
      return this.over(this.#slot, this.#latency, this.#failed, 0);
    }
    this.#driver.mask(input);
    this.#request('disable', GPIO_MSG.SET_IRQ_TYPE, input, GPIO_IRQ_TYPE.NONE);
  }

  /** An interrupt of a line that a signal drives: which edge was it? */
  #heard(): void {
    const { now } = this.node.kernel;
    let edge = waveEdges(this.#period, now);
    if ((this.#irqType & edgeTo(waveLevel(edge))) === 0) edge--;
    const step = this.#irqType === GPIO_IRQ_TYPE.EDGE_BOTH ? 1 : 2;
    if (this.#due && this.#options.verify) {
      this.verified++;
      if (this.#lastEdge >= 0 && edge !== this.#lastEdge + step) {
        this.#wrong(`edge ${edge} follows edge ${this.#lastEdge}`);
      }
    }
    this.#lastEdge = edge;
    if (!this.#due) return;
    this.#due = false;
    this.#watchdog.ended();
    this.#latency = now - waveEdgeAt(this.#period, edge);
    this.#conclude();
  }

  #overdue(): void {
    this.node.violations.report('TIMEOUT', `${this.name}: the interrupt does not come`);
    this.#watchdog.ended();
    this.#failed = true;
    this.#due = false;
    this.#latency = this.node.kernel.now - this.#submittedAt;
    if (this.#period > 0) this.#conclude();
    else this.#toggled();
  }

  #wrong(text: string): void {
    this.#failed = true;
    this.node.violations.report('VERIFY', `${this.name}: ${text}`);
  }
}

/** The edge that leads to a level. */
function edgeTo(level: number): number {
  return level === 1 ? GPIO_IRQ_TYPE.EDGE_RISING : GPIO_IRQ_TYPE.EDGE_FALLING;
}

function checkGpioToggle(plan: WorkloadPlan, topology: Topology): readonly Finding[] {
  const { in: input, out, interrupt } = plan.options as GpioToggleOptions;
  const options = topology.devices[plan.device].options as {
    readonly loop: readonly (readonly number[])[];
    readonly stimulus: readonly Stimulus[];
  };
  if (out === undefined) {
    const driven = options.stimulus.some(({ line }) => line === input);
    const edges = interrupt === 'rising' || interrupt === 'falling' || interrupt === 'both';
    if (driven && edges) return [];
    const expected = 'a line with a stimulus and an edge interrupt, or an `out`';
    return [{ field: 'in', message: `nothing here drives line ${input}`, expected }];
  }
  const wired = options.loop.some((pair) => pair.includes(input) && pair.includes(out));
  if (wired && input !== out) return [];
  const expected = 'two lines that are a pair of `loop`';
  return [{ field: 'out', message: `line ${out} is not wired to ${input}`, expected }];
}

export const gpioToggle = defineWorkload({
  type: 'gpioToggle',
  drives: ['gpio'],
  doc: 'Toggles a GPIO line and waits for the interrupt of the line wired to it, or hears a signal.',
  spec: 'virtio 1.4 §5.18',
  options: gpioToggleOptions,
  timing: [],
  check: checkGpioToggle,
  create: (environment: WorkloadEnvironment<GpioToggleOptions, GpioDriver>) =>
    new GpioToggle(environment),
});
