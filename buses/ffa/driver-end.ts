// The driver's end of an FF-A bus: session set-up, areas, direct calls, and events by EVENT_POLL.
import type {
  BusEnvironment,
  DriverBusClient,
  DriverBusEnd,
  Observed,
  RegionMap,
  Revision,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { MemoryHandles } from '../../platform/memory/index.ts';
import type { CpuClient, Node, RestartClient, ViolationCode } from '../../platform/node/index.ts';
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
import { DriverCarriers, FAILURES, type SendFailure } from './driver-carriers.ts';
import { DriverClients } from './driver-clients.ts';
import { DriverInbox } from './driver-inbox.ts';
import { DriverMemory } from './driver-memory.ts';
import { DriverSession } from './driver-session.ts';
import { EventPoller, isPoll } from './event-poller.ts';
import {
  dialects,
  type FfaBody,
  type FfaMessage,
  type FfaMessages,
  ffaMessages,
} from './messages.ts';
import type { FfaOptions } from './options.ts';
import {
  NOTIFICATION,
  PARTITION_INFO,
  PARTITION_INFO_REPLY,
  VM_DESTROYED,
  VM_DESTROYED_REPLY,
} from './packets.ts';
import { type Service, serviceOf } from './service.ts';
import { type FfaTiming, ffaTimingIds } from './timing.ts';

/** Bus requests count their tokens from here on; RESET has token 1 (Linux). */
const FIRST_TOKEN = 2;

/** Notification that the partition sets for us. */
const NOTIFICATION_ID = 0;

const POLL_AGAIN = 0;
const RESET = 1;

const EVENT_POLL_ID = ffaMessages.EVENT_POLL.id;

export class FfaDriverEnd implements DriverBusEnd, Observed, Component, CpuClient, RestartClient {
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
  readonly #poller: EventPoller;
  readonly #carriers: DriverCarriers;
  readonly #switchTime: number;
  readonly #memory: DriverMemory;
  readonly #service: Service;
  readonly #frame: Uint8Array;
  readonly #id: number;
  #token = FIRST_TOKEN;
  /** Messages heard since the last PING. */
  #heard = 0;
  /** The last PING. */
  #ping = { id: -1, token: -1 };
  #suspensions = 0;

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
    this.#switchTime =
      options.mediator === 'spmc' ? this.#timing.worldSwitch : this.#timing.vmSwitch;
    this.#memory = new DriverMemory({
      node,
      plan,
      timing: this.#timing,
      faults: this.#sender.injector,
      send: (message) => this.#sendBus(message),
      post: (packet, kind, a, delay, b) => this.#post(packet, kind, a, delay, b),
      switchTime: this.#switchTime,
    });
    this.#inbox = this.#makeInbox();
    this.#carriers = this.#makeCarriers();
    this.#session = this.#makeSession();
    this.#poller = new EventPoller({
      node,
      plan,
      timing: this.#timing,
      poll: () => this.#sendBus({ type: 'req.EVENT_POLL', body: {} }),
      later: (delay) => node.kernel.post(this.#id, delay, POLL_AGAIN),
      gaveUp: () => this.#session.lost(),
    });
    node.restarts.subscribe(this);
    for (const at of options.resets) node.kernel.post(this.#id, at, RESET);
  }

  #makeInbox(): DriverInbox {
    return new DriverInbox({
      codec: this.#codec,
      revision: this.revision,
      clients: this.#clients,
      memory: this.#memory,
      session: () => this.#session,
      refusedBusId: (originalId, token) => this.#refusedBusId(originalId, token),
      confirm: () => this.#sendPing(),
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
      lost: () => this.#session.lost(),
      announceFifo: (handle, pageCount) => this.#announceFifo(handle, pageCount),
    });
  }

  #makeSession(): DriverSession {
    return new DriverSession({
      node: this.#node,
      plan: this.#plan,
      timing: this.#timing,
      send: (message, token) => this.#sendBus(message, token),
      configureFifo: () => {
        this.#carriers.configureFifo();
        return ffaMessages.FIFO_CONFIGURE.id;
      },
      discover: () => this.#discover(),
      renew: () => this.#memory.renew((taken) => this.#session.renewed(taken)),
      ping: () => this.#watch(),
      check: () => this.#session.heard(this.#heard > 0),
      suspend: (reason) => {
        this.#suspensions++;
        this.#quiesce();
        this.#clients.suspend(`${this.name}: ${reason}`, this.#memory.donates);
        if (this.#memory.donates) this.#memory.forget();
      },
      online: (found) => {
        this.#poller.enable();
        this.#clients.goOnline(found);
      },
      failed: (during) => {
        this.#quiesce();
        this.#clients.goOffline(`the bus ${this.name} failed during ${during}`);
      },
    });
  }

  /** Forgets what is under way with the partition. */
  #quiesce(): void {
    this.#poller.disable();
    this.#carriers.clear();
    this.#inbox.clear();
    this.#memory.suspend();
  }

  /** The VM has stopped: the hypervisor tells the partition, which gives back what it has of it. */
  stopped(): void {
    this.#session.stop();
    this.#quiesce();
    this.#clients.goOffline(`the VM ${this.#node.name} has stopped`);
    this.#carriers.sendLast(VM_DESTROYED);
  }

  started(): void {
    this.#session.start();
  }

  /** Asks whether the partition is alive, if the scenario wants that. */
  #watch(): void {
    this.#heard = 0;
    if (this.#plan.options.pingInterval !== undefined) this.#sendPing();
  }

  #sendPing(): void {
    const token = this.#nextToken();
    this.#ping = { id: this.#sendBus({ type: 'req.PING', body: { data: token } }, token), token };
  }

  /** What is shared with the partition. */
  get handles(): MemoryHandles {
    return this.#memory.handles;
  }

  get regions(): RegionMap {
    return this.#memory.regions;
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
    if (isPoll(bytes)) this.#poller.lost(this.requestTimeout);
  }

  /** A message could not be delivered, which its sender must learn. */
  #failed(request: Uint8Array, why: SendFailure): void {
    if (why === 'aborted') this.#session.lost();
    else if (isPoll(request)) this.#poller.failed(this.statusPollInterval);
    else if (peekIsEvent(request)) {
      this.#violation(
        'EVENT_LOST',
        `${this.#codec.names[this.#codec.rowIndexAt(request)]}: ${FAILURES[why]}`,
      );
    } else if (peekIsBus(request)) this.#inbox.busRefused(peekId(request));
    else this.#clients.get(peekDevice(request))?.undeliverable(peekToken(request), FAILURES[why]);
  }

  allocate(deviceNumber: number, length: number, common = length): void {
    this.#memory.allocate(this.#clients.get(deviceNumber)!, length, common);
  }

  busAddress(address: number): number {
    return this.#memory.busAddress(address);
  }

  receive(packet: Packet): void {
    if (this.#carriers.receive(packet) || this.#memory.receive(packet)) return;
    switch (packet.kind) {
      case NOTIFICATION:
        this.#carriers.notified();
        return this.#poller.notified();
      case PARTITION_INFO_REPLY:
        return this.#session.partitionFound(packet.a === 1);
      case VM_DESTROYED_REPLY:
        return this.#memory.forget();
      default:
        assert(false, `${this.name}: packet of kind ${packet.kind} at the driver's end`);
    }
  }

  deliver(kind: number): void {
    if (kind === RESET) this.#session.reset();
    else this.#poller.again();
  }

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#carriers.statistics(),
      interrupts: this.#poller.line.taken + this.#carriers.interrupts,
      interruptsCoalesced: this.#poller.line.coalesced,
      areas: this.#memory.areaCount,
      pagesDonated: this.#memory.pagesDonated,
      suspensions: this.#suspensions,
      ...this.#memory.statistics(),
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  /** Sends a bus message of ours and returns its id. */
  #sendBus(body: FfaBody, token = this.#nextToken()): number {
    const message = { ...body, dev: 0, token } as FfaMessage;
    const length = this.#codec.encode(message, this.#frame, 0, this.maxMessageSize);
    const id = peekId(this.#frame);
    this.send(this.#frame, length);
    return id;
  }

  #nextToken(): number {
    const token = this.#token;
    this.#token = token === 0xffff ? FIRST_TOKEN : token + 1;
    return token;
  }

  /** The answer of a direct call, on the core that made it. */
  #answered(bytes: Uint8Array, length: number): void {
    this.#hear();
    const polled = this.#carriers.direct.askedBusId === EVENT_POLL_ID;
    const sound = this.#inbox.dispatch(bytes, length);
    // An event comes in place of the response to EVENT_POLL; anything else ends the polling for now.
    if (!polled) return;
    if (sound && peekIsEvent(bytes)) this.#poller.event();
    else this.#poller.empty();
  }

  /** A message that came by itself: indirect, or through the FIFO. */
  #received(bytes: Uint8Array, length: number): void {
    this.#hear();
    if (!this.#inbox.dispatch(bytes, length)) return;
    if (peekIsEvent(bytes)) this.#poller.event();
    else if (isPoll(bytes)) this.#poller.empty();
  }

  #hear(): void {
    this.#heard++;
    this.#poller.heard();
  }

  /** Id of the bus request that was refused; -1 for a transport message. */
  #refusedBusId(originalId: number, token: number): number {
    if (this.#plan.options.messages === 'direct') return this.#carriers.direct.askedBusId;
    // Other carriers have many requests under way; only the set-up and PING ask with standard ids.
    const isPing = originalId === this.#ping.id && token === this.#ping.token;
    return isPing || originalId >= 0x80 || !this.#clients.anyReachable ? originalId : -1;
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

  #post(packet: Packet, kind: number, a: number, delay: number, b = 0): void {
    packet.label(kind, a, b);
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
