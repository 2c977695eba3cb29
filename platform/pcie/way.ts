// How the two ends of a path reach each other: over PCI Express links, or, for functions that a device model
// only makes believe, in whatever way its bus has. What takes how long is decided here.
import type { Node } from '../node/index.ts';
import { Direction, type SharedWire } from './direction.ts';
import type { Lane } from './lane.ts';
import type { PciePath } from './options.ts';
import { pcieTimingIds } from './timing.ts';

/** No constant: it takes no time. */
export const NO_TIME = -1;

/** From the host. */
export interface HostWay {
  /** What cores ask and store, and the answers to DMA. */
  readonly registers: Lane;
  readonly data: Lane;
  /** A store stalls its core until it has been served, as a trap does. */
  readonly storesTrap: boolean;
  /** Constants, or NO_TIME: reading host memory, and getting an interrupt to a core. */
  readonly memoryRead: number;
  readonly delivery: number;
}

/** From the card. */
export interface CardWay {
  /** Answers to cores, DMA, and interrupts. */
  readonly answers: Lane;
  readonly data: Lane;
  readonly signals: Lane;
  /** Constant: serving a core's access, by the registers themselves or by a core of the card. */
  readonly serve: number;
  readonly servedByCore: boolean;
}

/** The host's way over links, of which cards may share the first. */
export function hostWay(node: Node, path: PciePath, uplink: SharedWire | null): HostWay {
  const timing = pcieTimingIds(node.costs);
  const lane = new Direction(node, path, timing, uplink);
  const { memoryRead, msiDelivery: delivery } = timing;
  return { registers: lane, data: lane, storesTrap: false, memoryRead, delivery };
}

/** The card's way over links. */
export function cardWay(node: Node, path: PciePath): CardWay {
  const timing = pcieTimingIds(node.costs);
  const lane = new Direction(node, path, timing);
  const serve = timing.registerRead;
  return { answers: lane, data: lane, signals: lane, serve, servedByCore: false };
}

/** Charges a constant, or nothing. */
export function chargeIf(node: Node, constant: number): number {
  return constant === NO_TIME ? 0 : node.charge(constant);
}
