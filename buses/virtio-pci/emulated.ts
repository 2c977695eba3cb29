// Functions that a device model in the host makes believe for a VM: accesses to registers trap, interrupts
// are injected, and the model reaches the VM's memory as it is. No link is crossed.
import type { Node } from '../../platform/node/index.ts';
import {
  type CardWay,
  type HostWay,
  type Lane,
  NO_TIME,
  type PciePath,
  type TlpTally,
} from '../../platform/pcie/index.ts';
import { coherentLink, type OrderedLink } from '../common/index.ts';
import { mmioTimingIds } from '../virtio-mmio/index.ts';

/** Nothing cuts an access up, and nothing bounds how many there are; memory may move whole lines. */
export function emulatedPath(node: Node, path: PciePath): PciePath {
  const credit = { posted: null, requests: null };
  const line = node.costs.value(node.costs.idOf('memory.line'));
  return { ...path, maxReadRequest: 2 ** 30, tags: 2 ** 20, credit, uplink: null, line };
}

/** The way of all that is stored in memory, beside that of registers and messages. */
interface Memory {
  readonly memory: OrderedLink;
}

/** The VM's way to the device model. */
export function emulatedHostWay(node: Node): HostWay & Memory {
  const { exit, wake } = mmioTimingIds(node.costs);
  const memory = coherentLink(node);
  return {
    memory,
    // What is answered leaves the VM; what is not, is an ioeventfd that wakes a thread.
    registers: new Crossing(node, { answered: exit, posted: wake, behind: memory }),
    data: new MemoryLane(memory),
    storesTrap: true,
    memoryRead: NO_TIME,
    delivery: NO_TIME,
  };
}

/** The device model's way to the VM. Neither answers nor interrupts overtake writes of memory. */
export function emulatedCardWay(node: Node): CardWay & Memory {
  const { exit, inject, emulate } = mmioTimingIds(node.costs);
  const memory = coherentLink(node);
  return {
    memory,
    answers: new Crossing(node, { answered: exit, posted: exit, behind: memory }),
    data: new MemoryLane(memory),
    signals: new Crossing(node, { answered: inject, posted: inject, behind: memory }),
    serve: emulate,
    servedByCore: true,
  };
}

interface Crossings {
  /** Constants. */
  readonly answered: number;
  readonly posted: number;
  readonly behind: OrderedLink;
}

/** Between VM and device model, at a fixed cost. */
class Crossing implements Lane {
  readonly requestCredit = null;
  tlps = 0;
  readonly bytes = 0;
  readonly busy = 0;
  readonly #node: Node;
  readonly #crossings: Crossings;

  constructor(node: Node, crossings: Crossings) {
    this.#node = node;
    this.#crossings = crossings;
  }

  send(): number {
    return this.#cross(this.#crossings.answered);
  }

  post(): number {
    return this.#cross(this.#crossings.posted);
  }

  request(): number {
    return this.send();
  }

  #cross(constant: number): number {
    this.tlps++;
    const delay = this.#node.charge(constant);
    return delay + this.#crossings.behind.orderingDelay(delay);
  }
}

/** Memory that both sides see. */
class MemoryLane implements Lane {
  readonly requestCredit = null;
  tlps = 0;
  readonly #link: OrderedLink;

  constructor(link: OrderedLink) {
    this.#link = link;
  }

  get bytes(): number {
    return this.#link.bytes;
  }

  get busy(): number {
    return this.#link.busy;
  }

  send({ moved }: TlpTally): number {
    this.tlps++;
    return this.#link.arrivalDelay(moved);
  }

  post(packets: TlpTally): number {
    return this.send(packets);
  }

  request(packets: TlpTally): number {
    return this.send(packets);
  }
}
