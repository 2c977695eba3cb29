// The FIFO of an FF-A bus in shared pages (reference B1): two rings, driver to device and then device to
// driver, each a header of three 64-byte lines and slots behind it.
//
//   0x00 "VFFAFIFO"  0x08 version  0x10 message_size  0x12 depth  0x18 next_offset
//   0x40 read_index (consumer)     0x80 write_index (producer)    0xC0 slots
//
// Empty: read = write. Full: (write + 1) mod depth = read. Indexes and sizes are le16.
import type { Memory } from '../../platform/node/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';

export const FIFO = {
  version: 0x08,
  messageSize: 0x10,
  depth: 0x12,
  nextOffset: 0x18,
  readIndex: 0x40,
  writeIndex: 0x80,
  slots: 0xc0,
} as const;

/** 'VFFAFIFO' */
const FIFO_MAGIC = Uint8Array.from('VFFAFIFO', (letter) => letter.charCodeAt(0));
/** Values of the Linux driver. */
export const FIFO_MESSAGE_SIZE = 128;
export const FIFO_DEPTH = 30;
export const FIFO_RING_SIZE = FIFO.slots + FIFO_DEPTH * FIFO_MESSAGE_SIZE;
/** Pages of both rings: 8064 bytes. */
export const FIFO_PAGES = Math.ceil((2 * FIFO_RING_SIZE) / PAGE_SIZE);

/** Messages that one ring holds at the most. */
export const FIFO_CAPACITY = FIFO_DEPTH - 1;

/** Writes the headers of both rings into zeroed memory; the magic comes last. */
export function formatFifo(memory: Memory, address: number): void {
  for (let ring = 0; ring < 2; ring++) {
    const at = address + ring * FIFO_RING_SIZE;
    memory.fill(at, FIFO_RING_SIZE, 0);
    memory.writeU16(at + FIFO.version, 0);
    memory.writeU16(at + FIFO.messageSize, FIFO_MESSAGE_SIZE);
    memory.writeU16(at + FIFO.depth, FIFO_DEPTH);
    memory.writeU32(at + FIFO.nextOffset, ring === 0 ? FIFO_RING_SIZE : 0);
    memory.copyIn(at, FIFO_MAGIC, 0, FIFO_MAGIC.length);
  }
}

/** Messages waiting between two indexes. */
export function fifoCount(readIndex: number, writeIndex: number): number {
  return (writeIndex - readIndex + FIFO_DEPTH) % FIFO_DEPTH;
}

export function nextIndex(index: number): number {
  return (index + 1) % FIFO_DEPTH;
}
