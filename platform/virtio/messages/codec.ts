// Encodes, decodes and describes whole messages, header included, after a table. A bus adds its
// private messages by handing over a table of its own.
import { assert } from '../../errors.ts';
import {
  type Layout,
  LayoutCodec,
  type MessageOf,
  type MessageRow,
  type MessageTable,
  type Value,
  WireError,
} from '../../wire/index.ts';
import {
  EXPRESSIBLE_SIZE_MAX,
  HEADER_SIZE,
  peekDevice,
  peekId,
  peekSize,
  peekToken,
  peekType,
  TYPE_BUS,
  TYPE_RESPONSE,
  writeHeader,
} from './header.ts';

/** One direction of a row: its request (or event), or its response. */
export interface Leg {
  /** `req.NAME` or `res.NAME`. */
  readonly type: string;
  readonly name: string;
  readonly row: MessageRow;
  readonly rowIndex: number;
  readonly isResponse: boolean;
  /** The header's type byte. */
  readonly typeByte: number;
  readonly layout: LayoutCodec;
  /** Bytes of the shortest whole message. */
  readonly leastSize: number;
  /** Bytes below which the message is of no use: one block of features, one byte of data. */
  readonly usefulSize: number;
}

/** A message without the exact type of its body. */
export interface LooseMessage {
  readonly type: string;
  readonly dev: number;
  readonly token: number;
  readonly body: object;
}

/** Index of a header without a row in the codec's table. */
export const NO_ROW = -1;

/** The codec of one table of messages. */
export class Codec<T extends MessageTable> {
  readonly table: T;
  /** Names of the rows, by row index. */
  readonly names: readonly string[];
  readonly legs: readonly Leg[];
  /** Bytes of the header of its messages. */
  readonly headerSize: number;
  readonly #byType = new Map<string, Leg>();
  /** Leg by type byte and id: `type << 8 | id`. */
  readonly #byHeader: (Leg | null)[] = Array(4 << 8).fill(null);
  /** Row index by scope and id, for counting without decoding: `bus << 8 | id`. */
  readonly #rowIndex = new Int16Array(2 << 8).fill(NO_ROW);

  constructor(table: T, headerSize = HEADER_SIZE) {
    this.table = table;
    this.headerSize = headerSize;
    this.names = Object.keys(table);
    const legs: Leg[] = [];
    this.names.forEach((name, rowIndex) => {
      const row = table[name];
      const bus = row.scope === 'bus' ? TYPE_BUS : 0;
      this.#rowIndex[(bus << 7) | row.id] = rowIndex;
      if (row.request !== undefined)
        legs.push(makeLeg(name, row, rowIndex, row.request, bus, headerSize));
      if (row.response !== undefined) {
        const typeByte = bus | TYPE_RESPONSE;
        legs.push(makeLeg(name, row, rowIndex, row.response, typeByte, headerSize));
      }
    });
    for (const leg of legs) {
      this.#byType.set(leg.type, leg);
      this.#byHeader[(leg.typeByte << 8) | leg.row.id] = leg;
    }
    this.legs = legs;
  }

  /**
   * Writes a message at `at`, within `limit` bytes (the bus maximum, or what the target has left),
   * and returns its length. Throws WireError RANGE or SIZE before anything is written.
   */
  encode(
    message: MessageOf<T>,
    target: Uint8Array,
    at = 0,
    limit: number = target.length - at,
  ): number {
    const loose = message as LooseMessage;
    const leg = this.leg(loose.type);
    const body = loose.body as Value<Layout>;
    const { headerSize } = this;
    const size = headerSize + leg.layout.sizeOf(body);
    checkHeader(loose, leg, headerSize);
    if (size > limit || size > EXPRESSIBLE_SIZE_MAX) {
      const most = Math.min(limit, EXPRESSIBLE_SIZE_MAX);
      throw new WireError('SIZE', `${leg.type} needs ${size} bytes, at most ${most} are possible`);
    }
    leg.layout.encode(body, target, at + headerSize);
    const { dev, token } = loose;
    writeHeader(target, at, leg.typeByte, leg.row.id, dev, token, size, headerSize);
    return size;
  }

  /**
   * Reads the message in the first of the `length` bytes at `at`. Padding after a body, and bytes
   * after the message, are ignored. Throws WireError and nothing else, whatever the bytes.
   */
  decode(bytes: Uint8Array, length: number, at = 0): MessageOf<T> {
    const leg = this.legAt(bytes, length, at);
    const { headerSize } = this;
    const body = leg.layout.decode(bytes, at + headerSize, peekSize(bytes, at) - headerSize);
    const message: LooseMessage = {
      type: leg.type,
      dev: peekDevice(bytes, at, headerSize),
      token: peekToken(bytes, at),
      body,
    };
    return message as MessageOf<T>;
  }

  /** Finds the leg that a header names. Throws WireError SHORT, SIZE or UNKNOWN_ID. */
  legAt(bytes: Uint8Array, length: number, at = 0): Leg {
    const present = Math.min(length, bytes.length - at);
    const { headerSize } = this;
    if (present < headerSize) {
      throw new WireError('SHORT', `${present} bytes are less than a header of ${headerSize}`);
    }
    const size = peekSize(bytes, at);
    if (size < headerSize) throw new WireError('SIZE', `msg_size ${size} is less than a header`);
    if (size > present) {
      throw new WireError('SHORT', `msg_size is ${size}, but only ${present} bytes are there`);
    }
    const leg = this.#byHeader[(peekType(bytes, at) << 8) | peekId(bytes, at)];
    if (leg === null) throw new WireError('UNKNOWN_ID', unknownText(bytes, at));
    return leg;
  }

  /** Index of the row that a header names, NO_ROW for none. Allocates nothing. */
  rowIndexAt(bytes: Uint8Array, at = 0): number {
    return this.#rowIndex[((bytes[at] & TYPE_BUS) << 7) | bytes[at + 1]];
  }

  /** Index of the row with this name, NO_ROW for none. */
  rowIndexOf(name: string): number {
    return this.names.indexOf(name);
  }

  /** The leg of a message type such as `req.GET_CONFIG`. An unknown one is our own bug. */
  leg(type: string): Leg {
    const leg = this.#byType.get(type);
    assert(leg !== undefined, `no message ${type} in this codec`);
    return leg;
  }

  /** Makes one line of text: `req GET_CONFIG dev=3 tok=17 offset=0 length=4`. */
  text(message: MessageOf<T>): string {
    const loose = message as LooseMessage;
    const leg = this.leg(loose.type);
    const body = leg.layout.text(loose.body as Value<Layout>);
    const head = `${leg.type.replace('.', ' ')} dev=${loose.dev} tok=${loose.token}`;
    return body === '' ? head : `${head} ${body}`;
  }
}

function makeLeg(
  name: string,
  row: MessageRow,
  rowIndex: number,
  layout: Layout,
  typeByte: number,
  headerSize: number,
): Leg {
  const isResponse = (typeByte & TYPE_RESPONSE) !== 0;
  const type = `${isResponse ? 'res' : 'req'}.${name}`;
  const codec = new LayoutCodec(type, layout);
  return {
    type,
    name,
    row,
    rowIndex,
    isResponse,
    typeByte,
    layout: codec,
    leastSize: headerSize + codec.fixedSize,
    usefulSize: headerSize + codec.usefulSize,
  };
}

function checkHeader({ dev, token }: LooseMessage, leg: Leg, headerSize: number): void {
  const devMax = headerSize === HEADER_SIZE ? 0xffff : 0xffff_ffff;
  if (!Number.isInteger(dev) || dev < 0 || dev > devMax) {
    throw new WireError('RANGE', `${leg.type}: dev_num cannot be ${dev}`);
  }
  if (!Number.isInteger(token) || token < 0 || token > 0xffff) {
    throw new WireError('RANGE', `${leg.type}: token cannot be ${token}`);
  }
  if (leg.row.scope === 'bus' && dev !== 0 && leg.row.namesDevice !== true) {
    throw new WireError('RANGE', `${leg.type} is a bus message: dev_num is 0, not ${dev}`);
  }
}

function unknownText(bytes: Uint8Array, at: number): string {
  const type = peekType(bytes, at);
  const scope = (type & TYPE_BUS) !== 0 ? 'bus' : 'transport';
  const direction = (type & TYPE_RESPONSE) !== 0 ? 'response' : 'request or event';
  const id = peekId(bytes, at).toString(16).padStart(2, '0');
  const hint = bytes[at + 1] >= 0x80 ? ' (implementation-defined ids are known per bus)' : '';
  return `no ${scope} ${direction} has the id 0x${id}${hint}`;
}
