// The driver's side of a mailbox bus that speaks ALPHA: what the transport says in its revision is said in the
// messages of 2024, one exchange after another, and what those cannot say is made up as Linux does.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../../platform/contracts/index.ts';
import type { Packet } from '../../../platform/kernel/index.ts';
import type { Chart } from '../../../platform/machine/index.ts';
import { type CpuClient, Priority } from '../../../platform/node/index.ts';
import {
  type Codec,
  peekIsEvent,
  revision,
  type StandardMessages,
} from '../../../platform/virtio/messages/index.ts';
import {
  type MessageOf,
  NIL_UUID,
  type RequestOf,
  readU32,
  writeU32,
} from '../../../platform/wire/index.ts';
import { type DriverLink, FrameQueue, type LinkClient } from '../../common/index.ts';
import { MailboxDriverLink } from '../driver-link.ts';
import type { MailboxOptions } from '../options.ts';
import {
  type AlphaExchangeEffect,
  type AlphaExchangeEvent,
  alphaExchangeChart,
} from './exchange-chart.ts';
import {
  ALPHA_SIZE,
  type AlphaBody,
  type AlphaMessage,
  type AlphaName,
  decodeAlpha,
  encodeAlpha,
  FEATURE_WORDS,
  rangeOf,
  splitRange,
} from './messages.ts';

type Message = MessageOf<StandardMessages>;
type Request = RequestOf<StandardMessages>;

/** What DEVICE_INFO does not tell: the driver finds out by asking for more than there is. */
const FEATURE_BITS = 32 * FEATURE_WORDS;
const CONFIG_SIZE = 2 ** 24;
const QUEUES = 65_536;
/** Of the flags of GET_VQUEUE in v2: a queue is enabled when it is set. */
const ENABLED = 1;

export interface AlphaOptions {
  /** Bytes of the largest message that transports may make. */
  readonly maxMessageSize: number;
  /** ps that an answer may take. */
  readonly timeout: number;
}

export class AlphaDriverLink implements DriverLink, LinkClient, CpuClient {
  readonly #environment: BusEnvironment<MailboxOptions>;
  readonly #client: LinkClient;
  /** Of the revision that the transports speak; the bodies have the same values in all of them. */
  readonly #codec: Codec<StandardMessages>;
  readonly #inner: MailboxDriverLink;
  readonly #chart: Chart<unknown, AlphaExchangeEvent>;
  /** Requests that wait for their turn. */
  readonly #requests: FrameQueue;
  readonly #answers: FrameQueue;
  readonly #alpha = new Uint8Array(ALPHA_SIZE);
  readonly #frame: Uint8Array;
  /** The request under way, and which answer it waits for. */
  #request: Request | null = null;
  #awaited: AlphaName | null = null;
  /** Of the device under way, as it was read before its configuration. */
  #generation = 0;
  /** Sizes of queues that were set, by device and queue: the device's side does not tell them. */
  readonly #sizes = new Map<number, number>();
  /** Requests that waited behind another, and answers that nobody waited for. */
  #waited = 0;
  #strays = 0;

  constructor(
    environment: BusEnvironment<MailboxOptions>,
    client: LinkClient,
    { maxMessageSize, timeout }: AlphaOptions,
  ) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.#codec = revision(plan.revision).codec;
    this.#inner = new MailboxDriverLink(environment, this);
    this.#requests = new FrameQueue(maxMessageSize);
    this.#answers = new FrameQueue(maxMessageSize);
    this.#frame = new Uint8Array(maxMessageSize);
    this.#chart = node.charts.start(alphaExchangeChart, {
      name: `${plan.name}.alpha`,
      input: { timeout },
      perform: (effect: AlphaExchangeEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  connect(): void {
    this.#inner.connect();
  }

  send(bytes: Uint8Array, length: number): void {
    if (peekIsEvent(bytes)) return this.#sendEvent(this.#codec.decode(bytes, length));
    if (this.#request !== null) this.#waited++;
    this.#requests.push(bytes, length);
    this.#chart.send({ type: 'WORK' });
  }

  clear(): void {
    this.#requests.clear();
    this.#inner.clear();
  }

  receive(packet: Packet): void {
    this.#inner.receive(packet);
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    this.#inner.allocate(deviceNumber, client, length);
  }

  busAddress(address: number): number {
    return this.#inner.busAddress(address);
  }

  release(deviceNumber: number): void {
    this.#inner.release(deviceNumber);
  }

  statistics(): Statistics {
    return { ...this.#inner.statistics(), alphaWaited: this.#waited, alphaStrays: this.#strays };
  }

  up(): void {
    this.#client.up();
  }

  down(reason: string): void {
    this.#client.down(reason);
  }

  /** A message of the device's side, in an element that may be larger. */
  frame(bytes: Uint8Array, length: number): void {
    const message = decodeAlpha(bytes, length, 'driver');
    if (message === null) {
      const { node, plan } = this.#environment;
      const text = `${plan.name}: no message of the dialect`;
      return node.violations.report('MALFORMED_MESSAGE', text);
    }
    if (!message.isResponse) return this.#event(message);
    const request = this.#request;
    if (request === null || message.name !== this.#awaited || message.device !== request.dev) {
      this.#strays++;
      return;
    }
    this.#answered(request, message);
  }

  /** An answer that was made up is told on a core, as all that arrives. */
  deliver(): void {
    const { bytes, length } = this.#answers.shift();
    this.#client.frame(bytes, length);
  }

  #perform(effect: AlphaExchangeEffect): void {
    if (effect.type === 'next') return this.#next();
    // Its transport repeats it in time, or gives up as well.
    this.#request = null;
    this.#awaited = null;
  }

  #next(): void {
    while (this.#requests.length > 0) {
      const { bytes, length } = this.#requests.shift();
      const request = this.#codec.decode(bytes, length) as Request;
      this.#request = request;
      this.#awaited = this.#ask(request);
      if (this.#awaited !== null) return this.#chart.send({ type: 'ASKED' });
    }
    this.#request = null;
    this.#chart.send({ type: 'NOTHING' });
  }

  /** Sends what a request comes to. Returns the answer to wait for, or null when there is none. */
  #ask(request: Request): AlphaName | null {
    switch (request.type) {
      case 'req.GET_DEVICE_INFO':
        return this.#post('DEVICE_INFO', request.dev, {});
      case 'req.GET_DEVICE_FEATURES':
        return this.#post('GET_FEATURES', request.dev, {
          index: request.body.blockIndex / FEATURE_WORDS,
        });
      case 'req.SET_DRIVER_FEATURES': {
        const { blockIndex, features } = request.body;
        const bytes = new Uint8Array(4 * FEATURE_WORDS);
        features.forEach((word, i) => void writeU32(bytes, 4 * i, word));
        const body = { index: blockIndex / FEATURE_WORDS, features: bytes };
        this.#post('SET_FEATURES', request.dev, body);
        return this.#reply(request, { type: 'res.SET_DRIVER_FEATURES', body: {} });
      }
      case 'req.GET_CONFIG':
        return this.#post('GET_CONFIG_GEN', request.dev, {});
      case 'req.SET_CONFIG': {
        const { offset, data } = request.body;
        return this.#post('SET_CONFIG', request.dev, {
          range: rangeOf(offset, data.length),
          value: padded(data),
        });
      }
      case 'req.GET_DEVICE_STATUS':
        return this.#post('GET_DEVICE_STATUS', request.dev, {});
      case 'req.SET_DEVICE_STATUS':
        // Nothing answers that: what came of it is asked for.
        if (request.body.status === 0) this.#forgetSizes(request.dev);
        this.#post('SET_DEVICE_STATUS', request.dev, { status: request.body.status });
        return this.#post('GET_DEVICE_STATUS', request.dev, {});
      case 'req.GET_VQUEUE':
        return this.#post('GET_VQUEUE', request.dev, { index: request.body.index });
      case 'req.SET_VQUEUE': {
        const { index, size, descriptorArea, driverArea, deviceArea } = request.body;
        const areas = { descriptorArea, driverArea, deviceArea };
        this.#sizes.set(sizeKey(request.dev, index), size);
        this.#post('SET_VQUEUE', request.dev, { index, size, ...areas });
        return this.#reply(request, { type: 'res.SET_VQUEUE', body: {} });
      }
      case 'req.RESET_VQUEUE':
        this.#sizes.delete(sizeKey(request.dev, request.body.index));
        this.#post('RESET_VQUEUE', request.dev, { index: request.body.index });
        return this.#reply(request, { type: 'res.RESET_VQUEUE', body: {} });
      default:
        // No such message: to whoever sent it, nobody answers.
        return null;
    }
  }

  /** Takes the answer that was awaited; some requests need a second exchange. */
  #answered(request: Request, { name, body }: AlphaMessage): void {
    if (name === 'GET_CONFIG_GEN' && request.type === 'req.GET_CONFIG') {
      const { offset, length } = request.body;
      this.#generation = body['generation'] as number;
      this.#awaited = this.#post('GET_CONFIG', request.dev, { range: rangeOf(offset, length) });
      return;
    }
    this.#awaited = null;
    if (request.type === 'req.GET_VQUEUE')
      this.#tell(request, this.#queueAnswer(request.dev, body));
    else this.#tell(request, answerTo(request, body, this.#generation));
    this.#chart.send({ type: 'ANSWERED' });
  }

  #queueAnswer(device: number, body: AlphaBody): Answer {
    const index = body['index'] as number;
    const size = this.#sizes.get(sizeKey(device, index)) ?? 0;
    const areas = { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };
    const maxSize = body['maxSize'] as number;
    const flags = size > 0 ? ENABLED : 0;
    return { type: 'res.GET_VQUEUE', body: { index, maxSize, size, flags, ...areas } };
  }

  #forgetSizes(device: number): void {
    for (const key of this.#sizes.keys()) {
      if (Math.floor(key / QUEUES) === device) this.#sizes.delete(key);
    }
  }

  #event({ name, device, body }: AlphaMessage): void {
    if (name === 'EVENT_USED') {
      const used = { type: 'req.EVENT_USED', body: { index: body['index'] as number } } as const;
      return this.#tell({ dev: device, token: 0 }, used);
    }
    if (name !== 'EVENT_CONFIG') return;
    const status = Number(body['status']);
    const { offset, size: length } = splitRange(body['range']);
    const data = (body['value'] as Uint8Array).subarray(0, length);
    const config = { status, generation: 0, offset, length: data.length, data };
    this.#tell({ dev: device, token: 0 }, { type: 'req.EVENT_CONFIG', body: config });
  }

  #sendEvent(message: Message): void {
    if (message.type !== 'req.EVENT_AVAIL') return;
    const { index, nextOffset } = message.body;
    this.#post('EVENT_AVAIL', message.dev, {
      index,
      nextOffset: BigInt(nextOffset % 2 ** 31),
      nextWrap: nextOffset >= 2 ** 31 ? 1n : 0n,
    });
  }

  #post(name: AlphaName, device: number, body: AlphaBody): AlphaName {
    encodeAlpha({ name, isResponse: false, device, body }, this.#alpha);
    this.#inner.send(this.#alpha, ALPHA_SIZE);
    return name;
  }

  /** Answers in the device's stead, a moment later. */
  #reply({ dev, token }: Request, answer: Answer): null {
    const { node } = this.#environment;
    const message = { ...answer, dev, token } as Message;
    const length = this.#codec.encode(message, this.#frame, 0, this.#frame.length);
    this.#answers.push(this.#frame, length);
    node.cpu.submit(Priority.task, 0, this, 0);
    return null;
  }

  #tell({ dev, token }: Pick<Message, 'dev' | 'token'>, answer: Answer): void {
    const message = { ...answer, dev, token } as Message;
    const length = this.#codec.encode(message, this.#frame, 0, this.#frame.length);
    this.#client.frame(this.#frame, length);
  }
}

/** A message but for its header. */
type Answer = Message extends infer M
  ? M extends { readonly type: infer T; readonly body: infer B }
    ? { readonly type: T; readonly body: B }
    : never
  : never;

/** What the transport is told. */
function answerTo(request: Request, body: AlphaBody, generation: number): Answer {
  const number = (field: string) => body[field] as number;
  switch (request.type) {
    case 'req.GET_DEVICE_INFO':
      return {
        type: 'res.GET_DEVICE_INFO',
        body: {
          ...{ deviceId: number('deviceId'), vendorId: number('vendorId'), uuid: NIL_UUID },
          ...{ featureBits: FEATURE_BITS, configSize: CONFIG_SIZE, maxVirtqueues: QUEUES },
          ...{ adminStart: 0, adminCount: 0 },
        },
      };
    case 'req.GET_DEVICE_FEATURES': {
      const { blockIndex, blockCount } = request.body;
      const bytes = body['features'] as Uint8Array;
      const count = Math.min(blockCount, FEATURE_WORDS);
      const features = Array.from({ length: count }, (_, i) => readU32(bytes, 4 * i));
      return {
        type: 'res.GET_DEVICE_FEATURES',
        body: { blockIndex, blockCount: count, features },
      };
    }
    case 'req.GET_CONFIG': {
      const { offset, size: length } = splitRange(body['range']);
      const data = (body['value'] as Uint8Array).subarray(0, length);
      return { type: 'res.GET_CONFIG', body: { generation, offset, length, data } };
    }
    case 'req.SET_CONFIG': {
      const { offset, size: length } = splitRange(body['range']);
      const data = (body['value'] as Uint8Array).subarray(0, length);
      return { type: 'res.SET_CONFIG', body: { generation: 0, offset, length, data } };
    }
    case 'req.SET_DEVICE_STATUS':
      return { type: 'res.SET_DEVICE_STATUS', body: { status: number('status') } };
    default:
      return { type: 'res.GET_DEVICE_STATUS', body: { status: number('status') } };
  }
}

function sizeKey(device: number, queue: number): number {
  return device * QUEUES + queue;
}

function padded(data: Uint8Array): Uint8Array {
  const value = new Uint8Array(32);
  value.set(data);
  return value;
}
