// A learning Ethernet switch, on a node of its own: store and forward, one queue with a drop-tail
// buffer at each port. It floods what it cannot place. It knows nothing of VLANs and of loops.
import type { NetworkPlan, Statistics } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import { type Component, type Packet, PS_PER_S } from '../kernel/index.ts';
import type { Node } from '../node/index.ts';
import { Cable } from './cable.ts';
import { ETHER, ETHERNET_HEADER, isGroupMac, readMac } from './ethernet.ts';

/** Addresses that the switch remembers at the most, and for how long after their last frame. */
export const MAC_TABLE_MAX = 8192;
export const MAC_AGE_MAX = 300 * PS_PER_S;

interface Learned {
  port: number;
  seen: number;
}

export class EthernetSwitch {
  readonly #node: Node;
  readonly #cables: readonly Cable[];
  readonly #table = new Map<number, Learned>();
  #received = 0;
  #forwarded = 0;
  #flooded = 0;
  #filtered = 0;

  constructor(node: Node, network: NetworkPlan) {
    this.#node = node;
    const { buffer, name } = network;
    this.#cables = network.links.map((link, index) => {
      const port = node.add(new SwitchPort((packet) => this.#forward(index, packet)));
      node.kernel.bindPort(index, port);
      const random = node.random(`network/${name}/to ${link.name}`);
      return new Cable({ node, network, buffer, far: link.near, random });
    });
  }

  /** Counters of the whole switch; those of a port are with `cable`. */
  statistics(): Statistics {
    return {
      received: this.#received,
      forwarded: this.#forwarded,
      flooded: this.#flooded,
      filtered: this.#filtered,
      addresses: this.#table.size,
    };
  }

  /** The way out of a port. */
  cable(port: number): Cable {
    return this.#cables[port];
  }

  #forward(from: number, { bytes, length }: Packet): void {
    this.#received++;
    if (length < ETHERNET_HEADER) {
      this.#filtered++;
      return;
    }
    const source = readMac(bytes, ETHER.source);
    if (!isGroupMac(source)) this.#learn(source, from);
    const destination = readMac(bytes, ETHER.destination);
    const to = isGroupMac(destination) ? -1 : this.#find(destination);
    if (to === from) {
      // Both ends are behind the same port.
      this.#filtered++;
    } else if (to >= 0) {
      this.#forwarded++;
      this.#cables[to].send(bytes, 0, length);
    } else {
      this.#flooded++;
      for (let port = 0; port < this.#cables.length; port++) {
        if (port !== from) this.#cables[port].send(bytes, 0, length);
      }
    }
  }

  #learn(mac: number, port: number): void {
    const { now } = this.#node.kernel;
    const known = this.#table.get(mac);
    if (known !== undefined) {
      known.port = port;
      known.seen = now;
      return;
    }
    if (this.#table.size >= MAC_TABLE_MAX) this.#forgetOld();
    if (this.#table.size < MAC_TABLE_MAX) this.#table.set(mac, { port, seen: now });
  }

  /** The port of an address, or -1. */
  #find(mac: number): number {
    const known = this.#table.get(mac);
    if (known === undefined) return -1;
    if (this.#node.kernel.now - known.seen <= MAC_AGE_MAX) return known.port;
    this.#table.delete(mac);
    return -1;
  }

  #forgetOld(): void {
    const oldest = this.#node.kernel.now - MAC_AGE_MAX;
    for (const [mac, { seen }] of this.#table) if (seen < oldest) this.#table.delete(mac);
  }
}

/** Where the frames of one cable arrive. */
class SwitchPort implements Component {
  readonly #arrived: (packet: Packet) => void;

  constructor(arrived: (packet: Packet) => void) {
    this.#arrived = arrived;
  }

  receive(packet: Packet): void {
    this.#arrived(packet);
  }

  deliver(): void {
    assert(false, 'a switch port has no events but packets');
  }
}
