// The device's end of a bus that moves messages over a link: it routes what comes to the devices, says
// which there are, and answers PING.
import type {
  BusEnvironment,
  DeviceBits,
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
import type { Node, ViolationCode } from '../../platform/node/index.ts';
import {
  answerDevices,
  type Codec,
  capacity,
  DeviceState,
  type DevicesRequest,
  devicesRequestIsLegal,
  headerIsSound,
  headerSizeFor,
  codec as makeCodec,
  peekDevice,
  peekIsBus,
  peekIsEvent,
  revision,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { type MessageOf, WireError } from '../../platform/wire/index.ts';
import { DeviceClients } from './device-clients.ts';
import { DeviceRegions } from './device-regions.ts';
import { FaultySender } from './faulty-sender.ts';
import { InBandDeviceSide, inBandMessages } from './in-band/index.ts';
import { MessageCounter } from './message-counter.ts';
import type { DeviceLink, LinkClient } from './message-link.ts';

export interface LinkDeviceEndOptions {
  readonly environment: BusEnvironment<unknown>;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly deviceBits: DeviceBits;
  /** Devices reach memory by messages, not over the link, of which so many may wait for an answer; or null. */
  readonly inBand: { readonly window: number } | null;
  link(client: LinkClient): DeviceLink;
}

type BusMessage = MessageOf<StandardMessages>;

export class LinkDeviceEnd implements DeviceBusEnd, Observed, Component, LinkClient {
  readonly name: string;
  readonly revision: Revision;
  readonly maxMessageSize: number;
  readonly requestTimeout: number;
  readonly statusPollInterval: number;
  readonly deviceBits: DeviceBits;
  readonly #node: Node;
  readonly #headerSize: number;
  readonly #codec: Codec<StandardMessages>;
  readonly #sender: FaultySender;
  readonly #counter: MessageCounter;
  readonly #clients: DeviceClients;
  readonly #link: DeviceLink;
  /** Regions that are reached over the link's path. */
  readonly #regions: DeviceRegions | null;
  readonly #memory: InBandDeviceSide | null;
  readonly #frame: Uint8Array;
  /** The driver has sent something, and wants to hear of devices that come and go. */
  #heard = false;

  constructor(options: LinkDeviceEndOptions) {
    const { environment, maxMessageSize, deviceBits, inBand } = options;
    const { node, plan, faults, observer } = environment;
    this.name = plan.name;
    this.revision = plan.revision;
    this.maxMessageSize = maxMessageSize;
    this.requestTimeout = options.requestTimeout;
    this.statusPollInterval = options.statusPollInterval;
    this.deviceBits = deviceBits;
    this.#headerSize = headerSizeFor(deviceBits);
    this.#node = node;
    this.#clients = new DeviceClients(plan.name);
    this.#codec = makeCodec(plan.revision, inBand === null ? {} : inBandMessages, deviceBits);
    this.#counter = new MessageCounter(this.#codec, observer);
    this.#sender = new FaultySender({
      node,
      faults,
      counter: this.#counter,
      forward: (bytes, length) => this.#forward(bytes, length),
    });
    this.#frame = new Uint8Array(maxMessageSize);
    this.#memory =
      inBand === null
        ? null
        : new InBandDeviceSide({
            ...{ node, name: plan.name, maxMessageSize, timeout: options.requestTimeout },
            window: inBand.window,
            headerSize: this.#headerSize,
            send: (bytes, length) => this.#sender.send(bytes, length),
          });
    node.kernel.bindPort(plan.devicePort, node.add(this));
    this.#link = options.link(this);
    const { path } = this.#link;
    this.#regions = path === undefined ? null : new DeviceRegions({ node, plan, link: path });
  }

  dmaOf(deviceNumber: number): DmaPort {
    return this.#memory?.portOf(deviceNumber) ?? this.#link.dma;
  }

  attach(deviceNumber: number, client: DeviceBusClient): void {
    this.#clients.attach(deviceNumber, client);
  }

  shareRegion(deviceNumber: number, region: SharedRegion): number {
    if (this.#regions !== null) return this.#regions.share(region);
    assert(this.#link.shareRegion !== undefined, 'the link has a way to regions');
    return this.#link.shareRegion(deviceNumber, region);
  }

  setPresent(number: number, present: boolean): void {
    if (!this.#clients.setPresent(number, present) || !this.#heard) return;
    const body = { number, state: present ? DeviceState.READY : DeviceState.REMOVED };
    this.#sendMessage({ type: 'req.EVENT_DEVICE', dev: 0, token: 0, body });
  }

  send(bytes: Uint8Array, length: number): void {
    if (this.#memory === null) this.#sender.send(bytes, length);
    else this.#memory.send(bytes, length);
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
      ...this.#memory?.statistics(),
      faultsInjected: this.#sender.injector.acted,
      ...this.#counter.byName(),
    };
  }

  up(): void {}

  /** The driver's end hears of it by itself. */
  down(reason: string): void {
    this.#violation('UNEXPECTED_MESSAGE', `the link is down: ${reason}`);
    this.reset();
  }

  reset(): void {
    this.#heard = false;
    this.#clients.reset();
    this.#memory?.forget();
  }

  frame(bytes: Uint8Array, length: number): void {
    if (!headerIsSound(bytes, length, 0, this.#headerSize)) {
      return this.#violation('MALFORMED_MESSAGE', 'a message without a sound header');
    }
    this.#heard = true;
    if (peekIsBus(bytes)) return this.#busFrame(bytes, length);
    if (this.#memory?.take(bytes, length)) return;
    const device = peekDevice(bytes, 0, this.#headerSize);
    const client = this.#clients.get(device);
    if (client?.message(bytes, length)) return;
    if (client === undefined && !this.#clients.isAbsent(device)) {
      this.#violation('UNKNOWN_DEVICE', `a message for device ${device}`);
    }
    if (!peekIsEvent(bytes)) this.#link.refuse?.(bytes);
  }

  deviceNumbers(): readonly number[] {
    return this.#clients.numbers;
  }

  #forward(bytes: Uint8Array, length: number): void {
    this.#counter.count(bytes, length);
    this.#link.send(bytes, length);
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
      case 'req.GET_DEVICES':
        return this.#getDevices(message.body, message.token);
      case 'req.PING':
        return this.#sendMessage({ ...message, type: 'res.PING' });
      case 'res.PING':
        return;
      default:
        this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the device's end`);
    }
  }

  #getDevices(request: DevicesRequest, token: number): void {
    const { rules } = revision(this.revision, this.deviceBits);
    if (!devicesRequestIsLegal(rules, request)) {
      return this.#violation('UNEXPECTED_MESSAGE', 'GET_DEVICES with a window that is not legal');
    }
    const { deviceSlots } = capacity(this.revision, this.maxMessageSize, this.deviceBits);
    const body = answerDevices(rules, request, this.deviceNumbers(), deviceSlots);
    this.#sendMessage({ type: 'res.GET_DEVICES', dev: 0, token, body });
  }

  #sendMessage(message: BusMessage): void {
    this.send(this.#frame, this.#codec.encode(message, this.#frame, 0, this.maxMessageSize));
  }

  #violation(code: ViolationCode, text: string): void {
    this.#node.violations.report(code, `${this.name}: ${text}`);
  }
}
