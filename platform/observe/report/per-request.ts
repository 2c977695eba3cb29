// What one request costs on each bus: the figures by which carriers are compared. Set-up traffic is in
// the sums, so that a run of few requests shows more than a long one.
import type { Statistics, Topology } from '../../contracts/index.ts';
import type { NodeOutcome } from '../../hosts/index.ts';
import { PS_PER_NS } from '../../kernel/index.ts';

/** Figures of a bus divided by the requests of its devices. */
export interface PerRequest {
  /** Requests that all devices of the bus have completed. */
  readonly requests: number;
  /** Mean latency over them, ns; null where the workload could not measure any. */
  readonly latency: number | null;
  /** virtio-msg messages, both ways. */
  readonly messages: number;
  /** Times that a CPU left its context for the request: calls, traps, notifications, doorbells. */
  readonly calls: number;
  /** Interrupts of the driver's node that this bus raised. */
  readonly interrupts: number;
  /** Bytes on the data path, both ways: rings, headers and data. */
  readonly bytes: number;
  /** CPU time of the driver's and of the device's node, ns; null where a node has other buses, too. */
  readonly driverCpu: number | null;
  readonly deviceCpu: number | null;
}

export interface PerRequestInput {
  readonly topology: Topology;
  readonly bus: number;
  readonly requests: number;
  /** Mean of the requests' latencies, ns; null where there is none. */
  readonly latency: number | null;
  readonly messages: number;
  /** Of both ends. */
  readonly calls: number;
  readonly driver: Statistics;
  readonly device: Statistics;
  readonly nodes: readonly NodeOutcome[];
}

/** The figures of one bus, or null when none of its devices completed a request. */
export function perRequest(input: PerRequestInput): PerRequest | null {
  const { topology, bus, requests, latency, messages, calls, driver, device, nodes } = input;
  if (requests === 0) return null;
  const plan = topology.buses[bus];
  const each = (sum: number) => sum / requests;
  const cpu = (node: number) => {
    const users = topology.buses.filter((b) => b.driver === node || b.device === node).length;
    return users === 1 ? each(nodes[node].cpuBusyPs / PS_PER_NS) : null;
  };
  return {
    requests,
    latency,
    messages: each(messages),
    calls: each(calls),
    interrupts: each(driver['interrupts'] ?? 0),
    bytes: each((driver['bytesToDevice'] ?? 0) + (device['bytesToDriver'] ?? 0)),
    driverCpu: cpu(plan.driver),
    deviceCpu: plan.driver === plan.device ? null : cpu(plan.device),
  };
}
