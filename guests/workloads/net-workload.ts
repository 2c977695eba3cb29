// What the network workloads share: phases, counting, latencies, the result, and whom they talk to.
import type {
  DevicePlan,
  Finding,
  Statistics,
  Topology,
  Workload,
  WorkloadEnvironment,
  WorkloadPlan,
  WorkloadResult,
} from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { ipv4Of, parseIpv4, parseMac } from '../../platform/network/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { LatencyRecorder, type LatencySummary } from '../../platform/observe/index.ts';
import type { NetClient, NetDriver, NetStack } from '../net/index.ts';
import { type PhaseEffect, type PhaseEvent, phaseChart } from './phase-chart.ts';
import { type Goal, shareDone } from './progress.ts';

/** Whom a workload talks to. */
export interface Peer {
  /** IPv4 address; 0 when only the MAC address is known. */
  readonly address: number;
  /** MAC address, or -1 to ask for it. */
  readonly mac: number;
}

/** Finds whom a text names: a network device, an IPv4 address or a MAC address; null for nobody. */
export function findPeer(to: string, devices: readonly DevicePlan[]): Peer | null {
  const address = parseIpv4(to);
  if (address !== null) return { address, mac: -1 };
  const mac = parseMac(to);
  if (mac !== null) return { address: 0, mac };
  const device = devices.find(({ name, type }) => name === to && type === 'net');
  return device === undefined ? null : { address: ipv4Of(device), mac: -1 };
}

/** Objects to a peer that there is not, or whose MTU is less than an IP packet of `packet` bytes. */
export function checkPeer(plan: WorkloadPlan, topology: Topology, packet: number): Finding[] {
  const { devices } = topology;
  const to = String(plan.options.to);
  if (findPeer(to, devices) === null) {
    const message = `there is no network device '${to}'`;
    return [{ field: 'to', message, expected: 'a device of type net, or an address' }];
  }
  const own = devices[plan.device];
  const ends = [own, ...devices.filter(({ name }) => name === to)];
  const small = ends.find(({ options }) => packet > Number(options.mtu));
  if (small === undefined) return [];
  const message = `a packet of ${packet} bytes is more than the MTU of '${small.name}'`;
  return [{ field: 'size', message, expected: `an MTU of ${packet} or a smaller size` }];
}

export abstract class NetWorkload implements Workload, NetClient, Component {
  done = false;
  protected readonly node: Node;
  protected readonly name: string;
  protected readonly stack: NetStack;
  protected readonly peer: Peer;
  protected readonly id: ComponentId;
  protected requests = 0;
  protected errors = 0;
  protected bytes = 0;
  protected verified = 0;
  protected failure: string | null = null;
  protected started = 0;
  protected ended = 0;
  readonly #latency = new LatencyRecorder();
  readonly #chart: Chart<unknown, PhaseEvent>;
  readonly #finished: () => void;

  constructor(
    environment: WorkloadEnvironment<{ readonly to: string }, NetDriver>,
    duration: number,
  ) {
    const { node, plan, driver, devices, finished } = environment;
    this.node = node;
    this.name = plan.name;
    this.stack = driver.stack;
    this.#finished = finished;
    this.peer = findPeer(plan.options.to, devices) ?? { address: 0, mac: -1 };
    this.id = node.add(this);
    driver.attach(this);
    this.#chart = node.charts.start(phaseChart, {
      name: `${plan.name}.phase`,
      input: { duration },
      perform: (effect: PhaseEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** The network is there for the first time. */
  protected abstract begin(): void;
  /** Time passed that the workload has asked for. */
  abstract deliver(kind: number, a: number): void;

  netReady(): void {
    this.#chart.send({ type: 'READY' });
  }

  netDown(reason: string): void {
    if (!this.done) this.failure = reason;
    this.#chart.send({ type: 'DOWN' });
  }

  /** What it means to do. */
  protected abstract goal(): Omit<Goal, 'elapsed'>;

  progress(): number | null {
    const waiting = this.#chart.matches('waiting');
    const elapsed = waiting ? 0 : this.node.kernel.now - this.started;
    return shareDone({ ...this.goal(), elapsed });
  }

  /** Figures that only this type has. */
  protected abstract extra(): Statistics;

  result(): WorkloadResult {
    const { requests, errors, bytes, verified, failure } = this;
    const elapsedPs = this.ended - this.started;
    const latency = this.latencies();
    return { requests, errors, bytes, verified, latency, elapsedPs, failure, extra: this.extra() };
  }

  protected latencies(): LatencySummary {
    return this.#latency.summary();
  }

  /** True while more is to be sent. */
  protected get running(): boolean {
    return this.#chart.matches('running');
  }

  /** Counts a request that is over. */
  protected over(latency: number, bytes: number): void {
    this.requests++;
    this.bytes += bytes;
    this.ended = this.node.kernel.now;
    this.#latency.record(latency);
  }

  /** Nothing more is sent. */
  protected enough(): void {
    this.#chart.send({ type: 'ENOUGH' });
  }

  /** Nothing more is waited for. */
  protected drained(): void {
    this.#chart.send({ type: 'DRAINED' });
  }

  #perform(effect: PhaseEffect): void {
    if (effect.type === 'begin') {
      this.started = this.node.kernel.now;
      this.ended = this.started;
      this.begin();
    } else if (!this.done) {
      this.done = true;
      this.#finished();
    }
  }
}
