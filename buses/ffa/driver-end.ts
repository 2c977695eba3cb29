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
import { FaultInjector } from '../../platform/faults/index.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { MemoryHandles } from '../../platform/memory/index.ts';
import {
  type CpuClient,
  InterruptLine,
  type Node,
  PAGE_SIZE,
  Priority,
} from '../../platform/node/index.ts';
import {
  type Codec,
  capacity,
  codec,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsResponse,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { type MessageOf, WireError } from '../../platform/wire/index.ts';
import { DMA_READ, DMA_WRITE, MessageCounter, SharedMemoryTarget } from '../common/index.ts';
import { DirectCaller } from './direct-caller.ts';
import { DriverAreas, pagesOf } from './driver-areas.ts';
import {
  type DriverSessionEffect,
  type DriverSessionEvent,
  driverSessionChart,
} from './driver-chart.ts';
import {
  EventMethod,
  FFA_VERSION,
  type FfaMessages,
  FfaResult,
  ffaMessages,
  SHARING_ATTRIBUTES,
} from './messages.ts';
import type { FfaOptions } from './options.ts';
import {
  DIRECT_RESPONSE,
  MEM_RELINQUISH,
  MEM_RETRIEVE,
  MEM_RETRIEVE_REPLY,
  NOTIFICATION,
  PARTITION_INFO,
  PARTITION_INFO_REPLY,
} from './packets.ts';
import { type PollEffect, type PollEvent, pollChart } from './poll-chart.ts';
import { type FfaTiming, ffaTimingIds } from './timing.ts';

export type FfaMessage = MessageOf<StandardMessages & FfaMessages>;

/** Device numbers asked for in one GET_DEVICES, if the message size allows (Linux). */
const DEVICE_WINDOW = 256;
/** Notification id that the partition sets for events. */
const NOTIFICATION_ID = 0;
/** Linux uses token 1 before VERSION is agreed and counts from 2 afterwards. */
const FIRST_TOKEN = 2;

const POLL_SOON = 0;
const SHARE = 1;
const DELAYED_SEND = 2;
const DISCOVER = 3;

const EVENT_ACK_ID = ffaMessages.EVENT_ACK.id;
const EVENT_POLL_ID = ffaMessages.EVENT_POLL.id;

interface Allocation {
  readonly client: DriverBusClient;
  readonly length: number;
}

export class FfaDriverEnd implements DriverBusEnd, Observed, Component, CpuClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly handles = new MemoryHandles();
  readonly #node: Node;
  readonly #plan: BusEnvironment<FfaOptions>['plan'];
  readonly #timing: FfaTiming;
  readonly #codec: Codec<StandardMessages & FfaMessages>;
  readonly #faults: FaultInjector;
  readonly #counter: MessageCounter;
  readonly #clients = new Map<number, DriverBusClient>();
  readonly #session: Chart<unknown, DriverSessionEvent>;
  readonly #poller: Chart<unknown, PollEvent>;
  readonly #caller: DirectCaller;
  readonly #line: InterruptLine;
  readonly #memoryTarget: SharedMemoryTarget;
  readonly #areas = new DriverAreas();
  readonly #allocations: Allocation[] = [];
  readonly #found = new Set<number>();
  readonly #delayed: { readonly bytes: Uint8Array; readonly length: number }[] = [];
  readonly #frame: Uint8Array;
  readonly #id: number;
  #version = { busVersion: 0, transportRevision: 0 };
  #token = FIRST_TOKEN;
  #deviceOffset = 0;
  /** The area being shared; allocations are served one after another. */
  #sharing = { address: 0, pages: 0 };

  constructor({ node, plan, faults }: BusEnvironment<FfaOptions>) {
    const { options } = plan;
    this.name = plan.name;
    this.revision = plan.revision;
    this.maxMessageSize = options.maxMessageSize;
    this.#node = node;
    this.#plan = plan;
    this.#timing = ffaTimingIds(node.costs);
    this.requestTimeout = node.costs.value(this.#timing.requestTimeout);
    this.statusPollInterval = node.costs.value(this.#timing.busyRetry);
    this.#codec = codec(plan.revision, ffaMessages);
    this.#counter = new MessageCounter(this.#codec);
    this.#faults = new FaultInjector(node.kernel, faults);
    this.#frame = new Uint8Array(options.maxMessageSize);
    this.#id = node.add(this);
    node.kernel.bindPort(plan.driverPort, this.#id);
    this.#line = new InterruptLine(node, () => this.#interrupted());
    this.#caller = new DirectCaller({
      node,
      timing: this.#timing,
      toNode: plan.device,
      toPort: plan.devicePort,
      maxMessageSize: options.maxMessageSize,
      answered: (bytes, length) => this.#answered(bytes, length),
    });
    this.#memoryTarget = new SharedMemoryTarget({
      node,
      handles: this.handles,
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
    });
    this.#session = node.charts.start(driverSessionChart, {
      name: `${plan.name}.driverSession`,
      input: {
        timeout: this.requestTimeout,
        busyRetry: node.costs.value(this.#timing.busyRetry),
      },
      perform: (effect: DriverSessionEffect) => this.#performSession(effect),
    });
    const interval = options.pollInterval ?? node.costs.value(this.#timing.pollInterval);
    this.#poller = node.charts.start(pollChart, {
      name: `${plan.name}.poll`,
      input: { interval: options.events === 'poll' ? interval : Infinity },
      perform: (effect: PollEffect) => this.#performPoll(effect),
    });
    this.#session.begin();
    this.#poller.begin();
  }

  attach(deviceNumber: number, client: DriverBusClient): void {
    assert(!this.#clients.has(deviceNumber), `${this.name}: device ${deviceNumber} is attached`);
    this.#clients.set(deviceNumber, client);
  }

  start(): void {
    this.#session.send({ type: 'START' });
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#faults.active) {
      const fate = this.#faults.onMessage(this.#codec.names[this.#codec.rowIndexAt(bytes)]);
      if (fate === Infinity) return;
      if (fate > 0) {
        const index = this.#delayed.push({ bytes: bytes.slice(0, length), length }) - 1;
        this.#node.kernel.schedule(this.#id, fate, DELAYED_SEND, index);
        return;
      }
    }
    this.#counter.count(bytes, length);
    this.#caller.send(bytes, length);
  }

  allocate(deviceNumber: number, length: number): void {
    this.#allocations.push({ client: this.#clients.get(deviceNumber)!, length });
    if (this.#allocations.length === 1) this.#nextAllocation();
  }

  busAddress(address: number): number {
    const mapped = this.#areas.busAddress(address);
    assert(mapped >= 0, `0x${address.toString(16)} is in no area of ${this.name}`);
    return mapped;
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DIRECT_RESPONSE:
        return this.#caller.receive(packet);
      case DMA_READ:
      case DMA_WRITE:
        return this.#memoryTarget.receive(packet);
      case NOTIFICATION:
        return this.#line.raise();
      case MEM_RETRIEVE:
        return this.#retrieve(packet);
      case MEM_RELINQUISH:
        this.handles.relinquish(packet.a, this.#plan.device);
        return;
      case PARTITION_INFO_REPLY:
        this.#session.send({ type: packet.a === 1 ? 'FOUND' : 'ABSENT' });
        return;
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the driver's end`);
    }
  }

  deliver(kind: number, a: number): void {
    switch (kind) {
      case POLL_SOON:
        this.#poller.send({ type: 'WAKE' });
        return;
      case SHARE:
        return this.#shared(a);
      case DELAYED_SEND: {
        const { bytes, length } = this.#delayed[a];
        this.#counter.count(bytes, length);
        return this.#caller.send(bytes, length);
      }
      case DISCOVER:
        return this.#discover();
    }
  }

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      directCalls: this.#caller.calls,
      callQueueMax: this.#caller.highWater,
      interrupts: this.#line.taken,
      interruptsCoalesced: this.#line.coalesced,
      areas: this.#areas.count,
      bytesToDevice: this.#memoryTarget.link.bytes,
      linkBusyPs: this.#memoryTarget.link.busy,
      faultsInjected: this.#faults.acted,
      ...this.#counter.byName(),
    };
  }

  /** Sends a bus message of ours. */
  #sendBus(body: Pick<FfaMessage, 'type' | 'body'>, token = this.#nextToken()): void {
    const message = { ...body, dev: 0, token } as FfaMessage;
    const length = this.#codec.encode(message, this.#frame, 0, this.maxMessageSize);
    this.send(this.#frame, length);
  }

  #nextToken(): number {
    const token = this.#token;
    this.#token = token === 0xffff ? FIRST_TOKEN : token + 1;
    return token;
  }

  #performSession(effect: DriverSessionEffect): void {
    switch (effect.type) {
      case 'findPartition': {
        const cost = this.#node.charge(this.#timing.partitionInfo);
        return this.#node.cpu.submit(Priority.task, cost, this, DISCOVER);
      }
      case 'sendReset':
        return this.#sendBus({ type: 'req.RESET', body: {} }, 1);
      case 'probeVersion':
        return this.#sendVersion({ busVersion: 0, transportRevision: 0 });
      case 'echoVersion':
        return this.#sendVersion(this.#version);
      case 'configureEvents':
        return this.#configureEvents();
      case 'getDevices':
        return this.#getDevices();
      case 'online':
        return this.#goOnline();
      case 'failed':
        for (const client of this.#clients.values()) {
          client.offline(`the bus ${this.name} failed during ${effect.during}`);
        }
    }
  }

  #discover(): void {
    const { kernel, index } = this.#node;
    const packet = kernel.packets.acquire(0);
    packet.kind = PARTITION_INFO;
    packet.a = 0;
    packet.b = 0;
    packet.c = 0;
    packet.d = 0;
    const delay = this.#node.charge(this.#timing.worldSwitch);
    kernel.send(index, this.#plan.device, this.#plan.devicePort, delay, packet);
  }

  #sendVersion(version: { readonly busVersion: number; readonly transportRevision: number }): void {
    this.#sendBus({ type: 'req.VERSION', body: { ...version, ffaVersion: FFA_VERSION } });
  }

  #configureEvents(): void {
    const method = this.#plan.options.events;
    const eventMethod = method === 'poll' ? EventMethod.POLL : EventMethod.NOTIFICATION;
    const body = { eventMethod, reserved: 0, notificationId: NOTIFICATION_ID };
    this.#sendBus({ type: 'req.EVENT_CONFIGURE', body });
  }

  #getDevices(): void {
    const { deviceSlots } = capacity(this.revision, this.maxMessageSize);
    const window = Math.min(DEVICE_WINDOW, deviceSlots, 65536 - this.#deviceOffset);
    const count = window - (window % 8);
    this.#sendBus({ type: 'req.GET_DEVICES', body: { offset: this.#deviceOffset, count } });
  }

  #goOnline(): void {
    this.#poller.send({ type: 'ENABLE' });
    for (const [number, client] of this.#clients) {
      if (this.#found.has(number)) client.online();
      else client.offline(`${this.name} has no device number ${number}`);
    }
  }

  #performPoll(_effect: PollEffect): void {
    this.#sendBus({ type: 'req.EVENT_POLL', body: {} });
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
    if (!peekIsBus(bytes)) {
      const client = this.#clients.get(peekDevice(bytes));
      if (client === undefined) this.#violation('UNKNOWN_DEVICE', `device ${peekDevice(bytes)}`);
      else client.message(bytes, length);
      // A transport event can only be the answer to EVENT_POLL.
      if (!peekIsResponse(bytes)) this.#poller.send({ type: 'EVENT' });
      return;
    }
    const id = peekId(bytes);
    if (id === EVENT_ACK_ID) return;
    if (id === EVENT_POLL_ID) {
      this.#poller.send({ type: 'EMPTY' });
      return;
    }
    try {
      this.#busMessage(this.#codec.decode(bytes, length));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
    }
  }

  #busMessage(message: FfaMessage): void {
    switch (message.type) {
      case 'res.RESET':
        return this.#resultOf(message.body.result);
      case 'res.VERSION': {
        const { busVersion, transportRevision } = message.body;
        this.#version = { busVersion, transportRevision };
        this.#session.send({ type: busVersion === 0 ? 'REFUSED' : 'DONE' });
        return;
      }
      case 'res.EVENT_CONFIGURE':
        return this.#resultOf(message.body.result);
      case 'res.GET_DEVICES':
        return this.#devicesFound(message.body);
      case 'res.AREA_SHARE':
        return this.#areaAnswered(message.body.result === FfaResult.SUCCESS);
      case 'res.ERROR': {
        const client = this.#clients.get(message.dev);
        client?.undeliverable(message.token, 'the partition answered with an ERROR');
        if (client === undefined) this.#session.send({ type: 'REFUSED' });
        return;
      }
      case 'req.AREA_RELEASE':
        this.#poller.send({ type: 'EVENT' });
        return;
      case 'res.PING':
        return;
      default:
        this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the driver's end`);
    }
  }

  #resultOf(result: number): void {
    if (result === FfaResult.SUCCESS) this.#session.send({ type: 'DONE' });
    else this.#session.send({ type: result === FfaResult.BUSY ? 'BUSY' : 'REFUSED' });
  }

  #devicesFound(body: {
    readonly offset: number;
    readonly count: number;
    readonly nextOffset: number;
    readonly bitmap: Uint8Array;
  }): void {
    for (let i = 0; i < body.count; i++) {
      if (((body.bitmap[i >> 3] >> (i & 7)) & 1) === 1) this.#found.add(body.offset + i);
    }
    this.#deviceOffset = body.nextOffset;
    this.#session.send({ type: body.nextOffset === 0 ? 'DONE' : 'MORE' });
  }

  /** Serves the first allocation in line, from an area with room or from a new one. */
  #nextAllocation(): void {
    const { length } = this.#allocations[0];
    if (this.#finishAllocation()) return;
    const pages = Math.max(pagesOf(length), pagesOf(this.#plan.options.areaSize));
    const address = this.#node.memory.allocate(pages * PAGE_SIZE, PAGE_SIZE);
    const area = this.#areas.add(address, pages);
    if (area === null) return this.#failAllocation('all area numbers are taken');
    if (this.#faults.active && this.#faults.omits('AREA_SHARE')) return this.#areaAnswered(true);
    const node = this.#node;
    let cost = node.charge(this.#timing.memShare);
    for (let page = 0; page < pages; page++) cost += node.charge(this.#timing.memPage);
    node.cpu.submit(Priority.task, cost, this, SHARE, area.id);
    this.#sharing = { address, pages };
  }

  /** FFA_MEM_SHARE is done: announce the area. */
  #shared(areaId: number): void {
    const { address, pages } = this.#sharing;
    const missing = this.#faults.active ? this.#faults.shrinksBy('AREA_SHARE') : 0;
    const pageCount = Math.max(1, pages - missing);
    const handle = this.handles.share(address, pageCount, this.#plan.device, true);
    const body = {
      areaId,
      memHandle: BigInt(handle),
      memTag: 0n,
      pageCount,
      sharingAttributes: SHARING_ATTRIBUTES,
    };
    this.#sendBus({ type: 'req.AREA_SHARE', body });
  }

  #areaAnswered(success: boolean): void {
    if (!success) return this.#failAllocation('the partition refused the area');
    const done = this.#finishAllocation();
    assert(done, 'a new area holds what it was made for');
  }

  #finishAllocation(): boolean {
    const { client, length } = this.#allocations[0];
    const address = this.#areas.take(length);
    if (address < 0) return false;
    this.#allocations.shift();
    client.allocated(address, null);
    if (this.#allocations.length > 0) this.#nextAllocation();
    return true;
  }

  #failAllocation(reason: string): void {
    const { client } = this.#allocations.shift()!;
    client.allocated(0, reason);
    if (this.#allocations.length > 0) this.#nextAllocation();
  }

  /** The SPMC maps the memory for the partition, if it was shared with it. */
  #retrieve({ a: handle, b: areaId }: Packet): void {
    const { kernel, index } = this.#node;
    const pages = this.handles.retrieve(handle, this.#plan.device);
    const reply = kernel.packets.acquire(0);
    reply.kind = MEM_RETRIEVE_REPLY;
    reply.a = pages;
    reply.b = areaId;
    reply.c = 0;
    reply.d = 0;
    const delay = this.#node.charge(this.#timing.worldSwitch);
    kernel.send(index, this.#plan.device, this.#plan.devicePort, delay, reply);
  }

  #violation(
    code: 'UNKNOWN_DEVICE' | 'MALFORMED_MESSAGE' | 'UNEXPECTED_MESSAGE',
    text: string,
  ): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
