// virtio-msg, driver side: one device's transport between its driver and a bus. It encodes operations
// into messages, matches responses by token, and gives up after bounded time and tries.
import type {
  BufferMapping,
  DriverBusClient,
  DriverBusEnd,
  DriverTransport,
  QueueSetup,
  RegionMapClient,
  RegionPort,
  TransportListener,
  TransportReply,
} from '../../contracts/index.ts';
import { assert } from '../../errors.ts';
import type { Chart } from '../../machine/index.ts';
import type { Node } from '../../node/index.ts';
import { WireError } from '../../wire/index.ts';
import { F } from '../bits.ts';
import {
  capacity,
  isEventUsed,
  peekEventQueue,
  peekId,
  peekIsResponse,
  peekToken,
  type RevisionInfo,
  revision,
  staleGeneration,
  writeEventAvail,
} from '../messages/index.ts';
import {
  type DeviceMemory,
  getConfig,
  getFeatures,
  getInfo,
  getQueue,
  getRegion,
  getStatus,
  type MapRequest,
  type Operation,
  resetQueue,
  type StandardMessage,
  setConfig,
  setFeatures,
  setQueue,
  setStatus,
} from './driver-operations.ts';
import { type ExchangeEffect, type ExchangeEvent, exchangeChart } from './exchange-chart.ts';

/** How often a request that got no response is sent again. */
export const RETRIES_MAX = 2;

export interface MsgDriverOptions {
  readonly node: Node;
  readonly name: string;
  readonly bus: DriverBusEnd;
  readonly deviceNumber: number;
  /** Transport features that both sides of the bus have. Default: none. */
  readonly transportFeatures?: number;
}

export class MsgDriverTransport implements DriverTransport, DriverBusClient, RegionMapClient {
  /** Responses whose token nobody waits for; dropped (virtio-msg: Message Correlation). */
  strays = 0;
  /** virtio-msg forbids it (FEA-8). */
  readonly impossible = F.NOTIF_CONFIG_DATA;
  readonly #node: Node;
  readonly #name: string;
  readonly #bus: DriverBusEnd;
  readonly #number: number;
  readonly #revision: RevisionInfo;
  readonly #headerSize: number;
  readonly #memory: DeviceMemory;
  readonly #chart: Chart<unknown, ExchangeEvent>;
  readonly #frame: Uint8Array;
  #listener: TransportListener | null = null;
  #operation: Operation | 'allocate' | null = null;
  /** The region that the bus is mapping. */
  #mapping: MapRequest | null = null;
  #allocateLength = 0;
  #allocateCommon = 0;
  #token = 0;
  /** Id of the request whose response is awaited, or -1. */
  #awaited = -1;
  #response: StandardMessage | null = null;
  #reply: TransportReply | null = null;
  /** What the last EVENT_CONFIG has brought, for the next read of the configuration. */
  #news: { readonly offset: number; readonly data: Uint8Array } | null = null;

  constructor({ node, name, bus, deviceNumber, transportFeatures = 0 }: MsgDriverOptions) {
    this.#node = node;
    this.#name = name;
    this.#bus = bus;
    this.#number = deviceNumber;
    const { deviceBits = 16, maxMessageSize } = bus;
    this.#revision = revision(bus.revision, deviceBits);
    this.#headerSize = this.#revision.codec.headerSize;
    const { featureBlocks, configBytes } = capacity(bus.revision, maxMessageSize, deviceBits);
    this.#memory = {
      revision: this.#revision,
      staleGeneration: staleGeneration(this.#revision, transportFeatures),
      featureBlocksMax: featureBlocks,
      configBytesMax: configBytes,
      featureBlockCount: 0,
      generation: 0,
    };
    this.#frame = new Uint8Array(bus.maxMessageSize);
    this.#chart = node.charts.start(exchangeChart, {
      name: `${name}.exchange`,
      input: {
        timeout: bus.requestTimeout,
        retriesMax: RETRIES_MAX,
        pollInterval: bus.statusPollInterval,
      },
      perform: (effect: ExchangeEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    bus.attach(deviceNumber, this);
  }

  connect(listener: TransportListener): void {
    this.#listener = listener;
  }

  getInfo(): void {
    this.#begin(getInfo(this.#memory));
  }

  getFeatures(): void {
    this.#begin(getFeatures(this.#memory));
  }

  setFeatures(features: bigint): void {
    this.#begin(setFeatures(this.#memory, features));
  }

  getStatus(): void {
    this.#begin(getStatus());
  }

  get regions(): RegionPort | null {
    return this.#bus.regions ?? null;
  }

  getRegion(shmid: number): void {
    this.#begin(getRegion(shmid));
  }

  setStatus(status: number): void {
    this.#news = null;
    // virtio 1.4 §2.10: who is to reach a region after a reset looks for it anew.
    if (status === 0) this.#bus.regions?.unmap(this.#number);
    this.#begin(setStatus(status));
  }

  getConfig(offset: number, length: number): void {
    const news = this.#takeNews(offset, length);
    if (news === null) return this.#begin(getConfig(this.#memory, offset, length));
    this.#listener!.reply({ type: 'reply.config', data: news });
  }

  setConfig(offset: number, data: Uint8Array): void {
    this.#news = null;
    this.#begin(setConfig(this.#memory, offset, data));
  }

  getQueue(index: number): void {
    this.#begin(getQueue(index));
  }

  setQueue(setup: QueueSetup): void {
    this.#begin(setQueue(this.#memory, setup));
  }

  resetQueue(index: number): void {
    this.#begin(resetQueue(index));
  }

  allocate(length: number, common = length): void {
    this.#allocateLength = length;
    this.#allocateCommon = common;
    this.#begin('allocate');
  }

  busAddress(address: number): number {
    return this.#bus.busAddress(address);
  }

  get mapping(): BufferMapping | null {
    return this.#bus.mappingOf?.(this.#number) ?? null;
  }

  notify(queue: number, next: number): void {
    const frame = this.#frame;
    this.#bus.send(frame, writeEventAvail(frame, this.#number, 0, queue, next, this.#headerSize));
  }

  online(): void {
    this.#chart.send({ type: 'ONLINE' });
    this.#listener!.online();
  }

  offline(reason: string): void {
    this.#bus.regions?.unmap(this.#number);
    this.#chart.send({ type: 'OFFLINE' });
    this.#listener!.offline(reason);
  }

  away(reason: string): void {
    // Nobody waits for an operation under way any more.
    this.#operation = null;
    this.#mapping = null;
    this.#awaited = -1;
    this.#bus.regions?.unmap(this.#number);
    this.#chart.send({ type: 'OFFLINE' });
    this.#listener!.away(reason);
  }

  undeliverable(token: number, reason: string): void {
    if (this.#awaited < 0 || token !== this.#token) return;
    this.#reply = { type: 'reply.failed', reason };
    this.#chart.send({ type: 'UNDELIVERABLE' });
  }

  allocated(address: number, reason: string | null): void {
    if (this.#operation !== 'allocate') return;
    this.#reply =
      reason === null ? { type: 'reply.memory', address } : { type: 'reply.failed', reason };
    this.#chart.send({ type: 'RESPONSE' });
  }

  regionMapped(address: number, reason: string | null): void {
    if (this.#mapping === null) return;
    const { shmid, length } = this.#mapping;
    this.#mapping = null;
    this.#reply =
      reason === null
        ? { type: 'reply.region', shmid, length, address }
        : { type: 'reply.failed', reason };
    this.#chart.send({ type: 'RESPONSE' });
  }

  message(bytes: Uint8Array, length: number): void {
    if (isEventUsed(bytes, length, 0, this.#headerSize)) {
      this.#listener!.used(peekEventQueue(bytes, 0, this.#headerSize));
      return;
    }
    if (length >= this.#headerSize && peekIsResponse(bytes)) {
      // A response to nothing, or to a request given up: dropped without further traffic.
      if (this.#awaited !== peekId(bytes) || this.#token !== peekToken(bytes)) {
        this.strays++;
        return;
      }
    }
    const message = this.#decode(bytes, length);
    if (message === null) return;
    if (message.type === 'req.EVENT_CONFIG') {
      const { status, generation, offset, length: size, data } = message.body;
      this.#memory.generation = generation;
      this.#news = data.length === 0 ? null : { offset, data: data.slice() };
      this.#listener!.configChanged(status, offset, size);
    } else if (message.type.startsWith('res.')) {
      this.#awaited = -1;
      this.#response = message;
      this.#chart.send({ type: 'RESPONSE' });
    } else {
      this.#violation('UNEXPECTED_MESSAGE', `${message.type} at the driver`);
    }
  }

  /** Bytes of the configuration that came with an event, if they have not been asked for before; or null. */
  #takeNews(offset: number, length: number): Uint8Array | null {
    const news = this.#news;
    this.#news = null;
    const end = offset + length;
    if (news === null || offset < news.offset || end > news.offset + news.data.length) return null;
    return news.data.slice(offset - news.offset, end - news.offset);
  }

  #begin(operation: Operation | 'allocate'): void {
    assert(this.#operation === null, `${this.#name}: an operation is under way`);
    this.#operation = operation;
    this.#chart.send({ type: 'OPERATION' });
  }

  #perform(effect: ExchangeEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#send();
      case 'handle':
        return this.#handle();
      case 'finish':
      case 'undeliverable':
        return this.#finish(this.#reply!);
      case 'timedOut':
        this.#violation('TIMEOUT', 'a request got no response, nor did its repetitions');
        return this.#finish({ type: 'reply.failed', reason: 'no response in time' });
      case 'unreachable':
        if (this.#operation === null) return;
        return this.#finish({ type: 'reply.failed', reason: 'the device is not reachable' });
    }
  }

  #send(): void {
    const operation = this.#operation!;
    if (operation === 'allocate') {
      this.#bus.allocate(this.#number, this.#allocateLength, this.#allocateCommon);
      return;
    }
    const body = operation.request();
    if (body.type === 'map') return this.#map(body);
    this.#token = (this.#token % 0xffff) + 1;
    const request = { ...body, dev: this.#number, token: this.#token };
    const { codec } = this.#revision;
    const message = request as StandardMessage;
    const length = codec.encode(message, this.#frame, 0, this.#bus.maxMessageSize);
    this.#awaited = peekId(this.#frame);
    this.#bus.send(this.#frame, length);
  }

  #map(request: MapRequest): void {
    this.#mapping = request;
    const { regions } = this.#bus;
    if (regions === undefined) this.regionMapped(0, 'the bus carries no shared memory regions');
    else regions.map(this.#number, request.place, request.length, this);
  }

  #handle(): void {
    const operation = this.#operation!;
    // What the bus itself was asked for has its reply already.
    if (operation !== 'allocate' && this.#reply === null) {
      const progress = operation.response(this.#response!);
      if (progress === 'next') return this.#chart.send({ type: 'NEXT' });
      if (progress === 'later') return this.#chart.send({ type: 'LATER' });
      this.#reply = progress;
    }
    this.#chart.send({ type: 'DONE' });
  }

  #finish(reply: TransportReply): void {
    this.#operation = null;
    this.#mapping = null;
    this.#awaited = -1;
    this.#reply = null;
    this.#listener!.reply(reply);
  }

  #decode(bytes: Uint8Array, length: number): StandardMessage | null {
    try {
      return this.#revision.codec.decode(bytes, length);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
      return null;
    }
  }

  #violation(code: 'MALFORMED_MESSAGE' | 'UNEXPECTED_MESSAGE' | 'TIMEOUT', text: string): void {
    this.#node.violations.report(code, `${this.#name}: ${text}`);
  }
}
