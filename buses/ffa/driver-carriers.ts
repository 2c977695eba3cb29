// The ways in which messages of the driver's end move: direct calls, indirect messages, or FIFOs, which
// are set up by direct calls.
import type { Statistics } from '../../platform/contracts/index.ts';
import type { Component, ComponentId, Packet } from '../../platform/kernel/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { type CallFailure, DirectCaller } from './direct-caller.ts';
import { DriverFifo } from './driver-fifo.ts';
import { IndirectChannel } from './indirect-channel.ts';
import { isControl } from './messages.ts';
import { eventsOf, type FfaPlan } from './options.ts';
import {
  DIRECT_ERROR,
  DIRECT_RESPONSE,
  INDIRECT,
  INDIRECT_ERROR,
  NOTIFICATION,
  NOTIFICATION_ERROR,
  RX_RELEASE,
} from './packets.ts';
import type { Service } from './service.ts';
import type { FfaTiming } from './timing.ts';

const NOTIFY = 0;
const FIFO_SHARED = 1;
const NOTIFY_AGAIN = 2;
/** A notification that is refused is set again so often, after twice the time each time (Linux). */
const NOTIFY_RETRIES_MAX = 6;

/** Why a message could not be delivered. */
export type SendFailure = CallFailure | 'full';

/** The same in words. */
export const FAILURES: Readonly<Record<SendFailure, string>> = {
  busy: 'the partition stays busy',
  aborted: 'the partition does not run',
  refused: 'the partition has no such service',
  full: 'too many messages wait for the RX buffer',
};

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
  /** The partition cannot be reached. */
  lost(): void;
  /** Sends FIFO_CONFIGURE. */
  announceFifo(handle: number, pageCount: number): void;
}

export class DriverCarriers implements CpuClient, Component {
  readonly direct: DirectCaller;
  readonly #options: DriverCarriersOptions;
  readonly #indirect: IndirectChannel | null;
  readonly #fifo: DriverFifo | null;
  /** Handle of the FIFOs' pages, or -1. */
  #fifoHandle = -1;
  #notifyRetries = 0;
  #id: ComponentId | null = null;

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
    } else if (packet.kind === INDIRECT_ERROR) {
      this.#indirect!.peerGone();
      this.#options.lost();
    } else if (packet.kind === NOTIFICATION_ERROR) this.#notificationRefused();
    else return false;
    return true;
  }

  /** The partition has set our notification. */
  notified(): void {
    this.#fifo?.notified();
  }

  /** Sends a packet that arrives after all messages sent before it. */
  sendLast(kind: number): void {
    const { node, timing, switchTime, post } = this.#options;
    const packet = node.kernel.packets.acquire(0).label(kind);
    const schedule = this.#indirect === null ? 0 : node.charge(timing.schedule);
    post(packet, node.charge(switchTime) + node.charge(timing.spmcRoute) + schedule);
  }

  /** The partition is away: forgets what waits for it. */
  clear(): void {
    this.direct.clear();
    this.#indirect?.peerGone();
    this.#fifo?.clear();
    this.#notifyRetries = 0;
  }

  /** Shares the FIFOs' pages with the partition and has it told. */
  configureFifo(): void {
    const { node, timing } = this.#options;
    const fifo = this.#fifo!;
    if (this.#fifoHandle >= 0) this.#options.handles.reclaim(this.#fifoHandle);
    fifo.format();
    const cost = node.charge(timing.memShare) + node.chargeTimes(timing.memPage, fifo.pages);
    node.cpu.submit(Priority.task, cost, this, FIFO_SHARED);
  }

  deliver(step: number): void {
    const { node, plan, timing, handles, post, announceFifo } = this.#options;
    if (step === FIFO_SHARED) {
      const { address, pages } = this.#fifo!;
      this.#fifoHandle = handles.share(address, pages, plan.device, true);
      return announceFifo(this.#fifoHandle, pages);
    }
    if (step === NOTIFY_AGAIN) return this.#setNotification();
    const delay = node.charge(timing.notificationDelivery);
    post(node.kernel.packets.acquire(0).label(NOTIFICATION), delay);
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

  #notificationRefused(): void {
    const { node, timing, lost } = this.#options;
    if (this.#notifyRetries === NOTIFY_RETRIES_MAX) return lost();
    this.#id ??= node.add(this);
    const wait = node.chargeTimes(timing.notificationRetry, 2 ** this.#notifyRetries++);
    node.kernel.schedule(this.#id, wait, NOTIFY_AGAIN);
  }

  #setNotification(): void {
    const { node, timing } = this.#options;
    node.cpu.submit(Priority.task, node.charge(timing.notificationSet), this, NOTIFY);
  }
}
