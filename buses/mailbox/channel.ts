// What both sides of a mailbox bus have: the two static queues, and a flag of the message unit each way.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { InterruptLine } from '../../platform/node/index.ts';
import {
  headerSizeOf,
  type LinkClient,
  type OrderedLink,
  type RingMemory,
  RingPair,
} from '../common/index.ts';
import { MessageUnit } from './message-unit.ts';
import type { MailboxOptions } from './options.ts';
import { FLAG_CLEAR, FLAG_SET } from './packets.ts';
import { type SharedArea, sharedArea } from './shared-area.ts';

export interface ChannelOptions {
  readonly environment: BusEnvironment<MailboxOptions>;
  readonly side: 'driver' | 'device';
  readonly client: LinkClient;
  /** Carries all that this side sends to the other. */
  readonly path: OrderedLink;
  /** Access to the carve-out for reads of at most so many bytes; offset 0 is its start. */
  memory(readMax: number): RingMemory;
  /** The other side has signalled, whatever for. */
  signalled(): void;
}

export class MailboxChannel {
  readonly area: SharedArea;
  readonly rings: RingPair;
  readonly #options: ChannelOptions;
  readonly #unit: MessageUnit;
  /** The interrupt that says that the own flag was cleared; taken only by who waits for it. */
  readonly #freeLine: InterruptLine;
  readonly #signalDelay: number;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { environment, side, client } = options;
    const { node, plan } = environment;
    const { costs } = node;
    const { perInterrupt, maxMessageSize } = plan.options;
    this.area = sharedArea(plan.options);
    this.#signalDelay = costs.idOf('mailbox.signal');
    this.#unit = new MessageUnit(() => this.#send(FLAG_SET));
    this.#freeLine = new InterruptLine(node, () => this.#unit.sendOwed());
    const sends = side === 'driver';
    const registerWrite = costs.idOf('mailbox.registerWrite');
    this.rings = new RingPair({
      node,
      name: `${plan.name}.${side}`,
      maxMessageSize,
      headerSize: headerSizeOf(plan.options),
      client,
      sending: sends ? this.area.toDevice : this.area.toDriver,
      receiving: sends ? this.area.toDriver : this.area.toDevice,
      memory: () => options.memory(maxMessageSize),
      fullRetry: costs.value(costs.idOf('mailbox.fullRetry')),
      doorbell: registerWrite,
      ringDoorbell: () => this.signal(),
      budget: perInterrupt === 'one' ? 1 : Infinity,
      beyondBudget: 'wait',
      acknowledgement: registerWrite,
      acknowledge: () => this.#acknowledge(),
    });
  }

  /** Signals the other side, now or when it has taken the signal before. */
  signal(): void {
    this.#unit.signal();
  }

  /** Takes a packet of the message unit. Returns false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind === FLAG_SET) {
      this.rings.line.raise();
      return true;
    }
    if (packet.kind !== FLAG_CLEAR) return false;
    if (this.#unit.cleared()) this.#freeLine.raise();
    return true;
  }

  statistics(): Statistics {
    const { path, side } = this.#options;
    return {
      ...this.rings.statistics(),
      signalsWaited: this.#unit.waited,
      ...path.statistics(side),
    };
  }

  #acknowledge(): void {
    this.#send(FLAG_CLEAR);
    this.#options.signalled();
  }

  /** A flag changes after everything that was written before. */
  #send(kind: number): void {
    const { environment, side, path } = this.#options;
    const { node, plan } = environment;
    const packet = node.kernel.packets.acquire(0).label(kind);
    const delay = node.charge(this.#signalDelay);
    const total = delay + path.orderingDelay(delay);
    const toNode = side === 'driver' ? plan.device : plan.driver;
    const toPort = side === 'driver' ? plan.devicePort : plan.driverPort;
    node.kernel.send(node.index, toNode, toPort, total, packet);
  }
}
