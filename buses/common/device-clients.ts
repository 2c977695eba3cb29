// The devices behind the device's end of a bus, by number, and which of them are there. A device that is
// known but not there is no mistake of whoever sends to it: the news may not have arrived.
import type { DeviceBusClient } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';

export class DeviceClients {
  readonly #bus: string;
  readonly #present = new Map<number, DeviceBusClient>();
  readonly #absent = new Map<number, DeviceBusClient>();
  /** Numbers of those present in ascending order; null while they are not sorted. */
  #numbers: readonly number[] | null = null;

  constructor(bus: string) {
    this.#bus = bus;
  }

  attach(deviceNumber: number, client: DeviceBusClient): void {
    const known = this.#present.has(deviceNumber) || this.#absent.has(deviceNumber);
    assert(!known, `${this.#bus}: device ${deviceNumber} is attached`);
    this.#present.set(deviceNumber, client);
    this.#numbers = null;
  }

  /** The device of this number, if it is there. */
  get(deviceNumber: number): DeviceBusClient | undefined {
    return this.#present.get(deviceNumber);
  }

  isAbsent(deviceNumber: number): boolean {
    return this.#absent.has(deviceNumber);
  }

  /** Numbers of the devices that are there, ascending. */
  get numbers(): readonly number[] {
    this.#numbers ??= [...this.#present.keys()].sort((a, b) => a - b);
    return this.#numbers;
  }

  /** Lets a device come or go; one that goes drops what it was doing. Returns false for no news. */
  setPresent(deviceNumber: number, present: boolean): boolean {
    const from = present ? this.#absent : this.#present;
    const client = from.get(deviceNumber);
    if (client === undefined) return false;
    from.delete(deviceNumber);
    (present ? this.#present : this.#absent).set(deviceNumber, client);
    this.#numbers = null;
    if (!present) client.reset();
    return true;
  }

  /** The bus was reset. */
  reset(): void {
    for (const client of this.#present.values()) client.reset();
  }
}
