// Messages as bytes, and what is wrong with a scenario, for the tests of the rules that bind buses.
import type { DriverBusEnd } from '../../platform/contracts/index.ts';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  peekIsEvent,
  writeEmptyResponse,
  writeHeader,
} from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';

const GET_DEVICE_STATUS = 0x07;

/** A transport request or event with this id and a payload of these bytes. */
export function frame(id: number, device: number, token: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  writeHeader(bytes, 0, 0, id, device, token, bytes.length);
  bytes.set(payload, 8);
  return bytes;
}

export function getStatus(device: number, token: number): Uint8Array {
  return frame(GET_DEVICE_STATUS, device, token, new Uint8Array(0));
}

/**
 * Sends a message of every id, each to one of these devices, with random payload: events without data of their
 * own could be merged. Returns what each device is to get, and what each driver is to get back.
 */
export function sendEverything(
  end: DriverBusEnd,
  numbers: readonly number[],
  { random, sizeMax }: { readonly random: RandomStream; readonly sizeMax: number },
) {
  const sent = numbers.map((): string[] => []);
  const answered = numbers.map((): string[] => []);
  for (let id = 0; id < 256; id++) {
    const which = random.below(numbers.length);
    const payload = new Uint8Array(random.below(sizeMax + 1));
    random.fill(payload);
    const bytes = frame(id, numbers[which], random.below(65536), payload);
    end.send(bytes, bytes.length);
    sent[which].push(toHex(bytes));
    if (peekIsEvent(bytes)) continue;
    const response = new Uint8Array(8);
    writeEmptyResponse(response, bytes);
    answered[which].push(toHex(response));
  }
  return { sent, answered };
}

/** Codes of all problems with the scenario that `load` loads. */
export function codesOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems.map(({ code }) => code);
    throw error;
  }
  return [];
}
