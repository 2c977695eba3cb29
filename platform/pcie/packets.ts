// Kernel packets between a root port and an endpoint. One packet stands for the TLPs of one transaction,
// or of a part of it; how long they take is told by their number and size.

import type { Packet, PacketPool } from '../kernel/index.ts';
import { copyBytes } from '../node/index.ts';
import { readU32, writeU32 } from '../wire/index.ts';

/** Host to card. a: function, b: offset, c: bytes, d: tag. */
export const CONFIG_READ = 200;
/** As CONFIG_READ, with the value as bytes. Answered without data. */
export const CONFIG_WRITE = 201;
/** A core reads memory of a BAR. a: address, b: bytes, d: tag. */
export const MEMORY_LOAD = 202;
/** A core's write. a: address, c: 1 if it is to be answered, d: tag. */
export const MEMORY_STORE = 203;
/** Card to host: the answer of one of those. a: tag, b: a status. */
export const COMPLETION = 204;
/** Card to host: reads of host memory. a: slot, b: pieces, c: function; bytes: piece table. */
export const DMA_LOAD = 205;
/** Card to host: posted writes. b: pieces, c: function; bytes: piece table, then the data. */
export const DMA_STORE = 206;
/** Host to card: the data of a DMA_LOAD. a: slot, b: a status; when failed c: address, d: bytes. */
export const DMA_COMPLETION = 207;
/** Card to host: a message signalled interrupt. a: address, b: data, c: function. */
export const MSI = 208;
/** Card to host: Assert_INTA or Deassert_INTA. a: 1 or 0, c: function. */
export const INTX = 209;
/** Card to host: the link went down (a: 0) or came up (a: 1). */
export const LINK = 210;
/** Card to host: what is in a slot of its own went (a: 0) or came (a: 1). c: function. */
export const SLOT = 211;

/** Added to the kind of a packet that has been taken in and waits at its own node. */
export const TAKEN_IN = 0x100;
/** Added to the kind of a packet that has waited for a link that it shares with others. */
export const CROSSED = 0x200;

/** Completion statuses (PCI Express Base Specification §2.2.9). */
export const Status = { successful: 0, unsupported: 1 } as const;

// piece: address le32 low, le32 high │ length le32
export const PIECE_SIZE = 12;

/** A copy of a packet under another kind, for one that cannot be dealt with at once. */
export function copyAs(kind: number, packet: Packet, pool: PacketPool): Packet {
  const copy = pool.acquire(packet.length);
  copyBytes(packet.bytes, 0, copy.bytes, 0, packet.length);
  copy.label(kind, packet.a, packet.b, packet.c, packet.d);
  return copy;
}

/** Writes a piece into the table of a DMA packet. */
export function writePiece(
  bytes: Uint8Array,
  index: number,
  address: number,
  length: number,
): void {
  const start = index * PIECE_SIZE;
  writeU32(bytes, start, address % 2 ** 32);
  writeU32(bytes, start + 4, Math.floor(address / 2 ** 32));
  writeU32(bytes, start + 8, length);
}

/** Bus address of a piece of a DMA packet. */
export function pieceAddress(bytes: Uint8Array, index: number): number {
  const start = index * PIECE_SIZE;
  return readU32(bytes, start) + readU32(bytes, start + 4) * 2 ** 32;
}

/** Bytes of a piece of a DMA packet. */
export function pieceLength(bytes: Uint8Array, index: number): number {
  return readU32(bytes, index * PIECE_SIZE + 8);
}
