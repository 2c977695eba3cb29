// A network with stations on it, for tests of switches and cables: each station sends frames and keeps
// those that arrive, with their instants.
import type { NetworkPlan, NodePlan } from '../../platform/contracts/index.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { EthernetSwitch, NetworkPort, writeMac } from '../../platform/network/index.ts';
import { Node } from '../../platform/node/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import { topologyOf } from './scenarios.ts';

export interface Arrival {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface Station {
  readonly port: NetworkPort;
  readonly node: Node;
  readonly arrivals: Arrival[];
  /** ps until the frame's last bit has left. */
  send(frame: Uint8Array): number;
}

export interface TestNetworkOptions {
  readonly stations: number;
  readonly type?: NetworkPlan['type'];
  /** Bytes/s. */
  readonly rate?: number;
  /** ps. */
  readonly latency?: number;
  readonly buffer?: number;
  readonly lossPerMillion?: number;
  readonly seed?: number;
}

export interface TestNetwork {
  readonly kernel: Kernel;
  readonly plan: NetworkPlan;
  readonly ethernet: EthernetSwitch | null;
  readonly stations: readonly Station[];
  /** Runs until nothing is left to happen. */
  run(): void;
}

/** Makes a network; station i is alone on node i. */
export function testNetwork(options: TestNetworkOptions): TestNetwork {
  const { stations: count, type = 'switch', seed = 1 } = options;
  const { rate = 125_000_000, latency = 1_000_000, buffer = 1e9, lossPerMillion = 0 } = options;
  const kernel = new Kernel(count + 1);
  const node = type === 'switch' ? count : null;
  const ends = Array.from({ length: count }, (_, index) => ({ node: index, port: 0 }));
  const links = ends.map((near, device) => ({
    device,
    name: `station${device}`,
    near,
    far: node === null ? ends[1 - device] : { node, port: device },
  }));
  const plan: NetworkPlan = {
    ...{ index: 0, name: 'lan0', type, rate, latency, buffer, lossPerMillion },
    ...{ node, links },
  };
  const nodes = Array.from({ length: count + 1 }, (_, index) => makeNode(kernel, index, seed));
  const ethernet = node === null ? null : new EthernetSwitch(nodes[node], plan);
  const stations = links.map((link, index) => station(nodes[index], plan, link));
  return { kernel, plan, ethernet, stations, run: () => kernel.runUntil(Infinity) };
}

/** A frame of `length` bytes, the rest of it counting up from `mark`. */
export function testFrame(to: number, from: number, length = 64, mark = 0): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, i) => i + mark);
  writeMac(frame, 0, to);
  writeMac(frame, 6, from);
  return frame;
}

function makeNode(kernel: Kernel, index: number, seed: number): Node {
  const plan: NodePlan = {
    ...{ index, name: `node${index}`, kind: 'host', world: 'normal', cpus: 1 },
    ...{ memory: 65_536, placement: null },
  };
  const costs = new Costs(topologyOf().profile);
  return new Node({ plan, kernel, costs, seed, engine: 'compiled' });
}

function station(node: Node, network: NetworkPlan, link: NetworkPlan['links'][number]): Station {
  const arrivals: Arrival[] = [];
  const port = new NetworkPort(node, { network, link }, (bytes, length) => {
    arrivals.push({ at: node.kernel.now, bytes: bytes.slice(0, length) });
  });
  return { port, node, arrivals, send: (frame) => port.cable.send(frame, 0, frame.length) };
}
