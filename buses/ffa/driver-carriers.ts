// The ways in which messages of the driver's end move: direct calls, indirect messages, or FIFOs, which
// are set up by direct calls.
import type { Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { type CallFailure, DirectCaller } from './direct-caller.ts';
import { DriverFifo } from './driver-fifo.ts';
import { IndirectChannel } from './indirect-channel.ts';
import { isControl } from './messages.ts';
import { eventsOf, type FfaPlan } from './options.ts';
import {
  clearNumbers,
  DIRECT_ERROR,
  DIRECT_RESPONSE,
  INDIRECT,
  NOTIFICATION,
  RX_RELEASE,
} from './packets.ts';
import type { Service } from './service.ts';
import type { FfaTiming } from './timing.ts';

const NOTIFY = 0;
const FIFO_SHARED = 1;

/** Why a message could not be delivered. */
export type SendFailure = CallFailure | 'full';

export interface DriverCarriersOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  readonly handles: MemoryHandles;
  /** Constant: one way to the device's end. */
  readonly switchTime: number;
  /** The service that messages are for. */
  readonly service: Service;
  /** Sends a packet that is complete. */
  post(packet: Packet, delay: number): void;
  /** The answer of a direct call, on the core that made it. */
  answered(bytes: Uint8Array, length: number): void;
  /** A message could not be delivered. */
  failed(request: Uint8Array, why: SendFailure): void;
  /** A message that came by itself. */
  received(bytes: Uint8Array, length: number): void;
  /** Sends FIFO_CONFIGURE. */
  announceFifo(handle: number, pageCount: number): void;
}

export class DriverCarriers implements CpuClient {
  readonly direct: DirectCaller;
  readonly #options: DriverCarriersOptions;
  readonly #indirect: IndirectChannel | null;
  readonly #fifo: DriverFifo | null;

  constructor(options: DriverCarriersOptions) {
    this.#options = options;
    const { node, plan, timing, switchTime, service, post, answered, failed, received } = options;
    const { messages, maxMessageSize } = plan.options;
    this.direct = new DirectCaller({
      node,
      switchTime,
      routeTime: timing.spmcRoute,
      toNode: plan.device,
      toPort: plan.devicePort,
      maxMessageSize,
      service,
      answered,
      failed,
    });
    const usesIndirect = messages === 'indirect' || eventsOf(plan.options) === 'indirect';
    const scheduleTime = timing.schedule;
    this.#indirect = usesIndirect
      ? new IndirectChannel({
          node,
          timing,
          maxMessageSize,
          depth: plan.options.sendQueueDepth,
          service,
          switchTime,
          scheduleTime,
          post,
          received,
        })
      : null;
    this.#fifo =
      messages === 'fifo'
        ? new DriverFifo({ node, timing, notify: () => this.#setNotification(), received })
        : null;
  }

  /** Sends the way that the scenario chose; what sets a FIFO up goes by direct call. */
  send(bytes: Uint8Array, length: number): void {
    const { messages } = this.#options.plan.options;
    const control = peekIsBus(bytes) && isControl(peekId(bytes));
    if (messages === 'indirect') {
      if (!this.#indirect!.send(bytes, length)) this.#options.failed(bytes, 'full');
    } else if (messages === 'fifo' && !control) this.#fifo!.send(bytes, length);
    else this.direct.send(bytes, length);
  }

  /** Takes a packet that belongs to a carrier; false for others. */
  receive(packet: Packet): boolean {
    if (packet.kind === DIRECT_RESPONSE || packet.kind === DIRECT_ERROR)
      this.direct.receive(packet);
    else if (packet.kind === INDIRECT || packet.kind === RX_RELEASE) {
      this.#indirect!.receive(packet);
    } else return false;
    return true;
  }

  /** The partition has set our notification. */
  notified(): void {
    this.#fifo?.notified();
  }

  /** Shares the FIFOs' pages with the partition and has it told. */
  configureFifo(): void {
    const { node, timing } = this.#options;
    const fifo = this.#fifo!;
    fifo.format();
    const cost = node.charge(timing.memShare) + node.chargeTimes(timing.memPage, fifo.pages);
    node.cpu.submit(Priority.task, cost, this, FIFO_SHARED);
  }

  deliver(step: number): void {
    const { node, plan, timing, handles, post, announceFifo } = this.#options;
    if (step === FIFO_SHARED) {
      const { address, pages } = this.#fifo!;
      return announceFifo(handles.share(address, pages, plan.device, true), pages);
    }
    const delay = node.charge(timing.notificationDelivery);
    const packet = node.kernel.packets.acquire(0);
    packet.kind = NOTIFICATION;
    clearNumbers(packet);
    post(packet, delay);
  }

  get interrupts(): number {
    return (this.#indirect?.interrupts ?? 0) + (this.#fifo?.interrupts ?? 0);
  }

  statistics(): Statistics {
    return {
      directCalls: this.direct.calls,
      callQueueMax: this.direct.highWater,
      indirectSent: this.#indirect?.sent ?? 0,
      indirectBusy: this.#indirect?.busy ?? 0,
      indirectRefused: this.#indirect?.refused ?? 0,
      fifoSent: this.#fifo?.sent ?? 0,
      fifoFull: this.#fifo?.full ?? 0,
    };
  }

  #setNotification(): void {
    const { node, timing } = this.#options;
    node.cpu.submit(Priority.task, node.charge(timing.notificationSet), this, NOTIFY);
  }
}
