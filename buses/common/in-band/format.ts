// The messages of in-band data as bytes: what hot paths read and write, by offsets that come from the table.
// Nothing here allocates or checks.
import {
  MessageType,
  peekId,
  peekSize,
  peekType,
  writeHeader,
} from '../../../platform/virtio/messages/index.ts';
import { LayoutCodec, readU16, readU32, writeU16, writeU32 } from '../../../platform/wire/index.ts';
import { chunk, inBandMessages, Kind, kindOf } from './messages.ts';

const chunkLayout = new LayoutCodec('chunk', chunk);
const readLayout = new LayoutCodec('res.MEM_READ', inBandMessages.MEM_READ.response);
const writeLayout = new LayoutCodec('res.MEM_WRITE', inBandMessages.MEM_WRITE.response);

const ADDRESS = chunkLayout.offsetOf('address');
const SEQUENCE = chunkLayout.offsetOf('sequence');
const LENGTH = chunkLayout.offsetOf('length');
const READ_SEQUENCE = readLayout.offsetOf('sequence');
const READ_LENGTH = readLayout.offsetOf('length');
const READ_STATUS = readLayout.offsetOf('status');
const WRITE_SEQUENCE = writeLayout.offsetOf('sequence');
const WRITE_STATUS = writeLayout.offsetOf('status');

/** How the messages of one bus look. */
export class InBandFormat {
  readonly maxMessageSize: number;
  /** Where the data of a written chunk begin in its message, and those of a read one in its response. */
  readonly writtenData: number;
  readonly readData: number;
  /** Most bytes of a chunk that is written, and of one that is read. */
  readonly writtenMax: number;
  readonly readMax: number;
  readonly #header: number;
  /** Bytes of the response to a write. */
  readonly #writeResponse: number;

  constructor(headerSize: number, maxMessageSize: number) {
    this.maxMessageSize = maxMessageSize;
    this.#header = headerSize;
    this.writtenData = headerSize + chunkLayout.fixedSize;
    this.readData = headerSize + readLayout.fixedSize;
    this.writtenMax = maxMessageSize - this.writtenData;
    this.readMax = maxMessageSize - this.readData;
    this.#writeResponse = headerSize + writeLayout.fixedSize;
  }

  /** The kind of a message with a sound header; -1 when it is none, or its size contradicts its length. */
  kind(bytes: Uint8Array): number {
    const kind = kindOf(peekType(bytes), peekId(bytes));
    return peekSize(bytes) >= this.#leastSize(kind, bytes) ? kind : -1;
  }

  address(bytes: Uint8Array): number {
    const at = this.#header + ADDRESS;
    return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
  }

  sequence(bytes: Uint8Array): number {
    return readU16(bytes, this.#header + SEQUENCE);
  }

  /** Bytes that a chunk asks for or brings. */
  length(bytes: Uint8Array): number {
    return readU16(bytes, this.#header + LENGTH);
  }

  /** The chunk that a response to MEM_READ brings, or the last of those that one to MEM_WRITE is for. */
  answerSequence(bytes: Uint8Array): number {
    return readU16(bytes, this.#header + (answersRead(bytes) ? READ_SEQUENCE : WRITE_SEQUENCE));
  }

  answerStatus(bytes: Uint8Array): number {
    return readU32(bytes, this.#header + (answersRead(bytes) ? READ_STATUS : WRITE_STATUS));
  }

  /** Bytes that the response to MEM_READ brings. */
  readLength(bytes: Uint8Array): number {
    return readU16(bytes, this.#header + READ_LENGTH);
  }

  /** Writes MEM_READ at the start of `bytes` and returns its size. */
  writeReadRequest(
    bytes: Uint8Array,
    device: number,
    token: number,
    address: number,
    sequence: number,
    length: number,
  ): number {
    const { id } = inBandMessages.MEM_READ;
    return this.#writeChunk(bytes, id, device, token, this.writtenData, address, sequence, length);
  }

  /**
   * Writes MEM_WRITE, or EVENT_MEM_WRITE for a chunk that needs no answer, at the start of `bytes` and
   * returns its size. The data from `writtenData` on are the caller's.
   */
  writeWriteRequest(
    bytes: Uint8Array,
    isAnswered: boolean,
    device: number,
    token: number,
    address: number,
    sequence: number,
    length: number,
  ): number {
    const { id } = isAnswered ? inBandMessages.MEM_WRITE : inBandMessages.EVENT_MEM_WRITE;
    const size = this.writtenData + length;
    return this.#writeChunk(bytes, id, device, token, size, address, sequence, length);
  }

  /**
   * Writes the response to MEM_READ at the start of `bytes` and returns its size. The data from `readData`
   * on are the caller's.
   */
  writeReadAnswer(
    bytes: Uint8Array,
    device: number,
    token: number,
    sequence: number,
    length: number,
    status: number,
  ): number {
    const { id } = inBandMessages.MEM_READ;
    const header = this.#header;
    const size = this.readData + length;
    writeHeader(bytes, 0, MessageType.transportResponse, id, device, token, size, header);
    writeU16(bytes, header + READ_SEQUENCE, sequence);
    writeU16(bytes, header + READ_LENGTH, length);
    writeU32(bytes, header + READ_STATUS, status);
    return size;
  }

  /** Writes the response to MEM_WRITE at the start of `bytes` and returns its size. */
  writeWriteAnswer(
    bytes: Uint8Array,
    device: number,
    token: number,
    sequence: number,
    status: number,
  ): number {
    const { id } = inBandMessages.MEM_WRITE;
    const header = this.#header;
    const size = this.#writeResponse;
    writeHeader(bytes, 0, MessageType.transportResponse, id, device, token, size, header);
    writeU32(bytes, header + WRITE_SEQUENCE, sequence);
    writeU32(bytes, header + WRITE_STATUS, status);
    return size;
  }

  /** Bytes that a message of this kind and length has at least; Infinity for none of these. */
  #leastSize(kind: number, bytes: Uint8Array): number {
    const size = peekSize(bytes);
    switch (kind) {
      case Kind.read:
        return this.writtenData;
      case Kind.write:
      case Kind.posted:
        return this.writtenData + (size < this.writtenData ? 0 : this.length(bytes));
      case Kind.readAnswer:
        return this.readData + (size < this.readData ? 0 : this.readLength(bytes));
      case Kind.writeAnswer:
        return this.#writeResponse;
      default:
        return Infinity;
    }
  }

  #writeChunk(
    bytes: Uint8Array,
    id: number,
    device: number,
    token: number,
    size: number,
    address: number,
    sequence: number,
    length: number,
  ): number {
    const header = this.#header;
    writeHeader(bytes, 0, MessageType.transportRequest, id, device, token, size, header);
    writeU32(bytes, header + ADDRESS, address % 2 ** 32);
    writeU32(bytes, header + ADDRESS + 4, Math.floor(address / 2 ** 32));
    writeU16(bytes, header + SEQUENCE, sequence);
    writeU16(bytes, header + LENGTH, length);
    return size;
  }
}

function answersRead(bytes: Uint8Array): boolean {
  return peekId(bytes) === inBandMessages.MEM_READ.id;
}
