// Clients of the two ends of a bus in place of transports: they note what the bus hands them, and answer
// what asks for it.
import type {
  DeviceBusClient,
  DeviceBusEnd,
  DriverBusClient,
  DriverBusEnd,
} from '../../platform/contracts/index.ts';
import type { Kernel } from '../../platform/kernel/index.ts';
import { peekIsEvent, writeEmptyResponse } from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';

/** Notes in one line each what a bus tells its driver side, and when. */
export class DriverRecorder implements DriverBusClient {
  readonly log: string[] = [];
  readonly times: number[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  online(): void {
    this.#note('online');
  }

  offline(reason: string): void {
    this.#note(`offline: ${reason}`);
  }

  away(reason: string): void {
    this.#note(`away: ${reason}`);
  }

  message(bytes: Uint8Array, length: number): void {
    this.#note(toHex(bytes, 0, length));
  }

  undeliverable(token: number): void {
    this.#note(`undeliverable ${token}`);
  }

  allocated(_address: number, reason: string | null): void {
    this.#note(reason === null ? 'allocated' : `not allocated: ${reason}`);
  }

  #note(line: string): void {
    this.log.push(line);
    this.times.push(this.#now());
  }
}

/** Notes what a bus hands to its device side, and answers requests with the empty response. */
export class DeviceRecorder implements DeviceBusClient {
  readonly log: string[] = [];
  /** What `message` returns: false says that it was discarded. */
  accepts = true;
  /** Set to answer later or otherwise. */
  answer: (request: Uint8Array) => void;
  readonly #end: DeviceBusEnd;

  constructor(end: DeviceBusEnd) {
    this.#end = end;
    this.answer = (request) => {
      const bytes = new Uint8Array(8);
      this.#end.send(bytes, writeEmptyResponse(bytes, request));
    };
  }

  message(bytes: Uint8Array, length: number): boolean {
    const copy = bytes.slice(0, length);
    this.log.push(toHex(copy));
    if (!peekIsEvent(copy) && this.accepts) this.answer(copy);
    return this.accepts;
  }

  reset(): void {
    this.log.push('reset');
  }
}

/** Attaches recorders for these device numbers to the driver's end of a bus. */
export function recordDrivers(
  kernel: Kernel,
  end: DriverBusEnd,
  numbers: readonly number[],
): DriverRecorder[] {
  return numbers.map((number) => {
    const client = new DriverRecorder(() => kernel.now);
    end.attach(number, client);
    return client;
  });
}

/** The same at the device's end. */
export function recordDevices(end: DeviceBusEnd, numbers: readonly number[]): DeviceRecorder[] {
  return numbers.map((number) => {
    const client = new DeviceRecorder(end);
    end.attach(number, client);
    return client;
  });
}
