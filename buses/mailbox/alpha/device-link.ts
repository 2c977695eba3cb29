// The device's side of a mailbox bus that speaks ALPHA: requests of 2024 become those of the revision, and what
// the transport answers goes back in 40 bytes, where an answer is expected at all.
import type { BusEnvironment, DmaPort, Statistics } from '../../../platform/contracts/index.ts';
import type { Packet } from '../../../platform/kernel/index.ts';
import {
  type Codec,
  QueueState,
  revision,
  type StandardMessages,
} from '../../../platform/virtio/messages/index.ts';
import { type MessageOf, type RequestOf, readU32, writeU32 } from '../../../platform/wire/index.ts';
import type { DeviceLink, LinkClient } from '../../common/index.ts';
import { MailboxDeviceLink } from '../device-link.ts';
import type { MailboxOptions } from '../options.ts';
import {
  ALPHA_SIZE,
  ALPHA_VERSION,
  type AlphaBody,
  type AlphaMessage,
  type AlphaName,
  CONFIG_BYTES,
  decodeAlpha,
  EVENT_CONFIG_BYTES,
  encodeAlpha,
  FEATURE_WORDS,
  rangeOf,
  splitRange,
} from './messages.ts';

type Message = MessageOf<StandardMessages>;
type Request = RequestOf<StandardMessages>;
type Body<M> = M extends { readonly type: infer T; readonly body: infer B }
  ? { readonly type: T; readonly body: B }
  : never;

// What a request to the transport was made for; its response has the same token.
const PLAIN = 1;
const GENERATION = 2;
const PRIVATE = 3;

export class AlphaDeviceLink implements DeviceLink, LinkClient {
  readonly #environment: BusEnvironment<MailboxOptions>;
  readonly #client: LinkClient;
  /** Of the revision that the transports speak; the bodies have the same values in all of them. */
  readonly #codec: Codec<StandardMessages>;
  readonly #inner: MailboxDeviceLink;
  readonly #alpha = new Uint8Array(ALPHA_SIZE);
  readonly #frame: Uint8Array;
  /** Generation of the configuration that was last read. */
  #generation = 0;

  constructor(
    environment: BusEnvironment<MailboxOptions>,
    client: LinkClient,
    maxMessageSize: number,
  ) {
    this.#environment = environment;
    this.#client = client;
    this.#codec = revision(environment.plan.revision).codec;
    this.#frame = new Uint8Array(maxMessageSize);
    this.#inner = new MailboxDeviceLink(environment, this);
  }

  get dma(): DmaPort {
    return this.#inner.dma;
  }

  send(bytes: Uint8Array, length: number): void {
    const message = this.#codec.decode(bytes, length);
    if (message.type === 'res.GET_CONFIG') this.#generation = message.body.generation;
    const name = nameOf(message);
    if (name === null) return;
    const { dev: device } = message;
    const isResponse = message.type.startsWith('res.');
    encodeAlpha({ name, isResponse, device, body: bodyOf(message) }, this.#alpha);
    this.#inner.send(this.#alpha, ALPHA_SIZE);
  }

  receive(packet: Packet): void {
    this.#inner.receive(packet);
  }

  statistics(): Statistics {
    return this.#inner.statistics();
  }

  up(): void {
    this.#client.up();
  }

  down(reason: string): void {
    this.#client.down(reason);
  }

  frame(bytes: Uint8Array, length: number): void {
    const message = decodeAlpha(bytes, length, 'device');
    if (message !== null) return this.#request(message);
    const { node, plan } = this.#environment;
    node.violations.report('MALFORMED_MESSAGE', `${plan.name}: no message of the dialect`);
  }

  #request({ name, device, body }: AlphaMessage): void {
    const number = (field: string) => body[field] as number;
    switch (name) {
      case 'DEVICE_INFO':
        return this.#tell(device, { type: 'req.GET_DEVICE_INFO', body: {} });
      case 'GET_FEATURES': {
        const window = { blockIndex: number('index') * FEATURE_WORDS, blockCount: FEATURE_WORDS };
        return this.#tell(device, { type: 'req.GET_DEVICE_FEATURES', body: window });
      }
      case 'SET_FEATURES':
        return this.#tell(device, {
          type: 'req.SET_DRIVER_FEATURES',
          body: {
            blockIndex: number('index') * FEATURE_WORDS,
            blockCount: FEATURE_WORDS,
            features: wordsOf(body['features'] as Uint8Array),
          },
        });
      case 'GET_CONFIG': {
        const { offset, size: wanted } = splitRange(body['range']);
        const length = Math.min(wanted, CONFIG_BYTES);
        return this.#tell(device, { type: 'req.GET_CONFIG', body: { offset, length } });
      }
      case 'SET_CONFIG':
        return this.#setConfig(device, body);
      case 'GET_CONFIG_GEN':
        return this.#readGeneration(device, GENERATION);
      case 'GET_DEVICE_STATUS':
        return this.#tell(device, { type: 'req.GET_DEVICE_STATUS', body: {} });
      case 'SET_DEVICE_STATUS': {
        const status = { status: number('status') };
        return this.#tell(device, { type: 'req.SET_DEVICE_STATUS', body: status });
      }
      case 'GET_VQUEUE':
        return this.#tell(device, { type: 'req.GET_VQUEUE', body: { index: number('index') } });
      case 'SET_VQUEUE': {
        const { index, size, descriptorArea, driverArea, deviceArea } = body as never;
        const areas = { descriptorArea, driverArea, deviceArea };
        return this.#tell(device, {
          type: 'req.SET_VQUEUE',
          body: { index, flags: QueueState.enable, size, ...areas },
        });
      }
      case 'RESET_VQUEUE':
        return this.#tell(device, { type: 'req.RESET_VQUEUE', body: { index: number('index') } });
      case 'EVENT_AVAIL': {
        const wrap = Number(body['nextWrap']) === 0 ? 0 : 2 ** 31;
        const nextOffset = Number(body['nextOffset']) + wrap;
        const avail = { index: number('index'), nextOffset };
        return this.#tell(device, { type: 'req.EVENT_AVAIL', body: avail }, 0);
      }
      default:
        // Events of devices: nothing for one.
        return;
    }
  }

  /** Transports want to know which generation a write is for; this dialect does not say. */
  #setConfig(device: number, body: AlphaBody): void {
    this.#readGeneration(device, PRIVATE);
    const { offset, size } = splitRange(body['range']);
    const data = (body['value'] as Uint8Array).subarray(0, size);
    const { length } = data;
    const config = { generation: this.#generation, offset, length, data };
    this.#tell(device, { type: 'req.SET_CONFIG', body: config });
  }

  #readGeneration(device: number, token: number): void {
    this.#tell(device, { type: 'req.GET_CONFIG', body: { offset: 0, length: 0 } }, token);
  }

  #tell(dev: number, request: Body<Request>, token = PLAIN): void {
    const message = { ...request, dev, token } as Message;
    const length = this.#codec.encode(message, this.#frame, 0, this.#frame.length);
    this.#client.frame(this.#frame, length);
  }
}

/** The message that says in this dialect what one of the revision says; null for what nobody waits for. */
function nameOf({ type, token }: Message): AlphaName | null {
  switch (type) {
    case 'res.GET_DEVICE_INFO':
      return 'DEVICE_INFO';
    case 'res.GET_DEVICE_FEATURES':
      return 'GET_FEATURES';
    case 'res.GET_CONFIG':
      if (token === PRIVATE) return null;
      return token === GENERATION ? 'GET_CONFIG_GEN' : 'GET_CONFIG';
    case 'res.SET_CONFIG':
      return 'SET_CONFIG';
    case 'res.GET_DEVICE_STATUS':
      return 'GET_DEVICE_STATUS';
    case 'res.GET_VQUEUE':
      return 'GET_VQUEUE';
    case 'req.EVENT_CONFIG':
      return 'EVENT_CONFIG';
    case 'req.EVENT_USED':
      return 'EVENT_USED';
    default:
      return null;
  }
}

function bodyOf(message: Message): AlphaBody {
  switch (message.type) {
    case 'res.GET_DEVICE_INFO': {
      const { deviceId, vendorId } = message.body;
      return { version: ALPHA_VERSION, deviceId, vendorId };
    }
    case 'res.GET_DEVICE_FEATURES': {
      const bytes = new Uint8Array(4 * FEATURE_WORDS);
      message.body.features.forEach((word, i) => void writeU32(bytes, 4 * i, word));
      return { index: message.body.blockIndex / FEATURE_WORDS, features: bytes };
    }
    case 'res.GET_CONFIG':
      if (message.token === GENERATION) return { generation: message.body.generation };
      return configOf(message.body, CONFIG_BYTES);
    case 'res.SET_CONFIG':
      return configOf(message.body, CONFIG_BYTES);
    case 'res.GET_DEVICE_STATUS':
      return { status: message.body.status };
    case 'res.GET_VQUEUE':
      return { index: message.body.index, maxSize: message.body.maxSize };
    case 'req.EVENT_CONFIG':
      return { status: BigInt(message.body.status), ...changeOf(message.body) };
    default:
      return message.body as unknown as AlphaBody;
  }
}

/** A change with its bytes, or one of anything if they don't fit. */
function changeOf(body: { readonly offset: number; readonly data: Uint8Array }): AlphaBody {
  const fits = body.data.length <= EVENT_CONFIG_BYTES;
  return configOf(fits ? body : { offset: 0, data: new Uint8Array(0) }, EVENT_CONFIG_BYTES);
}

/** A range and its bytes, of which so many fit. */
function configOf(
  { offset, data }: { readonly offset: number; readonly data: Uint8Array },
  room: number,
): AlphaBody {
  const value = new Uint8Array(room);
  const size = Math.min(data.length, room);
  value.set(data.subarray(0, size));
  return { range: rangeOf(offset, size), value };
}

function wordsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: FEATURE_WORDS }, (_, i) => readU32(bytes, 4 * i));
}
