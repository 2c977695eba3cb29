// Transaction layer packets (TLPs) by number and size: how a transfer is cut into packets, and how many
// bytes they are on the link. What they carry travels elsewhere.
//
//   framing │ header 12 or 16 │ data, in words of 4 bytes │ framing
import { doubled } from '../kernel/index.ts';
import { LineTally } from '../memory/index.ts';
import { CREDIT_UNIT } from './credit.ts';
import { framingBytes } from './generation.ts';
import type { PciePath } from './options.ts';

/** Requests do not cross a boundary of 4 KiB (PCI Express Base Specification §2.2.7). */
const REQUEST_BOUNDARY = 4096;
/** Completions other than the last one end at a multiple of this (read completion boundary). */
export const READ_COMPLETION_BOUNDARY = 64;
/** Headers of three and four words; addresses of 4 GiB and up need the fourth. */
const HEADER_SHORT = 12;
const HEADER_LONG = 16;
const WORD = 4;
const LONG_ADDRESS = 2 ** 32;

/** Bytes up to the next place where a read request must end. */
export function readRequestLength(path: PciePath, address: number, left: number): number {
  const toBoundary = REQUEST_BOUNDARY - (address % REQUEST_BOUNDARY);
  return Math.min(left, path.maxReadRequest, toBoundary);
}

/** Adds up the packets of something that is sent at once. Reused: `clear` it first. */
export class TlpTally {
  tlps = 0;
  /** Bytes on the link. */
  bytes = 0;
  /** Bytes of data in all of them, as they were asked for. */
  data = 0;
  /** With posted credit, each packet: its bytes on the link, and units of data. */
  sizes = new Float64Array(16);
  units = new Float64Array(16);
  readonly #path: PciePath;
  readonly #framing: number;
  /** Lines of memory that they move, when nothing but memory does. */
  readonly #lines: LineTally | null;

  constructor(path: PciePath) {
    this.#path = path;
    this.#framing = framingBytes(path.generation);
    this.#lines = path.line === 0 ? null : new LineTally(path.line);
  }

  clear(): void {
    this.tlps = 0;
    this.bytes = 0;
    this.data = 0;
    this.#lines?.clear();
  }

  /** Bytes that memory moves for them. */
  get moved(): number {
    return this.#lines?.bytes ?? this.data;
  }

  /** Memory writes of the maximum payload and a rest. */
  write(address: number, length: number): void {
    for (let at = address; at < address + length; ) {
      const toBoundary = REQUEST_BOUNDARY - (at % REQUEST_BOUNDARY);
      const step = Math.min(address + length - at, this.#path.maxPayload, toBoundary);
      this.#add(requestHeader(at), at, step);
      at += step;
    }
  }

  /** A memory read request, which must not cross a boundary. */
  readRequest(address: number): void {
    this.#add(requestHeader(address), 0, 0);
  }

  /** Completions with data for one read request. */
  completion(address: number, length: number): void {
    const end = address + length;
    for (let at = address; at < end; ) {
      const furthest = at + this.#path.maxPayload;
      const cut = furthest - (furthest % READ_COMPLETION_BOUNDARY);
      const next = Math.min(end, cut);
      this.#add(HEADER_SHORT, at, next - at);
      at = next;
    }
  }

  /** A packet without data: a completion without, or a configuration read. */
  headerOnly(): void {
    this.#add(HEADER_SHORT, 0, 0);
  }

  /** A configuration write, which carries one word. */
  configWrite(): void {
    this.#add(HEADER_SHORT, 0, WORD);
  }

  /** A message such as Assert_INTA; they have long headers. */
  message(): void {
    this.#add(HEADER_LONG, 0, 0);
  }

  #add(header: number, address: number, length: number): void {
    const words =
      length === 0 ? 0 : Math.ceil((address + length) / WORD) - Math.floor(address / WORD);
    const bytes = this.#framing + header + words * WORD;
    if (this.#path.credit.posted !== null) {
      this.#keep(bytes, Math.ceil((words * WORD) / CREDIT_UNIT));
    }
    this.#lines?.add(address, length);
    this.tlps++;
    this.data += length;
    this.bytes += bytes;
  }

  #keep(bytes: number, units: number): void {
    if (this.tlps === this.sizes.length) {
      this.sizes = doubled(this.sizes);
      this.units = doubled(this.units);
    }
    this.sizes[this.tlps] = bytes;
    this.units[this.tlps] = units;
  }
}

function requestHeader(address: number): number {
  return address >= LONG_ADDRESS ? HEADER_LONG : HEADER_SHORT;
}
