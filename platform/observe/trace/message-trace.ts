// The messages of a run, in simulated order, each decoded: what the groups recorded put together again.
import type { BusDefinition, BusSide, Topology } from '../../contracts/index.ts';
import {
  type MessageRecord,
  piecesOf,
  type RecordedMessages,
  senderOf,
} from '../../hosts/index.ts';
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
  readonly records: readonly RecordedMessages[];
}

/** A message as it is in a record. */
interface Recorded {
  readonly ps: number;
  readonly bus: number;
  readonly from: BusSide;
  readonly dropped: boolean;
  readonly bytes: Uint8Array;
}

/**
 * All messages of a run, decoded one by one as they are asked for. They come in the order of time; those
 * of one instant by node, and those of one node in the order of its events: on any number of threads alike.
 */
export class MessageTrace implements Iterable<TracedMessage> {
  readonly #source: TraceSource;
  readonly #codecs = new Map<string, Codec<never>>();
  readonly #devices = new Map<string, string>();

  constructor(source: TraceSource) {
    this.#source = source;
    for (const { bus, number, name } of source.topology.devices) {
      this.#devices.set(`${bus} ${number}`, name);
    }
  }

  *[Symbol.iterator](): Iterator<TracedMessage> {
    const { topology, records } = this.#source;
    const nodeOf = ({ bus, from }: Recorded) => topology.buses[bus][from];
    const readers = records.map((recorded) => new RecordReader(recorded));
    for (;;) {
      const at = readers.reduce((least, reader) => Math.min(least, reader.at), Infinity);
      if (at === Infinity) return;
      const together: Recorded[] = [];
      for (const reader of readers) while (reader.at === at) together.push(reader.take());
      // A node is in one record, where its messages are in their order; a sort keeps that.
      together.sort((one, other) => nodeOf(one) - nodeOf(other));
      for (const recorded of together) yield this.#traced(recorded);
    }
  }

  #traced({ ps, bus, from, dropped, bytes }: Recorded): TracedMessage {
    const known = this.#codecOf(bus, from);
    const whole = bytes.length >= known.headerSize;
    const { message, body, text } = decoded(known, bytes);
    const number = whole && !peekIsBus(bytes) ? peekDevice(bytes, 0, known.headerSize) : null;
    return {
      ps,
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

/** The messages of one record, one after the other. */
class RecordReader {
  /** When the next message was sent; Infinity when there is none. */
  at = Infinity;
  readonly #pieces: Iterator<MessageRecord>;
  #piece: MessageRecord | null = null;
  #index = -1;

  constructor(recorded: RecordedMessages) {
    this.#pieces = piecesOf(recorded)[Symbol.iterator]();
    this.#advance();
  }

  take(): Recorded {
    const { sender, end, bytes } = this.#piece!;
    const index = this.#index;
    const start = index === 0 ? 0 : end[index - 1];
    const taken = {
      ...senderOf(sender[index]),
      ps: this.at,
      bytes: bytes.subarray(start, end[index]),
    };
    this.#advance();
    return taken;
  }

  #advance(): void {
    this.#index++;
    while (this.#piece === null || this.#index === this.#piece.count) {
      const { done, value } = this.#pieces.next();
      if (done === true) {
        this.at = Infinity;
        return;
      }
      this.#piece = value;
      this.#index = 0;
    }
    this.at = this.#piece.at[this.#index];
  }
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
