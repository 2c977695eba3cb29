// What the device's end makes of a message: transport messages go to their devices, bus messages to the
// responder, and what can be neither gets the answer that the dialect has for it.
import type { ViolationCode } from '../../platform/node/index.ts';
import {
  type Codec,
  HEADER_SIZE,
  headerIsSound,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekToken,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import type { DeviceClients } from '../common/index.ts';
import type { BusResponder } from './bus-responder.ts';
import type { EventOutbox } from './event-outbox.ts';
import { type FfaBody, type FfaMessage, type FfaMessages, ffaMessages } from './messages.ts';

export interface DeviceInboxOptions {
  readonly codec: Codec<StandardMessages & FfaMessages>;
  readonly maxMessageSize: number;
  /** What cannot be answered gets ERROR; otherwise a message of zeroes. */
  readonly hasErrors: boolean;
  readonly clients: DeviceClients;
  readonly events: EventOutbox;
  readonly responder: () => BusResponder;
  /** True while the message being handled is a direct call: then even an event is answered. */
  isCall(): boolean;
  respond(bytes: Uint8Array, length: number): void;
  violation(code: ViolationCode, text: string): void;
}

export class DeviceInbox {
  readonly #options: DeviceInboxOptions;
  readonly #frame: Uint8Array;
  /** The message being handled. */
  #current: Uint8Array;

  constructor(options: DeviceInboxOptions) {
    this.#options = options;
    this.#frame = new Uint8Array(options.maxMessageSize);
    this.#current = this.#frame;
  }

  /** Handles a message on a core of the partition's. */
  handle(bytes: Uint8Array, length: number): void {
    const { clients, responder, violation } = this.#options;
    this.#current = bytes;
    if (!headerIsSound(bytes, length)) {
      violation('MALFORMED_MESSAGE', 'a frame without a sound header');
      // The answer repeats what there is of the header, not what an earlier frame left behind.
      if (length < HEADER_SIZE) bytes.fill(0, length, HEADER_SIZE);
      return this.#refuse();
    }
    const legal = responder().negotiated;
    if (peekIsBus(bytes)) return this.#handleBus(bytes, length, legal);
    const client = clients.get(peekDevice(bytes));
    if (client === undefined || !legal) {
      const code = legal ? 'UNKNOWN_DEVICE' : 'UNEXPECTED_MESSAGE';
      const late = legal && clients.isAbsent(peekDevice(bytes));
      if (!late) violation(code, `a message for device ${peekDevice(bytes)}`);
      return this.#refuse();
    }
    const accepted = client.message(bytes, length);
    if (peekIsEvent(bytes) || !accepted) this.#refuse();
  }

  /** Answers a bus request. */
  respond(response: FfaBody, token: number): void {
    this.#send({ ...response, dev: 0, token } as FfaMessage);
  }

  #handleBus(bytes: Uint8Array, length: number, legal: boolean): void {
    const { codec, responder, violation } = this.#options;
    // The most frequent bus message, without decoding.
    if (peekId(bytes) === ffaMessages.EVENT_POLL.id && legal) return this.#poll();
    let message: FfaMessage;
    try {
      message = codec.decode(bytes, length);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      violation('MALFORMED_MESSAGE', error.message);
      return this.#refuse();
    }
    if (!legal && message.type !== 'req.VERSION' && message.type !== 'req.RESET') {
      violation('UNEXPECTED_MESSAGE', `${message.type} before VERSION was agreed`);
      return this.#refuse();
    }
    if (responder().answer(message)) return;
    violation('UNEXPECTED_MESSAGE', `${message.type} at the device's end`);
    this.#refuse();
  }

  #poll(): void {
    const { events, respond } = this.#options;
    if (events.length === 0) {
      return this.respond({ type: 'res.EVENT_POLL', body: {} }, peekToken(this.#current));
    }
    const { bytes, length } = events.shift();
    respond(bytes, length);
  }

  /** Answers what gets no response: an event by call is acknowledged, all else is an ERROR. */
  #refuse(): void {
    const { isCall } = this.#options;
    if (!peekIsEvent(this.#current)) this.#error();
    else if (isCall()) {
      this.respond({ type: 'res.EVENT_ACK', body: {} }, peekToken(this.#current));
    }
  }

  #error(): void {
    const { hasErrors, respond } = this.#options;
    if (!hasErrors) return respond(this.#frame.fill(0), HEADER_SIZE);
    const request = this.#current;
    this.#send({
      type: 'res.ERROR',
      dev: peekDevice(request),
      token: peekToken(request),
      body: { originalId: peekId(request) },
    });
  }

  #send(message: FfaMessage): void {
    const { codec, maxMessageSize, respond } = this.#options;
    respond(this.#frame, codec.encode(message, this.#frame, 0, maxMessageSize));
  }
}
