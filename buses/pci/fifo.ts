// One FIFO as one side uses it: two message rings with their doorbells, and for the self-describing layout
// the handshake that comes before.
import type { Statistics } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  headerSizeOf,
  type LinkClient,
  type RingLayout,
  type RingMemory,
  RingPair,
  spscLayout,
} from '../common/index.ts';
import type { PciOptions, PciPlan } from './options.ts';
import { PeerHandshake } from './peer-handshake.ts';
import { FIFO_SIZE } from './registers.ts';
import { describedRings } from './self-describing.ts';
import { pciTimingIds } from './timing.ts';

export interface FifoOptions {
  readonly node: Node;
  readonly plan: PciPlan;
  readonly side: 'driver' | 'device';
  /** Unique on the node: index, and how often it was made anew. */
  readonly name: string;
  /** Access to the bytes of the FIFO, from offset 0 on; called for each reader. */
  memory(): RingMemory;
  /** Timing constant: what putting a message costs the core besides its making. */
  readonly put: number;
  ringDoorbell(): void;
  frame(bytes: Uint8Array, length: number): void;
  /** True when the peer's head, looked at in passing, says that it has begun anew. */
  peerHasRestarted?(): boolean;
  up(): void;
  down(reason: string): void;
}

/** Driver and device queue of the first generation, one after the other. */
const SPSC_RINGS = {
  driver: spscLayout(0, FIFO_SIZE / 2),
  device: spscLayout(FIFO_SIZE / 2, FIFO_SIZE / 2),
};

/** Messages that a FIFO of either layout holds each way. */
export const FIFO_MESSAGES = SPSC_RINGS.device.capacity;

/** Looks before a peer is given up: Linux, and QEMU. */
const DRIVER_LOOKS_MAX = 300;
const DEVICE_LOOKS_MAX = 1000;

/** FIFOs that count their looks together all look as often: each has its share. */
function looksMax(side: 'driver' | 'device', { quirks, fifos }: PciOptions): number {
  if (side === 'driver') return DRIVER_LOOKS_MAX;
  return quirks.includes('sharedLooks') ? Math.ceil(DEVICE_LOOKS_MAX / fifos) : DEVICE_LOOKS_MAX;
}

export class Fifo {
  readonly #options: FifoOptions;
  readonly #handshake: PeerHandshake | null;
  #rings: RingPair | null = null;
  /** Rings are made anew when the peer was restarted. */
  #generation = 0;
  #stopped = false;

  constructor(options: FifoOptions) {
    this.#options = options;
    const { plan } = options;
    this.#handshake = plan.options.fifoLayout === 'selfDescribing' ? this.#makeHandshake() : null;
  }

  /** Its memory is there. */
  start(): void {
    if (this.#handshake !== null) return this.#handshake.start();
    this.#open(SPSC_RINGS);
  }

  stop(): void {
    this.#stopped = true;
    this.#handshake?.stop();
    this.#rings?.close();
  }

  send(bytes: Uint8Array, length: number): void {
    this.#rings?.send(bytes, length);
  }

  clear(): void {
    this.#rings?.clear();
  }

  /** The peer has rung: an interrupt for a core. */
  rung(): void {
    if (this.#handshake?.isRunning && this.#options.peerHasRestarted?.()) this.#handshake.look();
    this.#rings?.line.raise();
  }

  /** The driver takes a look without having been interrupted. */
  poll(): void {
    this.#rings?.deliver();
  }

  statistics(): Statistics {
    return this.#rings?.statistics() ?? {};
  }

  #makeHandshake(): PeerHandshake {
    const { node, plan, side, name, memory, down, ringDoorbell } = this.#options;
    const { driverHandshake, deviceHandshake } = pciTimingIds(node.costs);
    const constant = side === 'driver' ? driverHandshake : deviceHandshake;
    return new PeerHandshake({
      node,
      name: `${name}.peer`,
      side,
      memory: memory(),
      windowSize: FIFO_SIZE,
      looksMax: looksMax(side, plan.options),
      interval: plan.options.handshakeInterval ?? node.costs.value(constant),
      up: (layout) => this.#open(describedRings(layout)),
      // The device looks at its peer when it is rung.
      announced: () => {
        if (side === 'driver') ringDoorbell();
      },
      restarted: () => {
        this.#rings?.close();
        down('the peer was restarted');
      },
      failed: down,
    });
  }

  #open(layouts: { readonly driver: RingLayout; readonly device: RingLayout }): void {
    if (this.#stopped) return;
    const { node, plan, side, name, put, memory, ringDoorbell, frame, up, down } = this.#options;
    const isDriver = side === 'driver';
    const takesOne = !isDriver && plan.options.quirks.includes('oneMessage');
    const client: LinkClient = { up, down, frame };
    this.#rings = new RingPair({
      node,
      name: `${name}.${this.#generation++}`,
      maxMessageSize: plan.options.maxMessageSize,
      headerSize: headerSizeOf(plan.options),
      client,
      sending: isDriver ? layouts.driver : layouts.device,
      receiving: isDriver ? layouts.device : layouts.driver,
      memory,
      fullRetry: node.costs.value(pciTimingIds(node.costs).fullRetry),
      doorbell: put,
      ringDoorbell,
      ...(takesOne ? { budget: 1, beyondBudget: 'wait' } : {}),
    });
    this.#rings.open();
    up();
  }
}
