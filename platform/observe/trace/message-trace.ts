// The messages of a run, in simulated order, each decoded: what the groups recorded put together again.
import type { BusDefinition, BusSide, Topology } from '../../contracts/index.ts';
import { type MessageRecord, senderOf } from '../../hosts/index.ts';
import {
  type Codec,
  codec,
  peekDevice,
  peekIsBus,
  peekToken,
} from '../../virtio/messages/index.ts';
import { WireError } from '../../wire/index.ts';

/** One message that an end of a bus has sent, or would have sent but for a fault rule. */
export interface TracedMessage {
  /** When its bytes went on their way. */
  readonly ps: number;
  readonly bus: string;
  /** The end that sent it. */
  readonly from: BusSide;
  /** `req.NAME` or `res.NAME`; null when the bytes are no message that this bus knows. */
  readonly message: string | null;
  /** Device number of its header; null for a message of the bus itself. */
  readonly number: number | null;
  /** The scenario's name of that device, if it has one of this number on the bus. */
  readonly device: string | null;
  readonly token: number;
  /** Bytes on the bus. */
  readonly size: number;
  /** Its fields by name: numbers, 64-bit ones as bigint, data as bytes. */
  readonly body: Readonly<Record<string, unknown>>;
  /** One line, as `busbar decode` prints it, or what is wrong with the bytes. */
  readonly text: string;
  /** A fault rule has dropped it. */
  readonly dropped: boolean;
  readonly bytes: Uint8Array;
}

export interface TraceSource {
  readonly topology: Topology;
  readonly buses: Readonly<Record<string, BusDefinition>>;
  /** Those of all groups. */
  readonly records: readonly MessageRecord[];
}

/**
 * All messages of a run, decoded one by one as they are asked for. They come in the order of time; those
 * of one instant by node, and those of one node in the order of its events: on any number of threads alike.
 */
export class MessageTrace implements Iterable<TracedMessage> {
  readonly #source: TraceSource;
  /** Messages as if the records followed one another. */
  readonly #order: Uint32Array;
  readonly #codecs = new Map<string, Codec<never>>();
  readonly #devices = new Map<string, string>();

  constructor(source: TraceSource) {
    this.#source = source;
    this.#order = orderOf(source);
    for (const { bus, number, name } of source.topology.devices) {
      this.#devices.set(`${bus} ${number}`, name);
    }
  }

  *[Symbol.iterator](): Iterator<TracedMessage> {
    const { records } = this.#source;
    for (const position of this.#order) {
      let record = 0;
      let index = position;
      while (index >= records[record].count) index -= records[record++].count;
      yield this.#messageAt(records[record], index);
    }
  }

  #messageAt(record: MessageRecord, index: number): TracedMessage {
    const { bus, from, dropped } = senderOf(record.sender[index]);
    const bytes = record.bytes.subarray(index === 0 ? 0 : record.end[index - 1], record.end[index]);
    const known = this.#codecOf(bus, from);
    const whole = bytes.length >= known.headerSize;
    const { message, body, text } = decoded(known, bytes);
    const number = whole && !peekIsBus(bytes) ? peekDevice(bytes, 0, known.headerSize) : null;
    return {
      ps: record.at[index],
      bus: this.#source.topology.buses[bus].name,
      from,
      message,
      number,
      device: this.#devices.get(`${bus} ${number}`) ?? null,
      token: whole ? peekToken(bytes) : 0,
      size: bytes.length,
      body,
      text,
      dropped,
      bytes,
    };
  }

  #codecOf(bus: number, from: BusSide): Codec<never> {
    const key = `${bus} ${from}`;
    const known = this.#codecs.get(key);
    if (known !== undefined) return known;
    const plan = this.#source.topology.buses[bus];
    const { ownMessages = {}, dialectOf, deviceBits } = this.#source.buses[plan.type];
    const dialect = dialectOf?.(plan, from) ?? Object.keys(ownMessages)[0];
    const own = ownMessages[dialect] ?? {};
    const bits = deviceBits?.(plan.options) ?? 16;
    const made = codec(plan.revision, own, bits) as unknown as Codec<never>;
    this.#codecs.set(key, made);
    return made;
  }
}

function orderOf({ topology, records }: TraceSource): Uint32Array {
  const count = records.reduce((sum, record) => sum + record.count, 0);
  const at = new Float64Array(count);
  const node = new Uint32Array(count);
  let next = 0;
  for (const record of records) {
    at.set(record.at, next);
    for (const sender of record.sender) {
      const { bus, from } = senderOf(sender);
      node[next++] = topology.buses[bus][from];
    }
  }
  // A node is in one record, where its messages are in their order.
  const before = (a: number, b: number) => at[a] - at[b] || node[a] - node[b] || a - b;
  return Uint32Array.from({ length: count }, (_, position) => position).sort(before);
}

/** What is in the bytes. A hostile end may have sent anything. */
function decoded(
  messages: Codec<never>,
  bytes: Uint8Array,
): Pick<TracedMessage, 'message' | 'body' | 'text'> {
  try {
    const message = messages.decode(bytes, bytes.length) as { type: string; body: object };
    const body = message.body as Readonly<Record<string, unknown>>;
    return { message: message.type, body, text: messages.text(message as never) };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { message: null, body: {}, text: `no message: ${error.message}` };
  }
}
