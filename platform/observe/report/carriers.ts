// The report's sections on what carries messages and frames: buses and networks.
import type { Statistics, Topology } from '../../contracts/index.ts';
import type { BusOutcome, GroupOutcome, NetworkOutcome, NodeOutcome } from '../../hosts/index.ts';
import type { LatencySummary } from '../latency.ts';
import { mergeLatencies } from './merge-latencies.ts';
import { type PerRequest, perRequest } from './per-request.ts';
import { byName, grouped, ratio, total } from './sums.ts';

export interface BusReport {
  readonly type: string;
  /** What of it is in no draft of virtio-msg. */
  readonly beyondDrafts: readonly string[];
  readonly messages: number;
  readonly bytes: number;
  /** Share of the simulated time in which the busier direction of the data path moved bytes. */
  readonly utilisation: number;
  /** Counters of each end; those of messages are under the message's name. */
  readonly driver: Statistics;
  readonly device: Statistics;
  /** What a request costs here; null when there was none. */
  readonly perRequest: PerRequest | null;
}

export interface NetworkReport {
  readonly type: string;
  /** Frames that all senders put on their cables, and their bytes. */
  readonly frames: number;
  readonly bytes: number;
  /** Frames that found no room to wait, and frames that a cable lost. */
  readonly dropped: number;
  readonly lost: number;
  /** Share of the simulated time in which the busiest direction of a cable moved bits. */
  readonly utilisation: number;
  /** Counters of the switch; empty for a wire. */
  readonly switch: Statistics;
  /** By device: what the device has sent, and what the switch has sent to it. */
  readonly devices: Readonly<Record<string, Statistics>>;
  readonly ports: Readonly<Record<string, Statistics>>;
}

/** What the sections are made from. */
export interface CarrierFacts {
  readonly groups: readonly GroupOutcome[];
  readonly simulatedPs: number;
}

/** Requests of one workload, as far as buses are concerned. */
export interface BusUse {
  readonly device: string;
  readonly requests: number;
  readonly latency: LatencySummary;
}

export function busReports(
  topology: Topology,
  facts: CarrierFacts,
  { workloads, nodes }: { workloads: readonly BusUse[]; nodes: readonly NodeOutcome[] },
): Record<string, BusReport> {
  const busOf = new Map(topology.devices.map(({ name, bus }) => [name, bus]));
  const users = grouped(workloads, ({ device }) => busOf.get(device)!);
  const ends = grouped(
    facts.groups.flatMap((group) => group.buses),
    ({ bus }) => bus,
  );
  return byName(topology.buses, ({ index, type, beyondDrafts }) => {
    const own = ends.get(index) ?? [];
    const count = (name: string) => own.map(({ statistics }) => statistics[name] ?? 0);
    const using = users.get(index) ?? [];
    const driver = endOf(own, 'driver');
    const device = endOf(own, 'device');
    const messages = total(count('messages'));
    return {
      type,
      beyondDrafts,
      messages,
      bytes: total(count('bytes')),
      utilisation: ratio(Math.max(0, ...count('linkBusyPs')), facts.simulatedPs),
      driver,
      device,
      perRequest: perRequest({
        topology,
        bus: index,
        requests: total(using.map(({ requests }) => requests)),
        latency: mergeLatencies(using).mean,
        messages,
        calls: total(own.map(({ calls }) => calls)),
        driver,
        device,
        nodes,
      }),
    };
  });
}

export function networkReports(
  topology: Topology,
  facts: CarrierFacts,
): Record<string, NetworkReport> {
  const parts = grouped(
    facts.groups.flatMap((group) => group.networks),
    ({ network }) => network,
  );
  return byName(topology.networks, ({ index, type }) => {
    const own = parts.get(index) ?? [];
    const senders = own.filter(({ part }) => part !== 'switch');
    const count = (name: string) => senders.map(({ statistics }) => statistics[name] ?? 0);
    const byDevice = (wanted: NetworkOutcome['part']) =>
      Object.fromEntries(
        own
          .filter(({ part }) => part === wanted)
          .sort((a, b) => a.device! - b.device!)
          .map(({ device, statistics }) => [topology.devices[device!].name, statistics]),
      );
    return {
      type,
      frames: total(count('frames')),
      bytes: total(count('bytes')),
      dropped: total(count('dropped')),
      lost: total(count('lost')),
      utilisation: ratio(Math.max(0, ...count('busyPs')), facts.simulatedPs),
      switch: own.find(({ part }) => part === 'switch')?.statistics ?? {},
      devices: byDevice('device'),
      ports: byDevice('switchPort'),
    };
  });
}

function endOf(ends: readonly BusOutcome[], side: BusOutcome['side']): Statistics {
  return ends.find((end) => end.side === side)?.statistics ?? {};
}
