// A workload on a memory balloon: it watches the driver follow the device's target, compares what the
// device believes with what the driver gave, and may want memory itself while the balloon is large.
import { z } from 'zod';
import type { WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { RunError } from '../../platform/errors.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import type { BalloonClient, BalloonDriver } from '../balloon/index.ts';
import { defineWorkload } from '../common/index.ts';
import { WorkloadBase } from './workload-base.ts';

const balloonCycleOptions = z.strictObject({
  demand: z
    .array(z.strictObject({ at: time(), size: size({ min: 1 }), hold: time({ min: 1 }) }))
    .default([])
    .describe('Memory that programs of the node want, from when on, and for how long.'),
  verify: z
    .boolean()
    .default(true)
    .describe('Compare the sizes that device and driver know of, whenever they should be equal.'),
});

type BalloonCycleOptions = z.output<typeof balloonCycleOptions>;

interface Pressure {
  readonly at: number;
  readonly pages: number;
}

/** A program that wants memory. */
interface Program {
  readonly pages: number[];
  readonly wanted: number;
  readonly hold: number;
  since: number;
  waiting: boolean;
}

const DEMAND = 0;
const RELEASE = 1;

class BalloonCycle extends WorkloadBase implements BalloonClient {
  readonly #options: BalloonCycleOptions;
  readonly #driver: BalloonDriver;
  readonly #programs: Program[];
  readonly #timer: number;
  /** Programs that do not have their memory yet. */
  #programsLeft: number;
  /** The last entry of the device's schedule. */
  readonly #last: Pressure;
  #target = -1;
  #changedAt = 0;
  #settled = true;
  /** The request that the base counts next is under way. */
  #waiting = false;

  constructor(environment: WorkloadEnvironment<BalloonCycleOptions, BalloonDriver>) {
    const { node, plan, device, driver, finished } = environment;
    const { options } = plan;
    super({ node, name: plan.name, duration: Infinity, depth: 1, thinkTime: 0, finished });
    this.#options = options;
    this.#driver = driver;
    const pressure = device.options.pressure as readonly Pressure[];
    this.#last = pressure.at(-1) ?? { at: 0, pages: Number(device.options.pages) };
    this.#programsLeft = options.demand.length;
    this.#programs = options.demand.map(({ size: bytes, hold }) => {
      const wanted = Math.ceil(bytes / PAGE_SIZE);
      return { pages: [], wanted, hold, since: 0, waiting: false };
    });
    this.#timer = node.add({ deliver: (kind, index) => this.#due(kind, index) });
    for (const [index, { at }] of options.demand.entries()) {
      node.kernel.schedule(this.#timer, at, DEMAND, index);
    }
    driver.watch(this);
  }

  balloonReady(): void {
    this.ready();
  }

  balloonTarget(pages: number): void {
    if (pages === this.#target) return;
    this.#target = pages;
    this.#changedAt = this.node.kernel.now;
    this.#settled = false;
  }

  balloonSettled(held: number): void {
    if (this.#settled || held !== this.#target) return;
    this.#settled = true;
    if (this.#options.verify) this.#driver.inspect();
    else this.#follow(false);
  }

  balloonInspected(numPages: number, actual: number): void {
    this.verified++;
    const held = this.#driver.held;
    // The device may have changed its mind since; the change is on its way then.
    const wrong = actual !== held || (numPages !== held && numPages === this.#target);
    if (wrong) {
      const text = `the device wants ${numPages} and has ${actual} of ${held} pages`;
      this.node.violations.report('VERIFY', `${this.name}: ${text}`);
    }
    this.#follow(wrong);
  }

  balloonReleased(): void {
    for (const program of this.#programs) if (program.waiting) this.#take(program);
  }

  balloonDown(reason: string): void {
    this.down(reason);
  }

  protected override next(): boolean {
    this.#waiting = this.#programsLeft > 0 || !this.#settled || this.#moreChanges;
    return this.#waiting;
  }

  /** The device's schedule is not at its end, or the driver has not heard of it. */
  get #moreChanges(): boolean {
    return this.node.kernel.now <= this.#last.at || this.#target !== this.#last.pages;
  }

  /** The balloon has followed the target. */
  #follow(failed: boolean): void {
    this.#count(this.node.kernel.now - this.#changedAt, failed, this.#driver.held * PAGE_SIZE);
  }

  #count(latency: number, failed: boolean, bytes: number): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.over(0, latency, failed, bytes);
  }

  #due(kind: number, index: number): void {
    const program = this.#programs[index];
    if (kind === RELEASE) return this.#release(program);
    program.since = this.node.kernel.now;
    this.#take(program);
  }

  /** Takes what memory there is; if that is not enough, the balloon may have some. */
  #take(program: Program): void {
    const { memory, kernel } = this.node;
    program.waiting = false;
    try {
      while (program.pages.length < program.wanted) {
        program.pages.push(memory.allocate(PAGE_SIZE, PAGE_SIZE));
      }
    } catch (error) {
      if (!(error instanceof RunError && error.code === 'MEMORY')) throw error;
      program.waiting = this.#driver.outOfMemory(program.wanted - program.pages.length);
      if (!program.waiting) this.#end(program, true);
      return;
    }
    kernel.schedule(this.#timer, program.hold, RELEASE, this.#programs.indexOf(program));
    this.#end(program, false);
  }

  /** The program has its memory, or is killed for want of it. */
  #end(program: Program, killed: boolean): void {
    const latency = this.node.kernel.now - program.since;
    const bytes = program.wanted * PAGE_SIZE;
    if (killed) this.#release(program);
    this.#programsLeft--;
    this.#count(latency, killed, bytes);
  }

  #release(program: Program): void {
    for (const page of program.pages) this.node.memory.free(page, PAGE_SIZE);
    program.pages.length = 0;
  }
}

export const balloonCycle = defineWorkload({
  type: 'balloonCycle',
  drives: ['balloon'],
  doc: 'Watches a balloon follow its target, verifies its size, and wants memory while it is large.',
  spec: 'virtio 1.4 §5.5',
  options: balloonCycleOptions,
  timing: [],
  create: (environment: WorkloadEnvironment<BalloonCycleOptions, BalloonDriver>) =>
    new BalloonCycle(environment),
});
