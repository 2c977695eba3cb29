// Messages as bytes, and what is wrong with a scenario, for the tests of the rules that bind buses.
import { ScenarioError } from '../../platform/scenario/index.ts';
import { writeHeader } from '../../platform/virtio/messages/index.ts';

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
