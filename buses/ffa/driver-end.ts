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
  Priority,
  type ViolationCode,
} from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  DeviceState,
  headerIsSound,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekIsResponse,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import { DMA_READ, DMA_WRITE, MessageCounter, SharedMemoryTarget } from '../common/index.ts';
import { DirectCaller } from './direct-caller.ts';
import { DriverAreas } from './driver-areas.ts';
import { DriverSession } from './driver-session.ts';
import {
  type FfaBody,
  type FfaMessage,
  type FfaMessageOf,
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

/** Bus requests count their tokens from here on; RESET has token 1 (Linux). */
const FIRST_TOKEN = 2;

const POLL_SOON = 0;
const DELAYED_SEND = 1;
const POLL_LOST = 2;

const WAKE: PollEvent = { type: 'WAKE' };
const EVENT: PollEvent = { type: 'EVENT' };
const EMPTY: PollEvent = { type: 'EMPTY' };
const LOST: PollEvent = { type: 'LOST' };

const EVENT_ACK_ID = ffaMessages.EVENT_ACK.id;
const EVENT_POLL_ID = ffaMessages.EVENT_POLL.id;

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
  /** Numbers of the devices that were found and not removed. */
  readonly #reachable = new Set<number>();
  readonly #session: DriverSession;
  readonly #poller: Chart<unknown, PollEvent>;
  readonly #caller: DirectCaller;
  readonly #line: InterruptLine;
  readonly #memoryTarget: SharedMemoryTarget;
  readonly #areas: DriverAreas;
  readonly #delayed: { readonly bytes: Uint8Array; readonly length: number }[] = [];
  readonly #frame: Uint8Array;
  readonly #id: number;
  #token = FIRST_TOKEN;

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
    this.#areas = new DriverAreas({
      node,
      timing: this.#timing,
      handles: this.handles,
      faults: this.#faults,
      borrower: plan.device,
      areaSize: options.areaSize,
      announce: (areaId, handle, pageCount) => this.#announce(areaId, handle, pageCount),
    });
    this.#memoryTarget = new SharedMemoryTarget({
      node,
      handles: this.handles,
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
    });
    this.#session = new DriverSession({
      node,
      plan,
      timing: this.#timing,
      send: (message, token) => this.#sendBus(message, token),
      discover: () => this.#callSpmc(PARTITION_INFO, 0, 0),
      online: (found) => this.#goOnline(found),
      failed: (during) => this.#goOffline(`the bus ${plan.name} failed during ${during}`),
    });
    const interval = options.pollInterval ?? node.costs.value(this.#timing.pollInterval);
    this.#poller = node.charts.start(pollChart, {
      name: `${plan.name}.poll`,
      input: { interval: options.events === 'poll' ? interval : Infinity },
      perform: (_: PollEffect) => this.#sendBus({ type: 'req.EVENT_POLL', body: {} }),
    });
    this.#poller.begin();
  }

  attach(deviceNumber: number, client: DriverBusClient): void {
    assert(!this.#clients.has(deviceNumber), `${this.name}: device ${deviceNumber} is attached`);
    this.#clients.set(deviceNumber, client);
  }

  start(): void {
    this.#session.start();
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#faults.active) {
      const fate = this.#faults.onMessage(this.#codec.names[this.#codec.rowIndexAt(bytes)]);
      if (fate === Infinity) return this.#lost(bytes);
      if (fate > 0) {
        const index = this.#delayed.push({ bytes: bytes.slice(0, length), length }) - 1;
        this.#node.kernel.schedule(this.#id, fate, DELAYED_SEND, index);
        return;
      }
    }
    this.#counter.count(bytes, length);
    this.#caller.send(bytes, length);
  }

  /** A message is lost. Transports and session time out by themselves; so must the poller. */
  #lost(bytes: Uint8Array): void {
    if (!peekIsBus(bytes) || peekId(bytes) !== EVENT_POLL_ID) return;
    this.#node.kernel.schedule(this.#id, this.requestTimeout, POLL_LOST);
  }

  allocate(deviceNumber: number, length: number): void {
    this.#areas.allocate(this.#clients.get(deviceNumber)!, length);
  }

  busAddress(address: number): number {
    const mapped = this.#areas.busAddress(address);
    assert(mapped >= 0, 'a bus address was asked for memory in no area');
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
        return this.#session.partitionFound(packet.a === 1);
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the driver's end`);
    }
  }

  deliver(kind: number, a: number): void {
    switch (kind) {
      case POLL_SOON:
        return this.#poller.send(WAKE);
      case POLL_LOST:
        return this.#poller.send(LOST);
      case DELAYED_SEND: {
        const { bytes, length } = this.#delayed[a];
        this.#counter.count(bytes, length);
        return this.#caller.send(bytes, length);
      }
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

  #goOffline(reason: string): void {
    this.#reachable.clear();
    for (const client of this.#clients.values()) client.offline(reason);
  }

  #goOnline(found: ReadonlySet<number>): void {
    this.#poller.send({ type: 'ENABLE' });
    for (const [number, client] of this.#clients) {
      if (found.has(number)) {
        this.#reachable.add(number);
        client.online();
      } else client.offline(`${this.name} has no device number ${number}`);
    }
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
    const polled = this.#caller.askedBusId === EVENT_POLL_ID;
    const sound = headerIsSound(bytes, length);
    if (!sound) this.#violation('MALFORMED_MESSAGE', 'an answer without a sound header');
    else if (peekIsBus(bytes)) this.#busAnswer(bytes, length);
    else this.#transportAnswer(bytes, length);
    // An event comes in place of the response to EVENT_POLL; anything else ends the polling for now.
    if (polled) this.#poller.send(sound && peekIsEvent(bytes) ? EVENT : EMPTY);
  }

  #transportAnswer(bytes: Uint8Array, length: number): void {
    const client = this.#clients.get(peekDevice(bytes));
    if (client === undefined) this.#violation('UNKNOWN_DEVICE', `device ${peekDevice(bytes)}`);
    else client.message(bytes, length);
  }

  #busAnswer(bytes: Uint8Array, length: number): void {
    const id = peekId(bytes);
    // The most frequent ones, without decoding.
    if (peekIsResponse(bytes) && (id === EVENT_ACK_ID || id === EVENT_POLL_ID)) return;
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
        return this.#session.result(message.body.result);
      case 'res.VERSION':
        return this.#session.version(message.body);
      case 'res.EVENT_CONFIGURE':
        return this.#session.result(message.body.result);
      case 'res.GET_DEVICES':
        return this.#session.devices(message.body);
      case 'res.AREA_SHARE':
        return this.#areaAnswered(message.body);
      case 'res.ERROR':
        return this.#refused(message);
      case 'req.EVENT_DEVICE':
        return this.#deviceChanged(message.body);
      case 'req.AREA_RELEASE':
      case 'res.PING':
        return;
      default:
        this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the driver's end`);
    }
  }

  /** The partition answered with ERROR, which repeats device and token of what it refused. */
  #refused({ dev, token }: FfaMessage): void {
    const id = this.#caller.askedBusId;
    if (id < 0) {
      this.#clients.get(dev)?.undeliverable(token, 'the partition answered with an ERROR');
    } else if (id === ffaMessages.AREA_SHARE.id) {
      this.#areas.refused();
    } else {
      this.#session.refused();
    }
  }

  #areaAnswered({ areaId, result }: FfaMessageOf<'res.AREA_SHARE'>['body']): void {
    if (this.#areas.answered(areaId, result === FfaResult.SUCCESS)) return;
    this.#violation('UNEXPECTED_RESPONSE', `AREA_SHARE of area ${areaId}`);
  }

  /** A device came or went. Saying so again changes nothing. */
  #deviceChanged({ number, state }: { readonly number: number; readonly state: number }): void {
    const client = this.#clients.get(number);
    if (client === undefined) return;
    if (state === DeviceState.READY && !this.#reachable.has(number)) {
      this.#reachable.add(number);
      client.online();
    } else if (state === DeviceState.REMOVED && this.#reachable.delete(number)) {
      client.offline('the device was removed');
    }
  }

  #announce(areaId: number, handle: number, pageCount: number): void {
    const memHandle = BigInt(handle);
    const sharingAttributes = SHARING_ATTRIBUTES;
    const body = { areaId, memHandle, memTag: 0n, pageCount, sharingAttributes };
    this.#sendBus({ type: 'req.AREA_SHARE', body });
  }

  /** The SPMC maps the memory for the partition, if it was shared with it. */
  #retrieve({ a: handle, b: areaId }: Packet): void {
    const pages = this.handles.retrieve(handle, this.#plan.device);
    this.#callSpmc(MEM_RETRIEVE_REPLY, pages, areaId);
  }

  /** A call to the SPMC that the partition's node answers, or an answer of ours. */
  #callSpmc(kind: number, a: number, b: number): void {
    const { kernel, index } = this.#node;
    const packet = kernel.packets.acquire(0);
    packet.kind = kind;
    packet.a = a;
    packet.b = b;
    packet.c = 0;
    packet.d = 0;
    const delay = this.#node.charge(this.#timing.worldSwitch);
    kernel.send(index, this.#plan.device, this.#plan.devicePort, delay, packet);
  }

  #violation(code: ViolationCode, text: string): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
