// The ways in which messages of the device's end move, mirror-wise to driver-carriers.ts.
import type { DmaPort, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { DeviceFifo } from './device-fifo.ts';
import { IndirectChannel } from './indirect-channel.ts';
import { eventsOf, type FfaPlan } from './options.ts';
import type { FfaTiming } from './timing.ts';

export interface DeviceCarriersOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  readonly switchTime: number;
  readonly dma: DmaPort;
  /** Sends a packet that is complete. */
  post(packet: Packet, delay: number): void;
  /** Sets the driver's notification. */
  notify(): void;
  /** A message that came otherwise than by direct call. */
  received(bytes: Uint8Array, length: number): void;
  violation(code: 'EVENT_LOST' | 'TIMEOUT', text: string): void;
}

export class DeviceCarriers {
  readonly #options: DeviceCarriersOptions;
  readonly #indirect: IndirectChannel | null;
  readonly #fifo: DeviceFifo | null;

  constructor(options: DeviceCarriersOptions) {
    this.#options = options;
    const { node, plan, timing, switchTime, dma, post, notify, received } = options;
    const { messages, maxMessageSize } = plan.options;
    const usesIndirect = messages === 'indirect' || eventsOf(plan.options) === 'indirect';
    // A message to the normal world needs no scheduling of a partition; its interrupt does it.
    const scheduleTime = plan.options.mediator === 'spmc' ? timing.spmcRoute : timing.schedule;
    this.#indirect = usesIndirect
      ? new IndirectChannel({
          node,
          timing,
          maxMessageSize,
          depth: plan.options.sendQueueDepth,
          service: null,
          switchTime,
          scheduleTime,
          post,
          received,
        })
      : null;
    const { name } = plan;
    this.#fifo =
      messages === 'fifo' ? new DeviceFifo({ node, name, timing, dma, notify, received }) : null;
  }

  /** Sends a response the way that requests come. */
  respond(bytes: Uint8Array, length: number): void {
    if (this.#fifo !== null) return this.#fifo.send(bytes, length);
    if (this.#indirect!.send(bytes, length)) return;
    this.#options.violation('TIMEOUT', 'a response found too many indirect messages waiting');
  }

  /** Sends an event by itself; false when the driver wants to poll for it. */
  sendEvent(bytes: Uint8Array, length: number): boolean {
    const events = eventsOf(this.#options.plan.options);
    if (events === 'fifo') this.#fifo!.send(bytes, length);
    else if (events === 'indirect') this.#sendIndirectly(bytes, length);
    else return false;
    return true;
  }

  #sendIndirectly(event: Uint8Array, length: number): void {
    if (this.#indirect!.send(event, length)) return;
    this.#options.violation('EVENT_LOST', 'an event found too many indirect messages waiting');
  }

  receive(packet: Packet): void {
    this.#indirect!.receive(packet);
  }

  /** The driver has set our notification. */
  notified(): void {
    this.#fifo?.notified();
  }

  /** Events that were merged with one that waited to be sent. */
  get merged(): number {
    return this.#indirect?.merged ?? 0;
  }

  fifoReady(): void {
    this.#fifo!.configure();
  }

  reset(): void {
    this.#indirect?.clear();
    this.#fifo?.reset();
  }

  /** Nobody handles what has come: the partition has stopped, or the VM that sent it is gone. */
  forget(): void {
    this.#indirect?.forget();
  }

  /** The driver's VM is gone, and its RX buffer with it. */
  peerGone(): void {
    this.#indirect?.peerGone();
  }

  statistics(): Statistics {
    return {
      indirectSent: this.#indirect?.sent ?? 0,
      indirectBusy: this.#indirect?.busy ?? 0,
      indirectRefused: this.#indirect?.refused ?? 0,
      fifoSent: this.#fifo?.sent ?? 0,
      fifoFull: this.#fifo?.full ?? 0,
    };
  }
}
