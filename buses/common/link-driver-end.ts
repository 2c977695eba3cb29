// The driver's end of a bus that moves messages over a link: it finds devices, routes what comes from
// them, and watches whether the peer is alive.
import type {
  BufferMapping,
  BusEnvironment,
  DeviceBits,
  DriverBusClient,
  DriverBusEnd,
  Observed,
  RegionMap,
  Revision,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node, ViolationCode } from '../../platform/node/index.ts';
import {
  type Codec,
  DeviceState,
  headerIsSound,
  headerSizeFor,
  codec as makeCodec,
  peekDevice,
  peekIsBus,
  peekIsEvent,
  peekToken,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { type MessageOf, WireError } from '../../platform/wire/index.ts';
import { DeviceWindow } from './device-window.ts';
import { DriverRegions } from './driver-regions.ts';
import { FaultySender } from './faulty-sender.ts';
import { InBandDriverSide, inBandMessages } from './in-band/index.ts';
import {
  type LinkSessionEffect,
  type LinkSessionEvent,
  linkSessionChart,
} from './link-session-chart.ts';
import { MessageCounter } from './message-counter.ts';
import type { DriverLink, DriverMemory, LinkClient } from './message-link.ts';

const TOKEN_MAX = 0xffff;

/** What a PING asks to be told again: all four bytes count. */
function pingData(token: number): number {
  return token * 0x1_0001;
}

export interface LinkDriverEndOptions {
  readonly environment: BusEnvironment<unknown>;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly deviceBits: DeviceBits;
  readonly discovery: 'messages' | 'static';
  /** ps between two PINGs; Infinity for none. */
  readonly pingInterval: number;
  /** Devices reach memory by messages, not over the link. */
  readonly inBand: boolean;
  link(client: LinkClient): DriverLink;
}

type BusMessage = MessageOf<StandardMessages>;

export class LinkDriverEnd implements DriverBusEnd, Observed, Component, LinkClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly deviceBits: DeviceBits;
  readonly #node: Node;
  readonly #headerSize: number;
  readonly #options: LinkDriverEndOptions;
  readonly #codec: Codec<StandardMessages>;
  readonly #sender: FaultySender;
  readonly #counter: MessageCounter;
  readonly #clients = new Map<number, DriverBusClient>();
  /** Numbers of the devices that are online. */
  readonly #reachable = new Set<number>();
  /** Devices that may still use the memory they had: they are not heard, but may be alive. */
  readonly #unreleased = new Set<number>();
  readonly #window: DeviceWindow;
  readonly #session: Chart<unknown, LinkSessionEvent>;
  readonly #link: DriverLink;
  /** Regions that are reached over the link's path. */
  readonly #regions: DriverRegions | null;
  readonly #inBand: InBandDriverSide | null;
  /** Who has the memory that devices may reach. */
  readonly #memory: DriverMemory;
  readonly #frame: Uint8Array;
  #token = 0;
  /** Messages heard since the last PING, and PINGs without any. */
  #heard = 0;
  #silences = 0;
  #downReason = '';

  constructor(options: LinkDriverEndOptions) {
    const { environment, maxMessageSize, deviceBits, requestTimeout } = options;
    const { node, plan, faults, observer } = environment;
    this.name = plan.name;
    this.revision = plan.revision;
    this.maxMessageSize = maxMessageSize;
    this.requestTimeout = requestTimeout;
    this.statusPollInterval = options.statusPollInterval;
    this.deviceBits = deviceBits;
    this.#headerSize = headerSizeFor(deviceBits);
    this.#node = node;
    this.#options = options;
    this.#codec = makeCodec(plan.revision, options.inBand ? inBandMessages : {}, deviceBits);
    this.#counter = new MessageCounter(this.#codec, observer);
    this.#sender = new FaultySender({
      node,
      faults,
      counter: this.#counter,
      forward: (bytes, length) => this.#forward(bytes, length),
    });
    this.#window = new DeviceWindow(plan.revision, maxMessageSize, deviceBits);
    this.#frame = new Uint8Array(maxMessageSize);
    node.kernel.bindPort(plan.driverPort, node.add(this));
    this.#link = options.link(this);
    const { path, pageMapping } = this.#link;
    this.#regions =
      path === undefined || options.inBand
        ? null
        : new DriverRegions({ node, plan, link: path, pageMapping });
    this.#inBand = options.inBand ? this.#makeInBand() : null;
    this.#memory = this.#inBand ?? this.#link;
    this.#session = node.charts.start(linkSessionChart, {
      name: `${plan.name}.session`,
      input: {
        asks: options.discovery === 'messages',
        timeout: requestTimeout,
        pingInterval: options.pingInterval,
      },
      perform: (effect: LinkSessionEffect) => this.#perform(effect),
    });
    this.#session.begin();
  }

  get regions(): RegionMap | undefined {
    return this.#regions ?? this.#link.regions;
  }

  attach(deviceNumber: number, client: DriverBusClient): void {
    assert(!this.#clients.has(deviceNumber), `${this.name}: device ${deviceNumber} is attached`);
    this.#clients.set(deviceNumber, client);
  }

  start(): void {
    this.#session.send({ type: 'START' });
  }

  send(bytes: Uint8Array, length: number): void {
    if (!peekIsBus(bytes) && !this.#reachable.has(peekDevice(bytes, 0, this.#headerSize)))
      return this.#unroutable(bytes);
    this.#sender.send(bytes, length);
  }

  allocate(deviceNumber: number, length: number): void {
    if (this.#unreleased.delete(deviceNumber)) this.#memory.release(deviceNumber);
    this.#memory.allocate(deviceNumber, this.#clients.get(deviceNumber)!, length);
  }

  busAddress(address: number): number {
    const mapped = this.#memory.busAddress(address);
    assert(mapped >= 0, 'a bus address was asked for memory that the device may not reach');
    return mapped;
  }

  mappingOf(deviceNumber: number): BufferMapping | null {
    return this.#memory.mappingOf?.(deviceNumber) ?? null;
  }

  receive(packet: Packet): void {
    if (!this.#regions?.receive(packet)) this.#link.receive(packet);
  }

  deliver(): void {}

  statistics(): Statistics {
    const { messages, bytes } = this.#counter;
    return {
      messages,
      bytes,
      ...this.#link.statistics(),
      ...this.#regions?.statistics(),
      silences: this.#silences,
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  up(): void {
    this.#session.send({ type: 'UP' });
  }

  down(reason: string): void {
    this.#downReason = reason;
    this.#session.send({ type: 'DOWN' });
  }

  away(reason: string): void {
    this.#downReason = reason;
    this.#session.send({ type: 'AWAY' });
  }

  undeliverable(device: number, token: number): void {
    this.#clients.get(device)?.undeliverable(token, 'the peer has refused it');
  }

  frame(bytes: Uint8Array, length: number): void {
    this.#heard++;
    if (!headerIsSound(bytes, length, 0, this.#headerSize)) {
      return this.#violation('MALFORMED_MESSAGE', 'a message without a sound header');
    }
    if (this.#inBand === null) this.#route(bytes, length);
    else this.#inBand.take(bytes, length);
  }

  #makeInBand(): InBandDriverSide {
    return new InBandDriverSide({
      ...{ node: this.#node, name: this.name, maxMessageSize: this.maxMessageSize },
      headerSize: this.#headerSize,
      send: (bytes, length) => this.#sender.send(bytes, length),
      pass: (bytes, length) => this.#route(bytes, length),
    });
  }

  #route(bytes: Uint8Array, length: number): void {
    if (peekIsBus(bytes)) return this.#busFrame(bytes, length);
    const device = peekDevice(bytes, 0, this.#headerSize);
    const client = this.#clients.get(device);
    if (client === undefined) this.#violation('UNKNOWN_DEVICE', `device ${device}`);
    else if (this.#reachable.has(device)) client.message(bytes, length);
  }

  #forward(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    this.#link.send(bytes, length);
  }

  #perform(effect: LinkSessionEffect): void {
    switch (effect.type) {
      case 'connect':
        return this.#link.connect();
      case 'getDevices':
        return this.#getDevices();
      case 'online':
        return this.#goOnline();
      case 'ping':
        return this.#ping();
      case 'check':
        return this.#check();
      case 'offline':
        return this.#goOffline(effect.why);
    }
  }

  #getDevices(): void {
    const { request: body } = this.#window;
    this.#sendMessage({ type: 'req.GET_DEVICES', dev: 0, token: this.#nextToken(), body });
  }

  #goOnline(): void {
    const { discovery } = this.#options;
    for (const [number, client] of this.#clients) {
      if (discovery === 'static' || this.#window.found.has(number)) {
        this.#reachable.add(number);
        client.online();
      } else client.offline(`${this.name} has no device number ${number}`);
    }
  }

  #goOffline(why: 'down' | 'away' | 'silent' | 'noAnswer'): void {
    const reasons = {
      away: `${this.name} is away: ${this.#downReason}`,
      down: `${this.name} is down: ${this.#downReason}`,
      silent: `the peer on ${this.name} doesn't answer PING`,
      noAnswer: `the peer on ${this.name} doesn't answer GET_DEVICES`,
    };
    if (why === 'silent') this.#silences++;
    if (why === 'noAnswer') this.#violation('TIMEOUT', reasons[why]);
    this.#link.clear();
    this.#window.restart();
    for (const [number, client] of this.#clients) {
      // A peer that is away has forgotten the memory, and the next one is to have it.
      if (why === 'away') {
        if (this.#reachable.has(number)) client.away(reasons.away);
        continue;
      }
      this.#unreleased.add(number);
      client.offline(reasons[why]);
    }
    this.#reachable.clear();
  }

  #ping(): void {
    this.#heard = 0;
    if (this.#options.pingInterval === Infinity) return;
    const token = this.#nextToken();
    this.#sendMessage({ type: 'req.PING', dev: 0, token, body: { data: pingData(token) } });
  }

  #check(): void {
    this.#session.send({ type: this.#heard > 0 ? 'ALIVE' : 'SILENT' });
  }

  /** A request for a device that is not online fails at once; an event for it is lost. */
  #unroutable(bytes: Uint8Array): void {
    const device = peekDevice(bytes, 0, this.#headerSize);
    if (peekIsEvent(bytes)) return;
    const reason = `${this.name} has no device number ${device}`;
    this.#clients.get(device)?.undeliverable(peekToken(bytes), reason);
  }

  #nextToken(): number {
    this.#token = (this.#token % TOKEN_MAX) + 1;
    return this.#token;
  }

  #sendMessage(message: BusMessage): void {
    this.send(this.#frame, this.#codec.encode(message, this.#frame, 0, this.maxMessageSize));
  }

  #busFrame(bytes: Uint8Array, length: number): void {
    try {
      this.#busMessage(this.#codec.decode(bytes, length));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
    }
  }

  #busMessage(message: BusMessage): void {
    switch (message.type) {
      case 'res.GET_DEVICES': {
        const step = this.#window.answered(message.body);
        if (step !== null) return this.#session.send({ type: step });
        return this.#violation('UNEXPECTED_RESPONSE', 'GET_DEVICES with a window not asked for');
      }
      case 'res.PING':
        return this.#pingAnswered(message.token, message.body.data);
      case 'req.PING':
        return this.#sendMessage({ ...message, type: 'res.PING' });
      case 'req.EVENT_DEVICE':
        return this.#deviceChanged(message.body);
      default:
        this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the driver's end`);
    }
  }

  /** The answer repeats the data (BUS-5). */
  #pingAnswered(token: number, data: number): void {
    const expected = pingData(token);
    if (data === expected) return;
    const text = `PING with 0x${expected.toString(16)} is answered with 0x${data.toString(16)}`;
    this.#violation('UNEXPECTED_RESPONSE', text);
  }

  /** A device came or went. Saying so again changes nothing. */
  #deviceChanged({ number, state }: { readonly number: number; readonly state: number }): void {
    const client = this.#clients.get(number);
    if (client === undefined) return;
    if (state === DeviceState.READY && !this.#reachable.has(number)) {
      this.#reachable.add(number);
      client.online();
    } else if (state === DeviceState.REMOVED && this.#reachable.delete(number)) {
      this.#memory.release(number);
      client.offline('the device was removed');
    }
  }

  #violation(code: ViolationCode, text: string): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
