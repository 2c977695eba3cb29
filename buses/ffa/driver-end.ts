// The driver's end of an FF-A bus: session set-up, areas, direct calls, and events by EVENT_POLL.
import type {
  BusEnvironment,
  DriverBusClient,
  DriverBusEnd,
  Observed,
  Revision,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import {
  type CpuClient,
  InterruptLine,
  type Node,
  Priority,
  type ViolationCode,
} from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekToken,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { FaultySender, MessageCounter } from '../common/index.ts';
import { DriverCarriers, type SendFailure } from './driver-carriers.ts';
import { DriverClients } from './driver-clients.ts';
import { DriverInbox } from './driver-inbox.ts';
import { DriverMemory } from './driver-memory.ts';
import { DriverSession } from './driver-session.ts';
import {
  dialects,
  type FfaBody,
  type FfaMessage,
  type FfaMessages,
  ffaMessages,
} from './messages.ts';
import { eventsOf, type FfaOptions } from './options.ts';
import { NOTIFICATION, PARTITION_INFO, PARTITION_INFO_REPLY } from './packets.ts';
import { type PollEffect, type PollEvent, PollEvents, pollChart } from './poll-chart.ts';
import { type Service, serviceOf } from './service.ts';
import { type FfaTiming, ffaTimingIds } from './timing.ts';

/** Bus requests count their tokens from here on; RESET has token 1 (Linux). */
const FIRST_TOKEN = 2;

/** Notification that the partition sets for us. */
const NOTIFICATION_ID = 0;

const POLL_SOON = 0;
const POLL_LOST = 1;

const FAILURES: Readonly<Record<SendFailure, string>> = {
  busy: 'the partition stays busy',
  aborted: 'the partition does not run',
  refused: 'the partition has no such service',
  full: 'too many messages wait for the RX buffer',
};

const EVENT_POLL_ID = ffaMessages.EVENT_POLL.id;

export class FfaDriverEnd implements DriverBusEnd, Observed, Component, CpuClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly #node: Node;
  readonly #plan: BusEnvironment<FfaOptions>['plan'];
  readonly #timing: FfaTiming;
  readonly #codec: Codec<StandardMessages & FfaMessages>;
  readonly #sender: FaultySender;
  readonly #counter: MessageCounter;
  readonly #clients: DriverClients;
  readonly #session: DriverSession;
  readonly #inbox: DriverInbox;
  readonly #poller: Chart<unknown, PollEvent>;
  readonly #line: InterruptLine;
  readonly #carriers: DriverCarriers;
  readonly #switchTime: number;
  readonly #memory: DriverMemory;
  readonly #service: Service;
  readonly #frame: Uint8Array;
  readonly #id: number;
  #token = FIRST_TOKEN;

  constructor({ node, plan, faults, observer }: BusEnvironment<FfaOptions>) {
    const { options } = plan;
    this.name = plan.name;
    this.#clients = new DriverClients(plan.name);
    this.revision = plan.revision;
    this.maxMessageSize = options.maxMessageSize;
    this.#node = node;
    this.#plan = plan;
    this.#timing = ffaTimingIds(node.costs);
    this.requestTimeout = node.costs.value(this.#timing.requestTimeout);
    this.statusPollInterval = node.costs.value(this.#timing.busyRetry);
    this.#codec = codec(plan.revision, dialects[options.dialect].messages);
    this.#counter = new MessageCounter(this.#codec, observer);
    this.#sender = new FaultySender({
      node,
      faults,
      counter: this.#counter,
      forward: (bytes, length) => this.#carry(bytes, length),
      dropped: (bytes) => this.#lost(bytes),
    });
    this.#service = serviceOf(options.service);
    this.#frame = new Uint8Array(options.maxMessageSize);
    this.#id = node.add(this);
    node.kernel.bindPort(plan.driverPort, this.#id);
    this.#line = new InterruptLine(node, () => this.#interrupted());
    this.#switchTime =
      options.mediator === 'spmc' ? this.#timing.worldSwitch : this.#timing.vmSwitch;
    this.#memory = new DriverMemory({
      node,
      plan,
      timing: this.#timing,
      faults: this.#sender.injector,
      send: (message) => this.#sendBus(message),
      answerSpmc: (kind, a, b) => this.#answerSpmc(kind, a, b),
    });
    this.#inbox = this.#makeInbox();
    this.#carriers = this.#makeCarriers();
    this.#session = this.#makeSession();
    const interval = options.pollInterval ?? node.costs.value(this.#timing.pollInterval);
    this.#poller = node.charts.start(pollChart, {
      name: `${plan.name}.poll`,
      input: { interval: eventsOf(options) === 'poll' ? interval : Infinity },
      perform: (_: PollEffect) => this.#sendBus({ type: 'req.EVENT_POLL', body: {} }),
    });
    this.#poller.begin();
  }

  #makeInbox(): DriverInbox {
    return new DriverInbox({
      codec: this.#codec,
      revision: this.revision,
      clients: this.#clients,
      memory: this.#memory,
      session: () => this.#session,
      refusedBusId: (originalId) => this.#refusedBusId(originalId),
      violation: (code, text) => this.#violation(code, text),
    });
  }

  #makeCarriers(): DriverCarriers {
    return new DriverCarriers({
      node: this.#node,
      plan: this.#plan,
      timing: this.#timing,
      handles: this.#memory.handles,
      switchTime: this.#switchTime,
      service: this.#service,
      post: (packet, delay) => this.#send(packet, delay),
      answered: (bytes, length) => this.#answered(bytes, length),
      failed: (request, why) => this.#failed(request, why),
      received: (bytes, length) => this.#received(bytes, length),
      announceFifo: (handle, pageCount) => this.#announceFifo(handle, pageCount),
    });
  }

  #makeSession(): DriverSession {
    return new DriverSession({
      node: this.#node,
      plan: this.#plan,
      timing: this.#timing,
      send: (message, token) => this.#sendBus(message, token),
      configureFifo: () => this.#carriers.configureFifo(),
      discover: () => this.#discover(),
      online: (found) => {
        this.#poller.send({ type: 'ENABLE' });
        this.#clients.goOnline(found);
      },
      failed: (during) => this.#clients.goOffline(`the bus ${this.name} failed during ${during}`),
    });
  }

  /** What is shared with the partition. */
  get handles(): MemoryHandles {
    return this.#memory.handles;
  }

  attach(deviceNumber: number, client: DriverBusClient): void {
    this.#clients.attach(deviceNumber, client);
  }

  start(): void {
    this.#session.start();
  }

  send(bytes: Uint8Array, length: number): void {
    this.#sender.send(bytes, length);
  }

  #carry(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    this.#carriers.send(bytes, length);
  }

  /** A message is lost. Transports and session time out by themselves; so must the poller. */
  #lost(bytes: Uint8Array): void {
    if (isPoll(bytes)) this.#pollAgain(this.requestTimeout);
  }

  /** A message could not be delivered, which its sender must learn. */
  #failed(request: Uint8Array, why: SendFailure): void {
    if (isPoll(request)) this.#pollAgain(this.statusPollInterval);
    else if (peekIsEvent(request)) {
      this.#violation(
        'EVENT_LOST',
        `${this.#codec.names[this.#codec.rowIndexAt(request)]}: ${FAILURES[why]}`,
      );
    } else if (peekIsBus(request)) this.#inbox.busRefused(peekId(request));
    else this.#clients.get(peekDevice(request))?.undeliverable(peekToken(request), FAILURES[why]);
  }

  #pollAgain(delay: number): void {
    const abandons =
      eventsOf(this.#plan.options) === 'notification' &&
      this.#plan.options.quirks.includes('abandonedPoll');
    if (abandons) this.#poller.send(PollEvents.EMPTY);
    else this.#node.kernel.schedule(this.#id, delay, POLL_LOST);
  }

  allocate(deviceNumber: number, length: number): void {
    this.#memory.allocate(this.#clients.get(deviceNumber)!, length);
  }

  busAddress(address: number): number {
    return this.#memory.busAddress(address);
  }

  receive(packet: Packet): void {
    if (this.#carriers.receive(packet) || this.#memory.receive(packet)) return;
    switch (packet.kind) {
      case NOTIFICATION:
        this.#carriers.notified();
        if (eventsOf(this.#plan.options) === 'notification') this.#line.raise();
        return;
      case PARTITION_INFO_REPLY:
        return this.#session.partitionFound(packet.a === 1);
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the driver's end`);
    }
  }

  deliver(kind: number): void {
    this.#poller.send(kind === POLL_SOON ? PollEvents.WAKE : PollEvents.LOST);
  }

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#carriers.statistics(),
      interrupts: this.#line.taken + this.#carriers.interrupts,
      interruptsCoalesced: this.#line.coalesced,
      areas: this.#memory.areaCount,
      bytesToDevice: this.#memory.link.bytes,
      linkBusyPs: this.#memory.link.busy,
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  /** Sends a bus message of ours. */
  #sendBus(body: FfaBody, token = this.#nextToken()): void {
    const message = { ...body, dev: 0, token } as FfaMessage;
    const length = this.#codec.encode(message, this.#frame, 0, this.maxMessageSize);
    this.send(this.#frame, length);
  }

  #nextToken(): number {
    const token = this.#token;
    this.#token = token === 0xffff ? FIRST_TOKEN : token + 1;
    return token;
  }

  /** The interrupt wakes a thread, which asks what is pending and then polls. */
  #interrupted(): void {
    const { cpu, timing } = this.#node;
    const cost =
      this.#node.charge(timing.workSwitch) + this.#node.charge(this.#timing.notificationGet);
    cpu.submit(Priority.task, cost, this, POLL_SOON);
  }

  /** The answer of a direct call, on the core that made it. */
  #answered(bytes: Uint8Array, length: number): void {
    const polled = this.#carriers.direct.askedBusId === EVENT_POLL_ID;
    const sound = this.#inbox.dispatch(bytes, length);
    // An event comes in place of the response to EVENT_POLL; anything else ends the polling for now.
    if (polled)
      this.#poller.send(sound && peekIsEvent(bytes) ? PollEvents.EVENT : PollEvents.EMPTY);
  }

  /** A message that came by itself: indirect, or through the FIFO. */
  #received(bytes: Uint8Array, length: number): void {
    if (!this.#inbox.dispatch(bytes, length)) return;
    if (peekIsEvent(bytes)) this.#poller.send(PollEvents.EVENT);
    else if (peekIsBus(bytes) && peekId(bytes) === EVENT_POLL_ID)
      this.#poller.send(PollEvents.EMPTY);
  }

  /** Id of the bus request that was refused; -1 for a transport message. */
  #refusedBusId(originalId: number): number {
    if (this.#plan.options.messages === 'direct') return this.#carriers.direct.askedBusId;
    // Other carriers have many requests under way; only the set-up asks with standard ids.
    return originalId >= 0x80 || !this.#clients.anyReachable ? originalId : -1;
  }

  #announceFifo(handle: number, pageCount: number): void {
    const body = { memHandle: BigInt(handle), pageCount, driverNotificationId: NOTIFICATION_ID };
    this.#sendBus({ type: 'req.FIFO_CONFIGURE', body });
  }

  /** FFA_PARTITION_INFO_GET with the UUID of the role that we look for. */
  #discover(): void {
    const { bytes } = this.#service;
    const packet = this.#node.kernel.packets.acquire(bytes.length);
    packet.bytes.set(bytes);
    this.#post(packet, PARTITION_INFO, 0, this.#node.charge(this.#switchTime));
  }

  /** The SPMC's answer to a call of the partition. */
  #answerSpmc(kind: number, a: number, b: number): void {
    const delay = this.#node.charge(this.#switchTime);
    this.#post(this.#node.kernel.packets.acquire(0), kind, a, delay, b);
  }

  #post(packet: Packet, kind: number, a: number, delay: number, b = 0): void {
    packet.kind = kind;
    packet.a = a;
    packet.b = b;
    packet.c = 0;
    packet.d = 0;
    this.#send(packet, delay);
  }

  #send(packet: Packet, delay: number): void {
    const { kernel, index } = this.#node;
    kernel.send(index, this.#plan.device, this.#plan.devicePort, delay, packet);
  }

  #violation(code: ViolationCode, text: string): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}

function isPoll(bytes: Uint8Array): boolean {
  return peekIsBus(bytes) && peekId(bytes) === EVENT_POLL_ID;
}
