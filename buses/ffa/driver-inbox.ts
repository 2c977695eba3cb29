// What the driver's end makes of a message: transport messages go to their devices' transports, answers of
// the bus to the session or to the memory, and news of devices to both.
import type { Revision } from '../../platform/contracts/index.ts';
import type { ViolationCode } from '../../platform/node/index.ts';
import {
  type Codec,
  headerIsSound,
  peekDevice,
  peekId,
  peekIsBus,
  peekIsEvent,
  peekIsResponse,
  peekToken,
  revision,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import type { DriverClients } from './driver-clients.ts';
import type { DriverMemory } from './driver-memory.ts';
import type { DriverSession } from './driver-session.ts';
import { type FfaMessage, type FfaMessageOf, type FfaMessages, ffaMessages } from './messages.ts';

const EVENT_ACK_ID = ffaMessages.EVENT_ACK.id;
const EVENT_POLL_ID = ffaMessages.EVENT_POLL.id;

export interface DriverInboxOptions {
  readonly codec: Codec<StandardMessages & FfaMessages>;
  readonly revision: Revision;
  readonly clients: DriverClients;
  readonly memory: DriverMemory;
  readonly session: () => DriverSession;
  /** Id of the bus request that an ERROR with this id and token refuses; -1 for a transport message. */
  refusedBusId(originalId: number, token: number): number;
  /** Asks the partition by PING whether it still knows the session. */
  confirm(): void;
  violation(code: ViolationCode, text: string): void;
}

export class DriverInbox {
  readonly #options: DriverInboxOptions;
  readonly #eventTokenZero: boolean;
  /** Requests to devices that were refused, until it is known that the partition has not forgotten them. */
  readonly #refusals: { readonly dev: number; readonly token: number }[] = [];

  constructor(options: DriverInboxOptions) {
    this.#options = options;
    this.#eventTokenZero = revision(options.revision).rules.eventTokenZero;
  }

  /** Gives a message to whom it is for; false when it makes no sense. */
  dispatch(bytes: Uint8Array, length: number): boolean {
    const { clients, violation } = this.#options;
    if (!headerIsSound(bytes, length)) {
      violation('MALFORMED_MESSAGE', 'a message without a sound header');
      return false;
    }
    if (this.#eventTokenZero && peekIsEvent(bytes) && peekToken(bytes) !== 0) {
      violation('MALFORMED_MESSAGE', `an event with the token ${peekToken(bytes)}`);
    }
    if (peekIsBus(bytes)) this.#busFrame(bytes, length);
    else {
      const client = clients.get(peekDevice(bytes));
      if (client === undefined) violation('UNKNOWN_DEVICE', `device ${peekDevice(bytes)}`);
      else client.message(bytes, length);
    }
    return true;
  }

  /** A bus request was refused, or could not be delivered. */
  busRefused(id: number): void {
    const { memory, session } = this.#options;
    if (id === ffaMessages.AREA_SHARE.id) memory.shareRefused();
    else session().refused(id);
  }

  #busFrame(bytes: Uint8Array, length: number): void {
    const { codec, session, violation } = this.#options;
    const id = peekId(bytes);
    // The most frequent ones, without decoding.
    if (peekIsResponse(bytes) && (id === EVENT_ACK_ID || id === EVENT_POLL_ID)) return;
    try {
      this.#busMessage(codec.decode(bytes, length));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      violation('MALFORMED_MESSAGE', error.message);
      session().malformed();
    }
  }

  #busMessage(message: FfaMessage): void {
    const { memory, session, violation } = this.#options;
    switch (message.type) {
      case 'res.VERSION':
        return session().version(message.body);
      case 'res.RESET':
      case 'res.FIFO_CONFIGURE':
      case 'res.EVENT_CONFIGURE':
        return session().result(message.body.result);
      case 'res.GET_DEVICES':
        return session().devices(message.body);
      case 'res.AREA_SHARE':
        // One that is late answers a session that is over.
        if (memory.shareAnswered(message.body) || !session().isUp) return;
        return violation('UNEXPECTED_RESPONSE', `AREA_SHARE of area ${message.body.areaId}`);
      case 'res.ERROR':
        return this.#refused(message);
      case 'req.EVENT_DEVICE':
        return this.#deviceChanged(message.body);
      case 'res.AREA_UNSHARE':
      case 'req.AREA_RELEASE':
        return memory.unshared(message.body.areaId);
      case 'res.PING':
        return this.#confirmed();
      default:
        violation('UNEXPECTED_MESSAGE', `${message.type} at the driver's end`);
    }
  }

  /** The partition answered with ERROR, which repeats device and token of what it refused. */
  #refused({ dev, token, body }: FfaMessageOf<'res.ERROR'>): void {
    const { refusedBusId, confirm } = this.#options;
    const id = refusedBusId(body.originalId, token);
    if (id >= 0) return this.busRefused(id);
    this.#refusals.push({ dev, token });
    // A partition that was restarted refuses everything, and that is no failure of the device.
    if (this.#refusals.length === 1) confirm();
  }

  /** The session still stands: what was refused has failed. */
  #confirmed(): void {
    const { clients } = this.#options;
    for (const { dev, token } of this.#refusals.splice(0)) {
      clients.get(dev)?.undeliverable(token, 'the partition answered with an ERROR');
    }
  }

  /** Forgets what was refused: its device is away. */
  clear(): void {
    this.#refusals.length = 0;
  }

  /** A device came or went; the memory of one that went is given back. */
  #deviceChanged({ number, state }: FfaMessageOf<'req.EVENT_DEVICE'>['body']): void {
    const { clients, memory } = this.#options;
    const removed = clients.changed(number, state);
    if (removed !== null) memory.release(removed);
  }
}
