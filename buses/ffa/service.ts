// Services of a partition. Each has a UUID, by which FFA_PARTITION_INFO_GET finds it and which every message
// to it names, so that one partition can have several: x2 and x3 of FFA_MSG_SEND_DIRECT_REQ2, or the header
// of a message of FFA_MSG_SEND2 (DEN0077 1.2).
import type { Packet } from '../../platform/kernel/index.ts';
import { readU32, uuid } from '../../platform/wire/index.ts';

/** The service for the device role of virtio-msg. */
export const DEVICE_ROLE = 'c66028b5-2498-4aa1-9de7-77da6122abf0';

const UUID_SIZE = 16;

export interface Service {
  readonly uuid: string;
  /** In the order of the text. */
  readonly bytes: Uint8Array;
  /** The bytes as four little-endian words, as registers carry them. */
  readonly words: readonly [number, number, number, number];
}

/** The service with this UUID, written in lower case. */
export function serviceOf(text: string): Service {
  const bytes = new Uint8Array(UUID_SIZE);
  uuid.write(bytes, 0, text);
  const word = (index: number) => readU32(bytes, 4 * index);
  return { uuid: text, bytes, words: [word(0), word(1), word(2), word(3)] };
}

/** Writes into a packet which service it is for. */
export function addressTo(packet: Packet, { words }: Service): void {
  packet.a = words[0];
  packet.b = words[1];
  packet.c = words[2];
  packet.d = words[3];
}

/** True for a packet that names this service. */
export function isFor({ a, b, c, d }: Packet, { words }: Service): boolean {
  return a === words[0] && b === words[1] && c === words[2] && d === words[3];
}
