// Enumeration by GET_DEVICES as the driver's end goes through it: what to ask next, what was found.
import type { DeviceBits, Revision } from '../../platform/contracts/index.ts';
import {
  capacity,
  type DevicesRequest,
  type DevicesResponse,
  devicesIn,
  devicesResponseIsLegal,
  nextDevicesRequest,
  type RevisionRules,
  revision,
} from '../../platform/virtio/messages/index.ts';

/** Device numbers asked for at once, if the messages are large enough (Linux). */
const WINDOW_MAX = 256;

export class DeviceWindow {
  readonly found = new Set<number>();
  /** The window asked for now. */
  request: DevicesRequest;
  readonly #slots: number;
  readonly #rules: RevisionRules;

  constructor(name: Revision, maxMessageSize: number, deviceBits: DeviceBits = 16) {
    const { deviceSlots } = capacity(name, maxMessageSize, deviceBits);
    const slots = Math.min(WINDOW_MAX, deviceSlots);
    // Before v2 a window is a multiple of 8; it is never wrong to ask so.
    this.#slots = slots - (slots % 8);
    this.#rules = revision(name, deviceBits).rules;
    this.request = { offset: 0, count: this.#slots };
  }

  /** Takes an answer. Returns whether there is more to ask, or null for an answer against the rules. */
  answered(response: DevicesResponse): 'MORE' | 'DONE' | null {
    if (!devicesResponseIsLegal(this.#rules, this.request, response)) return null;
    for (const number of devicesIn(this.#rules, response)) this.found.add(number);
    const next = nextDevicesRequest(this.#rules, response, this.#slots);
    if (next === null) return 'DONE';
    this.request = next;
    return 'MORE';
  }

  /** Begins anew. */
  restart(): void {
    this.found.clear();
    this.request = { offset: 0, count: this.#slots };
  }
}
