// The device's end of an FF-A bus: it answers direct calls, retrieves the memory that areas announce,
// and keeps events until the driver polls for them.
import type {
  BusEnvironment,
  DeviceBusClient,
  DeviceBusEnd,
  DmaPort,
  Observed,
  Revision,
  SharedRegion,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { CpuClient, Node, RestartClient, ViolationCode } from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  DeviceState,
  peekId,
  peekIsBus,
  peekIsResponse,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { writeU16 } from '../../platform/wire/index.ts';
import { DeviceClients, FaultySender, MessageCounter } from '../common/index.ts';
import { BusResponder } from './bus-responder.ts';
import { DeviceCarriers } from './device-carriers.ts';
import { DeviceInbox } from './device-inbox.ts';
import { DeviceMemory } from './device-memory.ts';
import { DeviceNotifier } from './device-notifier.ts';
import { DirectCallee } from './direct-callee.ts';
import { EventOutbox } from './event-outbox.ts';
import { dialects, EventMethod, type FfaMessages, isControl } from './messages.ts';
import type { FfaOptions } from './options.ts';
import {
  DIRECT_REQUEST,
  FfaError,
  INDIRECT,
  INDIRECT_ERROR,
  MEM_RETRIEVE_REPLY,
  NOTIFICATION,
  NOTIFICATION_ERROR,
  PARTITION_INFO,
  PARTITION_INFO_REPLY,
  RX_RELEASE,
  VM_DESTROYED,
  VM_DESTROYED_REPLY,
} from './packets.ts';
import { isFor, type Service, serviceOf } from './service.ts';
import { type FfaTiming, ffaTimingIds } from './timing.ts';

/** Where a header has its token. */
const TOKEN_OFFSET = 4;

export class FfaDeviceEnd implements DeviceBusEnd, Observed, Component, CpuClient, RestartClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly #memory: DeviceMemory;
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
  readonly #callee: DirectCallee;
  readonly #service: Service;
  readonly #inbox: DeviceInbox;
  readonly #notifier: DeviceNotifier;
  readonly #frame: Uint8Array;
  readonly #id: number;
  /** Token of the last event, with the quirk eventTokens. */
  #eventToken = 0;

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
    const { dialect, deviceDialect, mediator, service, deviceService } = plan.options;
    this.#codec = codec(plan.revision, dialects[deviceDialect ?? dialect].messages);
    this.#service = serviceOf(deviceService ?? service);
    this.#switchTime = mediator === 'spmc' ? this.#timing.worldSwitch : this.#timing.vmSwitch;
    this.#counter = new MessageCounter(this.#codec, observer);
    this.#sender = new FaultySender({
      node,
      faults,
      counter: this.#counter,
      forward: (bytes, length) => this.#enqueueEvent(bytes, length),
    });
    this.#events = new EventOutbox(maxMessageSize, plan.options.eventQueueDepth);
    this.#frame = new Uint8Array(maxMessageSize);
    this.#inbox = this.#makeInbox();
    this.#callee = new DirectCallee({
      node,
      maxMessageSize,
      handle: (bytes, length) => this.#inbox.handle(bytes, length),
      send: (packet, kind, a) => this.#send(packet, kind, a, 0, this.#switchDelay()),
    });
    this.#id = node.add(this);
    node.kernel.bindPort(plan.devicePort, this.#id);
    this.#memory = this.#makeMemory();
    this.#responder = new BusResponder({
      node,
      plan,
      timing: this.#timing,
      deviceNumbers: () => this.#clients.numbers,
      respond: (message, token) => this.#inbox.respond(message, token),
      callSpmc: (kind, a, b, c) => this.#reply(kind, a, b, c),
      fifoReady: () => this.#carriers.fifoReady(),
      reset: () => this.#reset(),
    });
    this.#notifier = new DeviceNotifier({
      node,
      timing: this.#timing,
      deliver: (delay) => {
        const packet = node.kernel.packets.acquire(0);
        this.#send(packet, NOTIFICATION, this.#responder.notificationId, 0, delay);
      },
    });
    this.#carriers = this.#makeCarriers();
    node.restarts.subscribe(this);
  }

  #makeMemory(): DeviceMemory {
    return new DeviceMemory({
      node: this.#node,
      plan: this.#plan,
      areas: () => this.#responder.areas,
      post: (packet, kind, a, b, delay) => this.#send(packet, kind, a, b, delay),
      answerSpmc: (kind, a, b) => this.#reply(kind, a, b),
      forward: (bytes, length) => this.#forward(bytes, length),
    });
  }

  #makeInbox(): DeviceInbox {
    const { dialect, deviceDialect, quirks, maxMessageSize } = this.#plan.options;
    const { hasErrors } = dialects[deviceDialect ?? dialect];
    return new DeviceInbox({
      codec: this.#codec,
      maxMessageSize,
      hasErrors: hasErrors && !quirks.includes('nullAnswers'),
      clients: this.#clients,
      events: this.#events,
      responder: () => this.#responder,
      isCall: () => this.#callee.handling,
      respond: (bytes, length) => this.#respond(bytes, length),
      violation: (code, text) => this.#violation(code, text),
    });
  }

  #makeCarriers(): DeviceCarriers {
    return new DeviceCarriers({
      node: this.#node,
      plan: this.#plan,
      timing: this.#timing,
      switchTime: this.#switchTime,
      dma: this.#memory.dma,
      post: (packet, delay) => this.#post(packet, delay),
      notify: () => this.#notifier.set(),
      received: (bytes, length) => this.#inbox.handle(bytes, length),
      violation: (code, text) => this.#violation(code, text),
    });
  }

  dmaOf(): DmaPort {
    return this.#memory.dma;
  }

  /** GET_SHM tells of a region by its FF-A handle. */
  shareRegion(_deviceNumber: number, region: SharedRegion): number {
    return this.#memory.shareRegion(region);
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
    if (!this.#memory.holds(bytes, length)) this.#forward(bytes, length);
  }

  #forward(bytes: Uint8Array, length: number): void {
    if (peekIsResponse(bytes)) this.#respond(bytes, length);
    else this.#sender.send(bytes, length);
  }

  /** The partition has crashed: the SPMC ends its open call, and relinquishes what it had retrieved. */
  stopped(): void {
    this.#forget();
  }

  /** It answers again, and has forgotten everything. */
  started(): void {}

  receive(packet: Packet): void {
    if (!this.#node.restarts.running && this.#isRefused(packet)) return;
    if (this.#memory.receive(packet)) return;
    switch (packet.kind) {
      case DIRECT_REQUEST:
        return this.#called(packet);
      case INDIRECT:
        if (this.#serves(packet)) this.#carriers.receive(packet);
        return;
      case RX_RELEASE:
        return this.#carriers.receive(packet);
      case NOTIFICATION:
        return this.#carriers.notified();
      case MEM_RETRIEVE_REPLY:
        return this.#responder.retrieved(packet.a, packet.b);
      case PARTITION_INFO:
        return this.#partitionInfo(packet);
      case VM_DESTROYED:
        return this.#vmDestroyed();
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the device's end`);
    }
  }

  /** Answers with FFA_ERROR what is meant for a partition that does not run. False for all else. */
  #isRefused({ kind }: Packet): boolean {
    if (kind === DIRECT_REQUEST) this.#callee.refuse(FfaError.ABORTED);
    else if (kind === INDIRECT) this.#reply(INDIRECT_ERROR, FfaError.ABORTED, 0);
    else if (kind === NOTIFICATION) this.#reply(NOTIFICATION_ERROR, FfaError.ABORTED, 0);
    else return false;
    return true;
  }

  /** What the partition had of the VM is given back before the VM's memory is used again. */
  #vmDestroyed(): void {
    this.#forget();
    this.#carriers.peerGone();
    this.#reply(VM_DESTROYED_REPLY, 0, 0);
  }

  /** The SPMC knows the services of a partition and answers without running it. */
  #partitionInfo({ bytes, length }: Packet): void {
    const { bytes: uuid } = this.#service;
    const known = length === uuid.length && uuid.every((byte, i) => bytes[i] === byte);
    this.#reply(PARTITION_INFO_REPLY, known ? 1 : 0, 0);
  }

  /** False for a message to another service, which is reported: this end is not it. */
  #serves(packet: Packet): boolean {
    if (isFor(packet, this.#service)) return true;
    this.#violation(
      'UNEXPECTED_MESSAGE',
      `a message for a service that is not ${this.#service.uuid}`,
    );
    return false;
  }

  #called(packet: Packet): void {
    if (this.#serves(packet)) this.#callee.receive(packet);
    else this.#callee.refuse(FfaError.INVALID_PARAMETERS);
  }

  deliver(): void {}

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#carriers.statistics(),
      notifications: this.#notifier.count,
      eventsMerged: this.#events.merged + this.#carriers.merged,
      eventQueueMax: this.#events.highWater,
      eventsLost: this.#events.lost,
      ...this.#memory.statistics(),
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  /** Sends a response. By direct call it ends the open call, and the core goes back with it. */
  #respond(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    if (this.#answersCall(bytes)) this.#callee.respond(bytes, length);
    else this.#carriers.respond(bytes, length);
  }

  /** Calls are answered as calls; so are requests of the session that took a while. */
  #answersCall(bytes: Uint8Array): boolean {
    const { messages } = this.#plan.options;
    if (this.#callee.handling || messages === 'direct') return true;
    return messages === 'fifo' && peekIsBus(bytes) && isControl(peekId(bytes));
  }

  #enqueueEvent(bytes: Uint8Array, length: number): void {
    if (this.#plan.options.quirks.includes('eventTokens')) this.#giveToken(bytes);
    if (this.#responder.negotiated && this.#carriers.sendEvent(bytes, length)) {
      this.#counter.count(bytes, length);
      return;
    }
    const fate = this.#events.push(bytes, length);
    if (fate === 'lost')
      this.#violation('EVENT_LOST', `${this.#events.length} events wait already`);
    if (fate !== 'added') return;
    if (this.#responder.eventMethod === EventMethod.NOTIFICATION) this.#notifier.set();
  }

  #giveToken(event: Uint8Array): void {
    this.#eventToken = (this.#eventToken % 0xffff) + 1;
    writeU16(event, TOKEN_OFFSET, this.#eventToken);
  }

  /** A call to the SPMC that the driver's node answers, or an answer of ours. */
  #reply(kind: number, a: number, b: number, c = 0): void {
    const delay = this.#node.charge(this.#switchTime);
    this.#send(this.#node.kernel.packets.acquire(0), kind, a, b, delay, c);
  }

  #switchDelay(): number {
    return this.#node.charge(this.#switchTime) + this.#node.charge(this.#timing.spmcRoute);
  }

  #send(packet: Packet, kind: number, a: number, b: number, delay: number, c = 0): void {
    packet.label(kind, a, b, c);
    this.#post(packet, delay);
  }

  /** Nothing sent here overtakes DMA writes that were posted before. */
  #post(packet: Packet, delay: number): void {
    const total = delay + this.#memory.link.orderingDelay(delay);
    const { driver, driverPort } = this.#plan;
    this.#node.kernel.send(this.#node.index, driver, driverPort, total, packet);
  }

  /** The session is over, and nobody will handle what has come of it. */
  #forget(): void {
    this.#callee.abort();
    this.#carriers.forget();
    this.#responder.forget();
    this.#memory.discard();
  }

  #reset(): void {
    this.#clients.reset();
    this.#events.clear();
    this.#carriers.reset();
  }

  #violation(code: ViolationCode, text: string): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
