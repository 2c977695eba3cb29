// The transports behind the driver's end, by device number, and which of their devices are there.
import type { DriverBusClient } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import { DeviceState } from '../../platform/virtio/messages/index.ts';

export class DriverClients {
  readonly #bus: string;
  readonly #clients = new Map<number, DriverBusClient>();
  /** Numbers of the devices that were found and not removed. */
  readonly #reachable = new Set<number>();

  constructor(bus: string) {
    this.#bus = bus;
  }

  attach(deviceNumber: number, client: DriverBusClient): void {
    assert(!this.#clients.has(deviceNumber), `${this.#bus}: device ${deviceNumber} is attached`);
    this.#clients.set(deviceNumber, client);
  }

  get(deviceNumber: number): DriverBusClient | undefined {
    return this.#clients.get(deviceNumber);
  }

  /** True once devices were found. */
  get anyReachable(): boolean {
    return this.#reachable.size > 0;
  }

  goOffline(reason: string): void {
    this.#reachable.clear();
    for (const client of this.#clients.values()) client.offline(reason);
  }

  /** The partition is away, and its devices with it; `forGood` when their memory is lost as well. */
  suspend(reason: string, forGood: boolean): void {
    for (const number of this.#reachable) {
      const client = this.#clients.get(number)!;
      if (forGood) client.offline(reason);
      else client.away(reason);
    }
    this.#reachable.clear();
  }

  goOnline(found: ReadonlySet<number>): void {
    for (const [number, client] of this.#clients) {
      if (found.has(number)) {
        this.#reachable.add(number);
        client.online();
      } else client.offline(`${this.#bus} has no device number ${number}`);
    }
  }

  /** A device came or went; saying so again changes nothing. Returns the client of one that went. */
  changed(number: number, state: number): DriverBusClient | null {
    const client = this.#clients.get(number);
    if (client === undefined) return null;
    if (state === DeviceState.READY && !this.#reachable.has(number)) {
      this.#reachable.add(number);
      client.online();
    } else if (state === DeviceState.REMOVED && this.#reachable.delete(number)) {
      client.offline('the device was removed');
      return client;
    }
    return null;
  }
}
