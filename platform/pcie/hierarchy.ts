// What lies between a root complex and the slots of its cards: a root port, and the ports of switches, each
// with configuration space. An access is routed by the bus numbers that software has given them, and memory
// is reached through the windows that it has opened.
//
//   bus 0 ─ root port ─ bus 1 ─ upstream ─ bus 2 ┬ downstream 0 ─ bus 3 ─ slot
//                                                └ downstream 1 ─ bus 4 ─ slot
//
// The ports of switches are simulated where the root complex is: an access takes the way there and back.
import { assert } from '../errors.ts';
import type { Component, ComponentId } from '../kernel/index.ts';
import type { CpuClient, Node } from '../node/index.ts';
import type { AccessRunner } from './access-runner.ts';
import { type AddressRange, Bridge, common } from './bridge.ts';
import type { PciePath } from './options.ts';
import type { BusPlace, LoadClient, RegisterPort } from './register-port.ts';
import { scan } from './scan-scripts.ts';
import { type PcieTiming, pcieTimingIds } from './timing.ts';
import { Uplink } from './uplink.ts';

const ANSWERED = 0;
const LOADED = 1;
const WORD = 4;

/** Where a card is, or may be. */
export class Slot {
  readonly port: RegisterPort;
  /** Ports on the way, the root port first. */
  readonly bridges: readonly Bridge[];
  /** Addresses that get there, as the windows on the way are now. */
  window: AddressRange = { start: 0, end: 0 };
  prefetchable: AddressRange = { start: 0, end: 0 };

  constructor(port: RegisterPort, bridges: readonly Bridge[]) {
    this.port = port;
    this.bridges = bridges;
  }

  /** True when an access by a core gets there. */
  claims(address: number): boolean {
    const { window, prefetchable } = this;
    return (
      (address >= window.start && address < window.end) ||
      (address >= prefetchable.start && address < prefetchable.end)
    );
  }
}

export class Hierarchy implements Component, CpuClient {
  /** The link of the root port, if cards share it. */
  readonly uplink: Uplink | null;
  readonly #node: Node;
  readonly #timing: PcieTiming;
  readonly #id: ComponentId;
  readonly #root: Bridge;
  readonly #slots: Slot[] = [];
  /** The scan: not begun, or who waits for its end, or over. */
  #waiting: (() => void)[] | null = null;
  #isScanned = false;
  // The access of each core: a core has one at a time.
  readonly #clients: (LoadClient | null)[];
  readonly #tags: number[] = [];
  readonly #values: Uint8Array[];
  readonly #sizes: number[] = [];
  /** The last port that the access now routed has come to. */
  #reached: Bridge;

  constructor(node: Node, path: PciePath) {
    this.#node = node;
    this.#timing = pcieTimingIds(node.costs);
    this.uplink = path.uplink === null ? null : new Uplink(path);
    const first = { ...path, lanes: path.uplinkLanes };
    this.#root = new Bridge('rootPort', first, { links: 0, switches: 0 });
    this.#reached = this.#root;
    if (path.switches > 0) {
      this.#root.below.push(new Bridge('upstreamPort', first, { links: 1, switches: 0 }));
    }
    this.#clients = new Array<LoadClient | null>(node.cpu.count).fill(null);
    this.#values = Array.from({ length: node.cpu.count }, () => new Uint8Array(WORD));
    this.#id = node.add(this);
  }

  /** Adds the slot of a card: behind the first switch, if there is one, and further switches of its own. */
  addSlot(port: RegisterPort, path: PciePath): Slot {
    assert(!this.#isScanned, 'slots are there before anybody looks for them');
    const bridges = [this.#root];
    for (let passed = 1; passed <= path.switches; passed++) {
      const above = bridges[bridges.length - 1];
      if (passed > 1) {
        above.below.push(new Bridge('upstreamPort', path, { links: passed, switches: passed - 1 }));
      }
      const [upstream] = above.below;
      const downstream = new Bridge('downstreamPort', path, { links: passed, switches: passed });
      upstream.below.push(downstream);
      bridges.push(upstream, downstream);
    }
    const slot = new Slot(port, bridges);
    this.#slots.push(slot);
    return slot;
  }

  /** Calls `done` when all bridges are set up. The first who asks has it done on its own runner. */
  scan(runner: AccessRunner, done: () => void): void {
    if (this.#isScanned) return done();
    if (this.#waiting !== null) {
      this.#waiting.push(done);
      return;
    }
    this.#waiting = [done];
    runner.run(0, scan(), () => {
      this.#isScanned = true;
      for (const waiting of this.#waiting!) waiting();
      this.#waiting = null;
    });
  }

  /** The slot that a bus and device number lead to, or null. */
  slotAt(place: BusPlace): Slot | null {
    const found = this.#route(place);
    return found instanceof Slot ? found : null;
  }

  /** Reads the registers of a port. Called on a core, which waits; all ones are read where nothing is. */
  read(place: BusPlace, client: LoadClient, tag: number): void {
    const found = this.#route(place);
    const isPort = found instanceof Bridge;
    const value = isPort ? found.config.read(place.offset, place.size) : 2 ** 32 - 1;
    this.#answer(value, place.size, client, tag);
  }

  /** Writes a register of a port. Called on a core, which waits. */
  write(place: BusPlace, value: number, client: LoadClient, tag: number): void {
    const found = this.#route(place);
    if (found instanceof Bridge) {
      found.config.write(place.offset, place.size, value);
      for (const slot of this.#slots) openWindows(slot);
    }
    this.#answer(0, 0, client, tag);
  }

  deliver(kind: number, core: number): void {
    if (kind === ANSWERED) {
      const { cpu } = this.#node;
      const cost = this.#node.charge(this.#timing.coreAccess);
      return cpu.resume(core, cost, this, LOADED, core);
    }
    const client = this.#clients[core]!;
    this.#clients[core] = null;
    client.loaded(this.#tags[core], this.#values[core], this.#sizes[core]);
  }

  /** Finds a port or slot by the bus numbers on the way; null where there is nothing. */
  #route({ bus, device }: BusPlace): Bridge | Slot | null {
    this.#reached = this.#root;
    if (bus === 0) return device === 0 ? this.#root : null;
    let at: Bridge | undefined = this.#root;
    while (at !== undefined && bus > at.secondary) {
      at = at.below.find(({ secondary, subordinate }) => secondary <= bus && bus <= subordinate);
      if (at !== undefined) this.#reached = at;
    }
    if (at === undefined || bus !== at.secondary) return null;
    const slot = this.#slots.find(({ bridges }) => bridges[bridges.length - 1] === at);
    if (slot !== undefined) return device === 0 ? slot : null;
    const below = at.below[device];
    if (below === undefined) return null;
    this.#reached = below;
    return below;
  }

  /** The core waits for the way to the last port and back. */
  #answer(value: number, size: number, client: LoadClient, tag: number): void {
    const core = this.#node.cpu.hold();
    this.#clients[core] = client;
    this.#tags[core] = tag;
    this.#sizes[core] = size;
    const bytes = this.#values[core];
    for (let i = 0; i < size; i++) bytes[i] = Math.floor(value / 256 ** i);
    this.#node.kernel.schedule(this.#id, this.#roundTrip(this.#reached), ANSWERED, core);
  }

  #roundTrip({ links, switches }: Bridge): number {
    const node = this.#node;
    const { rootLatency, linkLatency, switchLatency, registerRead } = this.#timing;
    let delay = node.chargeTimes(rootLatency, 2) + node.charge(registerRead);
    if (links > 0) delay += node.chargeTimes(linkLatency, 2 * links);
    if (switches > 0) delay += node.chargeTimes(switchLatency, 2 * switches);
    return delay;
  }
}

/** An address gets to a slot when every port on the way passes it on. */
function openWindows(slot: Slot): void {
  slot.window = slot.bridges.map(({ window }) => window).reduce(common);
  slot.prefetchable = slot.bridges.map(({ prefetchable }) => prefetchable).reduce(common);
}

const hierarchies = new WeakMap<Node, Map<string, Hierarchy>>();

/** The hierarchy that a path is part of: paths of one host that share their uplink share it. */
export function hierarchyOf(host: Node, path: PciePath): Hierarchy {
  if (path.uplink === null) return new Hierarchy(host, path);
  const known = hierarchies.get(host) ?? new Map<string, Hierarchy>();
  hierarchies.set(host, known);
  const hierarchy = known.get(path.uplink) ?? new Hierarchy(host, path);
  known.set(path.uplink, hierarchy);
  return hierarchy;
}
