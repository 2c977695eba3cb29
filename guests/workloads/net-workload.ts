// What the network workloads share: phases, counting, latencies, the result, and whom they talk to.

import { z } from 'zod';
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
import { assert } from '../../platform/errors.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import {
  IPV4_HEADER,
  IPV6_HEADER,
  type IpAddress,
  type IpVersion,
  ipOf,
  ipVersion,
  parseIp,
  parseMac,
} from '../../platform/network/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { LatencyRecorder, type LatencySummary } from '../../platform/observe/index.ts';
import type { NetClient, NetDriver, NetStack, NetStatistics, Station } from '../net/index.ts';
import { type PhaseEffect, type PhaseEvent, phaseChart } from './phase-chart.ts';
import { type Goal, shareDone } from './progress.ts';

/** The version of IP to use; an address in `to` says it as well. */
export const ipOption = {
  ip: z
    .literal([4, 6])
    .optional()
    .describe('Version of IP, by default that of the address, or 4; for 6, cards need `ipv6`.'),
};

/** Bytes of the header of each version. */
export const IP_HEADER = { 4: IPV4_HEADER, 6: IPV6_HEADER } as const;

/** What a scenario says of whom a workload talks to. */
export interface PeerOptions {
  readonly to: string;
  readonly ip?: IpVersion | undefined;
}

/** Whom a workload talks to: an address, or only a MAC address. */
export type Peer = { readonly address: IpAddress } | { readonly mac: number };

/** Finds whom a text names: a network device, an IP address or a MAC address; null for nobody. */
function findPeer(options: PeerOptions, devices: readonly DevicePlan[]): Peer | null {
  const { to } = options;
  const address = parseIp(to);
  if (address !== null) return { address };
  const mac = parseMac(to);
  if (mac !== null) return { mac };
  const device = devices.find(({ name, type }) => name === to && type === 'net');
  return device === undefined ? null : { address: ipOf(device, versionFor(options)) };
}

/** The version of IP that a workload uses. */
export function versionFor({ to, ip }: PeerOptions): IpVersion {
  const address = parseIp(to);
  return address === null ? (ip ?? 4) : ipVersion(address);
}

/** Objects to a peer that there is not, or that can't be talked to with IP packets of `packet` bytes. */
export function checkPeer(plan: WorkloadPlan, topology: Topology, packet: number): Finding[] {
  const { devices } = topology;
  const options = plan.options as unknown as PeerOptions;
  const { to, ip } = options;
  if (findPeer(options, devices) === null) {
    const message = `there is no network device '${to}'`;
    return [{ field: 'to', message, expected: 'a device of type net, or an address' }];
  }
  const version = versionFor(options);
  if (ip !== undefined && ip !== version) {
    const message = `'${to}' is an address of IPv${version}`;
    return [{ field: 'ip', message, expected: `${version}, or another address` }];
  }
  const own = devices[plan.device];
  const ends = [own, ...devices.filter(({ name }) => name === to)];
  const old = ends.find(({ options: { ipv6 } }) => version === 6 && ipv6 !== true);
  if (old !== undefined) {
    const message = `the guest of '${old.name}' has no IPv6 address`;
    return [{ field: ip === 6 ? 'ip' : 'to', message, expected: `'${old.name}' with ipv6: true` }];
  }
  const small = ends.find(({ options: { mtu } }) => packet > Number(mtu));
  if (small === undefined) return [];
  const message = `a packet of ${packet} bytes is more than the MTU of '${small.name}'`;
  return [{ field: 'size', message, expected: `an MTU of ${packet} or a smaller size` }];
}

export abstract class NetWorkload implements Workload, NetClient, Component {
  done = false;
  protected readonly node: Node;
  protected readonly name: string;
  protected readonly stack: NetStack;
  protected readonly peer: Station;
  /** Only the peer's MAC address is known, and it answers nothing. */
  protected readonly nameless: boolean;
  protected readonly id: ComponentId;
  protected requests = 0;
  protected errors = 0;
  protected bytes = 0;
  protected verified = 0;
  protected failure: string | null = null;
  protected started = 0;
  protected ended = 0;
  readonly #latency = new LatencyRecorder();
  readonly #driver: NetDriver;
  /** What device and driver have counted, once nothing more is waited for. */
  #statistics: NetStatistics | null = null;
  #asking = false;
  readonly #chart: Chart<unknown, PhaseEvent>;
  readonly #finished: () => void;

  constructor(environment: WorkloadEnvironment<PeerOptions, NetDriver>, duration: number) {
    const { node, plan, driver, devices, finished } = environment;
    this.node = node;
    this.name = plan.name;
    this.#driver = driver;
    this.stack = driver.stack;
    this.#finished = finished;
    const peer = findPeer(plan.options, devices);
    assert(peer !== null, `${plan.name} has a peer`);
    this.nameless = 'mac' in peer;
    this.peer =
      'mac' in peer
        ? driver.stack.stationAt(peer.mac, versionFor(plan.options))
        : driver.stack.station(peer.address);
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
    // Nobody answers what was asked before a reset.
    if (this.#asking) this.#ask();
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
    const extra = { ...this.extra(), ...this.#counted() };
    return { requests, errors, bytes, verified, latency, elapsedPs, failure, extra };
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
    if (this.#driver.hasStatistics) this.#ask();
    else this.#chart.send({ type: 'DRAINED' });
  }

  #ask(): void {
    this.#asking = true;
    this.#driver.fetchStatistics((statistics) => {
      this.#asking = false;
      this.#statistics = statistics;
      this.#chart.send({ type: 'DRAINED' });
    });
  }

  #counted(): Statistics {
    if (this.#statistics === null) return {};
    const { device, driver } = this.#statistics;
    return {
      deviceSent: device.sent,
      deviceReceived: device.received,
      driverSent: driver.sent,
      driverReceived: driver.received,
    };
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
