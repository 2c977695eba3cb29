// One simulated machine: a VM, a partition, a host, a card or a microcontroller. It owns its memory,
// CPUs, interrupt lines, random streams and charts, and shares none of them with another node.
import type { NodePlan } from '../contracts/index.ts';
import {
  type Component,
  type ComponentId,
  type Kernel,
  type RandomStream,
  randomStream,
} from '../kernel/index.ts';
import { type ChartHost, createChartHost, type EngineName } from '../machine/index.ts';
import type { Costs } from '../timing/index.ts';
import { CpuSet } from './cpu.ts';
import { Memory } from './memory.ts';
import type { MilestoneLog } from './milestones.ts';
import { Restarts } from './restarts.ts';
import { ViolationLog } from './violation-log.ts';

/** Ids of the platform's own timing constants, looked up once per node. */
export interface NodeTiming {
  readonly irqEntry: number;
  readonly workSwitch: number;
  readonly messageEncode: number;
  readonly messageHandle: number;
  readonly ringAdd: number;
  readonly ringReap: number;
  readonly submit: number;
  readonly complete: number;
  readonly deviceStep: number;
  readonly statusPoll: number;
  readonly copyRate: number;
  readonly lineLatency: number;
  readonly memoryBandwidth: number;
}

export interface NodeOptions {
  readonly plan: NodePlan;
  readonly kernel: Kernel;
  readonly costs: Costs;
  readonly seed: number;
  readonly engine: EngineName;
}

export class Node {
  readonly index: number;
  readonly name: string;
  readonly plan: NodePlan;
  readonly kernel: Kernel;
  readonly costs: Costs;
  readonly timing: NodeTiming;
  readonly memory: Memory;
  readonly cpu: CpuSet;
  readonly charts: ChartHost;
  readonly violations: ViolationLog;
  readonly restarts: Restarts;
  /** Set while request anatomy is recorded. */
  milestones: MilestoneLog | null = null;
  /** Interrupts taken by this node's cores. */
  interrupts = 0;
  readonly #seed: number;

  constructor({ plan, kernel, costs, seed, engine }: NodeOptions) {
    this.index = plan.index;
    this.name = plan.name;
    this.plan = plan;
    this.kernel = kernel;
    this.costs = costs;
    this.#seed = seed;
    this.timing = nodeTiming(costs);
    this.memory = new Memory(plan.memory, ownerText(plan));
    this.cpu = new CpuSet(kernel, plan.index, plan.cpus);
    this.charts = createChartHost({ kernel, node: plan.index, nodeName: plan.name, engine });
    this.violations = new ViolationLog(kernel, plan.index, plan.name);
    this.restarts = new Restarts(kernel, plan);
    this.memory.refused = ({ address, length, write, reason }) => {
      const what = `${write ? 'write' : 'read'} of ${length} bytes at 0x${address.toString(16)}`;
      this.violations.report('ACCESS_FAULT', `${what} refused: ${reason}`);
    };
  }

  /** Adds a component of this node; events for it come in through `deliver` and `receive`. */
  add(component: Component): ComponentId {
    return this.kernel.add(this.index, component);
  }

  /** Charges a timing constant and returns its ps. Part of the next scheduled event's delay. */
  charge(constant: number): number {
    const ps = this.costs.time(constant);
    if (this.kernel.causes !== null) this.kernel.causes.note(constant, ps);
    return ps;
  }

  /** Charges a timing constant `count` times. Part of the next scheduled event's delay. */
  chargeTimes(constant: number, count: number): number {
    const ps = this.costs.times(constant, count);
    if (this.kernel.causes !== null) this.kernel.causes.note(constant, ps);
    return ps;
  }

  /** Charges the time `bytes` take at a rate constant. Part of the next event's delay. */
  chargeBytes(constant: number, bytes: number): number {
    const ps = this.costs.transfer(constant, bytes);
    if (this.kernel.causes !== null) this.kernel.causes.note(constant, ps);
    return ps;
  }

  /** Notes that the next scheduled event's delay contains `ps` of waiting (see labels.ts). */
  noteWait(label: number, ps: number): void {
    if (this.kernel.causes !== null) this.kernel.causes.note(label, ps);
  }

  /** The random stream of this name; the scenario's seed and the name decide its draws. */
  random(name: string): RandomStream {
    return randomStream(this.#seed, name);
  }
}

function ownerText({ name, place }: NodePlan): string {
  const node = `node '${name}'`;
  return place === undefined ? node : `${place.file}:${place.line}:${place.column}: ${node}`;
}

function nodeTiming(costs: Costs): NodeTiming {
  return {
    irqEntry: costs.idOf('cpu.irqEntry'),
    workSwitch: costs.idOf('cpu.workSwitch'),
    messageEncode: costs.idOf('cpu.messageEncode'),
    messageHandle: costs.idOf('cpu.messageHandle'),
    ringAdd: costs.idOf('cpu.ringAdd'),
    ringReap: costs.idOf('cpu.ringReap'),
    submit: costs.idOf('cpu.submit'),
    complete: costs.idOf('cpu.complete'),
    deviceStep: costs.idOf('cpu.deviceStep'),
    statusPoll: costs.idOf('cpu.statusPoll'),
    copyRate: costs.idOf('cpu.copyRate'),
    lineLatency: costs.idOf('memory.lineLatency'),
    memoryBandwidth: costs.idOf('memory.bandwidth'),
  };
}
