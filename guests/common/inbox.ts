// Bytes that came before a step of a script asked for them.
import { type Bytes, differenceOf, lengthOf } from './step-bytes.ts';

export class Inbox {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  add(bytes: Uint8Array, length: number): void {
    for (let i = 0; i < length; i++) this.#bytes.push(bytes[i]);
  }

  clear(): void {
    this.#bytes.length = 0;
  }

  /** Forgets what came first. */
  drop(length: number): void {
    this.#bytes.splice(0, length);
  }

  /** True when as much has come as these bytes are. */
  has(bytes: Bytes): boolean {
    return this.#bytes.length >= lengthOf(bytes);
  }

  /** Takes out what came first and compares it; says what differs, or null. */
  take(bytes: Bytes): string | null {
    const length = lengthOf(bytes);
    return differenceOf(Uint8Array.from(this.#bytes.splice(0, length)), length, bytes);
  }
}
