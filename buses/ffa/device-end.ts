// The device's end of an FF-A bus: it answers direct calls, retrieves the memory that areas announce,
// and keeps events until the driver polls for them.
import type {
  BusEnvironment,
  DeviceBusClient,
  DeviceBusEnd,
  DmaPort,
  Observed,
  Revision,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  DeviceState,
  HEADER_SIZE,
  headerIsSound,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekIsResponse,
  peekToken,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import {
  DeviceClients,
  DMA_DATA,
  DMA_REFUSED,
  FaultySender,
  MessageCounter,
  SharedMemoryPort,
} from '../common/index.ts';
import { BusResponder } from './bus-responder.ts';
import { DeviceCarriers } from './device-carriers.ts';
import { EventOutbox } from './event-outbox.ts';
import {
  AREA_SPAN,
  DEVICE_ROLE_UUID,
  dialects,
  EventMethod,
  type FfaBody,
  type FfaMessage,
  type FfaMessages,
  ffaMessages,
  isControl,
} from './messages.ts';
import type { FfaOptions } from './options.ts';
import {
  DIRECT_REQUEST,
  DIRECT_RESPONSE,
  INDIRECT,
  MEM_RETRIEVE_REPLY,
  NOTIFICATION,
  PARTITION_INFO,
  PARTITION_INFO_REPLY,
  RX_RELEASE,
} from './packets.ts';
import { type FfaTiming, ffaTimingIds } from './timing.ts';

const HANDLE = 0;
const NOTIFY = 1;

export class FfaDeviceEnd implements DeviceBusEnd, Observed, Component, CpuClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly #port: SharedMemoryPort;
  readonly #node: Node;
  readonly #plan: BusEnvironment<FfaOptions>['plan'];
  readonly #timing: FfaTiming;
  readonly #codec: Codec<StandardMessages & FfaMessages>;
  readonly #sender: FaultySender;
  readonly #counter: MessageCounter;
  readonly #clients: DeviceClients;
  readonly #responder: BusResponder;
  readonly #carriers: DeviceCarriers;
  readonly #switchTime: number;
  readonly #events: EventOutbox;
  /** The frame of the open direct call. */
  readonly #request: Uint8Array;
  readonly #frame: Uint8Array;
  readonly #id: number;
  #requestLength = 0;
  /** The message being handled, and whether it came by direct call. */
  #current: Uint8Array;
  #handlingCall = false;
  /** A direct call is under way and has not been answered. */
  #callOpen = false;
  #notifications = 0;

  constructor({ node, plan, faults, observer }: BusEnvironment<FfaOptions>) {
    const { maxMessageSize } = plan.options;
    this.name = plan.name;
    this.revision = plan.revision;
    this.maxMessageSize = maxMessageSize;
    this.#node = node;
    this.#plan = plan;
    this.#clients = new DeviceClients(plan.name);
    this.#timing = ffaTimingIds(node.costs);
    this.requestTimeout = node.costs.value(this.#timing.requestTimeout);
    this.statusPollInterval = node.costs.value(this.#timing.busyRetry);
    const { dialect, deviceDialect, mediator } = plan.options;
    this.#codec = codec(plan.revision, dialects[deviceDialect ?? dialect].messages);
    this.#switchTime = mediator === 'spmc' ? this.#timing.worldSwitch : this.#timing.vmSwitch;
    this.#counter = new MessageCounter(this.#codec, observer);
    this.#sender = new FaultySender({
      node,
      faults,
      counter: this.#counter,
      forward: (bytes, length) => this.#enqueueEvent(bytes, length),
    });
    this.#events = new EventOutbox(maxMessageSize);
    this.#request = new Uint8Array(maxMessageSize);
    this.#current = this.#request;
    this.#frame = new Uint8Array(maxMessageSize);
    this.#id = node.add(this);
    node.kernel.bindPort(plan.devicePort, this.#id);
    this.#port = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => this.#responder.areas.find(address),
      offset: (address) => address % AREA_SPAN,
    });
    this.#responder = new BusResponder({
      node,
      plan,
      timing: this.#timing,
      deviceNumbers: () => this.#clients.numbers,
      respond: (message, token) => this.#respondBus(message, token),
      callSpmc: (kind, a, b) => this.#reply(kind, a, b),
      fifoReady: () => this.#carriers.fifoReady(),
      reset: () => this.#reset(),
    });
    this.#carriers = new DeviceCarriers({
      node,
      plan,
      timing: this.#timing,
      switchTime: this.#switchTime,
      dma: this.#port,
      post: (packet, kind, a, delay) => this.#send(packet, kind, a, 0, delay),
      notify: () => this.#setNotification(),
      received: (bytes, length) => this.#received(bytes, length),
    });
  }

  get dma(): DmaPort {
    return this.#port;
  }

  attach(deviceNumber: number, client: DeviceBusClient): void {
    this.#clients.attach(deviceNumber, client);
  }

  setPresent(number: number, present: boolean): void {
    if (!this.#clients.setPresent(number, present) || !this.#responder.negotiated) return;
    const state = present ? DeviceState.READY : DeviceState.REMOVED;
    const event = { type: 'req.EVENT_DEVICE', dev: 0, token: 0, body: { number, state } } as const;
    this.send(this.#frame, this.#codec.encode(event, this.#frame, 0, this.maxMessageSize));
  }

  send(bytes: Uint8Array, length: number): void {
    if (peekIsResponse(bytes)) this.#respond(bytes, length);
    else this.#sender.send(bytes, length);
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DIRECT_REQUEST:
        return this.#called(packet);
      case INDIRECT:
      case RX_RELEASE:
        return this.#carriers.receive(packet);
      case NOTIFICATION:
        return this.#carriers.notified();
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#port.receive(packet);
      case MEM_RETRIEVE_REPLY:
        return this.#responder.retrieved(packet.a, packet.b);
      case PARTITION_INFO:
        return this.#partitionInfo(packet);
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the device's end`);
    }
  }

  /** The SPMC knows the services of a partition and answers without running it. */
  #partitionInfo({ bytes, length }: Packet): void {
    const uuid = DEVICE_ROLE_UUID;
    const known = length === uuid.length && uuid.every((byte, i) => bytes[i] === byte);
    this.#reply(PARTITION_INFO_REPLY, known ? 1 : 0, 0);
  }

  deliver(step: number): void {
    switch (step) {
      case HANDLE:
        this.#handlingCall = true;
        this.#handle(this.#request, this.#requestLength);
        this.#handlingCall = false;
        return;
      case NOTIFY:
        return this.#notify();
    }
  }

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#carriers.statistics(),
      notifications: this.#notifications,
      eventsMerged: this.#events.merged,
      eventQueueMax: this.#events.highWater,
      dmaReads: this.#port.reads,
      dmaWrites: this.#port.writes,
      dmaRefused: this.#port.refusals,
      bytesToDriver: this.#port.link.bytes,
      linkBusyPs: this.#port.link.busy,
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  /** A direct call has arrived: the partition runs on the lent core, between its other work. */
  #called(packet: Packet): void {
    assert(!this.#callOpen, 'one direct call is open at a time');
    this.#callOpen = true;
    this.#requestLength = packet.length;
    this.#request.set(packet.bytes.subarray(0, packet.length));
    const { cpu, timing } = this.#node;
    const cost = this.#node.charge(timing.messageHandle) + this.#node.charge(timing.messageEncode);
    cpu.submit(Priority.interrupt, cost, this, HANDLE);
  }

  /** A message by another carrier, on a core of ours. */
  #received(bytes: Uint8Array, length: number): void {
    this.#handle(bytes, length);
  }

  #handle(bytes: Uint8Array, length: number): void {
    this.#current = bytes;
    if (!headerIsSound(bytes, length)) {
      this.#violation('MALFORMED_MESSAGE', 'a frame without a sound header');
      // The answer repeats what there is of the header, not what an earlier frame left behind.
      if (length < HEADER_SIZE) bytes.fill(0, length, HEADER_SIZE);
      return this.#refuse();
    }
    const legal = this.#responder.negotiated;
    if (peekIsBus(bytes)) return this.#handleBus(bytes, length, legal);
    const client = this.#clients.get(peekDevice(bytes));
    if (client === undefined || !legal) {
      const code = legal ? 'UNKNOWN_DEVICE' : 'UNEXPECTED_MESSAGE';
      const late = legal && this.#clients.isAbsent(peekDevice(bytes));
      if (!late) this.#violation(code, `a message for device ${peekDevice(bytes)}`);
      return this.#refuse();
    }
    const accepted = client.message(bytes, length);
    if (peekIsEvent(bytes) || !accepted) this.#refuse();
  }

  #handleBus(bytes: Uint8Array, length: number, legal: boolean): void {
    // The most frequent bus message, without decoding.
    if (peekId(bytes) === ffaMessages.EVENT_POLL.id && legal) return this.#poll();
    let message: FfaMessage;
    try {
      message = this.#codec.decode(bytes, length);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
      return this.#refuse();
    }
    if (!legal && message.type !== 'req.VERSION' && message.type !== 'req.RESET') {
      this.#violation('UNEXPECTED_MESSAGE', `${message.type} before VERSION was agreed`);
      return this.#refuse();
    }
    if (this.#responder.answer(message)) return;
    this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the device's end`);
    this.#refuse();
  }

  #poll(): void {
    if (this.#events.length === 0) {
      return this.#respondBus({ type: 'res.EVENT_POLL', body: {} }, peekToken(this.#current));
    }
    const { bytes, length } = this.#events.shift();
    this.#respond(bytes, length);
  }

  #acknowledge(): void {
    this.#respondBus({ type: 'res.EVENT_ACK', body: {} }, peekToken(this.#current));
  }

  /** Answers what gets no response: an event by call is acknowledged, all else is an ERROR. */
  #refuse(): void {
    if (!peekIsEvent(this.#current)) this.#error();
    else if (this.#handlingCall) this.#acknowledge();
  }

  #error(): void {
    const request = this.#current;
    const message = {
      type: 'res.ERROR',
      dev: peekDevice(request),
      token: peekToken(request),
      body: { originalId: peekId(request) },
    } as const;
    this.#respond(this.#frame, this.#codec.encode(message, this.#frame, 0, this.maxMessageSize));
  }

  #respondBus(response: FfaBody, token: number): void {
    const message = { ...response, dev: 0, token } as FfaMessage;
    this.#respond(this.#frame, this.#codec.encode(message, this.#frame, 0, this.maxMessageSize));
  }

  /** Sends a response. By direct call it ends the open call, and the core goes back with it. */
  #respond(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    if (!this.#answersCall(bytes)) return this.#carriers.respond(bytes, length);
    assert(this.#callOpen, 'a response ends an open call');
    this.#callOpen = false;
    const { kernel } = this.#node;
    const packet = kernel.packets.acquire(length);
    packet.bytes.set(bytes.subarray(0, length));
    this.#send(packet, DIRECT_RESPONSE, 0, 0, this.#switchDelay());
  }

  /** Calls are answered as calls; so are requests of the session that took a while. */
  #answersCall(bytes: Uint8Array): boolean {
    const { messages } = this.#plan.options;
    if (this.#handlingCall || messages === 'direct') return true;
    return messages === 'fifo' && peekIsBus(bytes) && isControl(peekId(bytes));
  }

  #enqueueEvent(bytes: Uint8Array, length: number): void {
    if (this.#responder.negotiated && this.#carriers.sendEvent(bytes, length)) {
      this.#counter.count(bytes, length);
      return;
    }
    if (!this.#events.push(bytes, length)) return;
    if (this.#responder.eventMethod === EventMethod.NOTIFICATION) this.#setNotification();
  }

  #setNotification(): void {
    const cost = this.#node.charge(this.#timing.notificationSet);
    this.#node.cpu.submit(Priority.task, cost, this, NOTIFY);
  }

  #notify(): void {
    this.#notifications++;
    const delay = this.#node.charge(this.#timing.notificationDelivery);
    const packet = this.#node.kernel.packets.acquire(0);
    this.#send(packet, NOTIFICATION, this.#responder.notificationId, 0, delay);
  }

  /** A call to the SPMC that the driver's node answers, or an answer of ours. */
  #reply(kind: number, a: number, b: number): void {
    const delay = this.#node.charge(this.#switchTime);
    this.#send(this.#node.kernel.packets.acquire(0), kind, a, b, delay);
  }

  #switchDelay(): number {
    return this.#node.charge(this.#switchTime) + this.#node.charge(this.#timing.spmcRoute);
  }

  /** Nothing sent here overtakes DMA writes that were posted before. */
  #send(packet: Packet, kind: number, a: number, b: number, delay: number): void {
    packet.kind = kind;
    packet.a = a;
    packet.b = b;
    packet.c = 0;
    packet.d = 0;
    const total = delay + this.#port.link.orderingDelay(delay);
    const { driver, driverPort } = this.#plan;
    this.#node.kernel.send(this.#node.index, driver, driverPort, total, packet);
  }

  #reset(): void {
    this.#clients.reset();
    this.#events.clear();
    this.#carriers.reset();
  }

  #violation(
    code: 'UNKNOWN_DEVICE' | 'MALFORMED_MESSAGE' | 'UNEXPECTED_MESSAGE',
    text: string,
  ): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
