// Enumeration by GET_DEVICES, both ends of it: which answer a request gets, whether an answer keeps
// the revision's rules, and what to ask next. Every bus that enumerates by message uses this.
//
//   request   offset ├────── count ──────┤
//   response  offset ├── count ──┤ … next_offset (0: no device beyond)
import type { RevisionRules } from './revision.ts';

/** Body of a GET_DEVICES request. */
export interface DevicesRequest {
  readonly offset: number;
  readonly count: number;
}

/** Body of a GET_DEVICES response. */
export interface DevicesResponse extends DevicesRequest {
  readonly nextOffset: number;
  readonly bitmap: Uint8Array;
}

type WindowRules = Pick<RevisionRules, 'deviceWindowStep' | 'nextOffsetRule' | 'deviceNumbers'>;

/** True when a request asks for a window that the revision allows. */
export function devicesRequestIsLegal(rules: WindowRules, request: DevicesRequest): boolean {
  const step = rules.deviceWindowStep;
  return request.offset % step === 0 && request.count % step === 0;
}

/**
 * Answers a legal request. `numbers` are the device numbers in ascending order, `slotsMax` is how
 * many slots the bus's messages hold (`capacity().deviceSlots`).
 */
export function answerDevices(
  rules: WindowRules,
  request: DevicesRequest,
  numbers: readonly number[],
  slotsMax: number,
): DevicesResponse {
  const step = rules.deviceWindowStep;
  const { offset } = request;
  const count = Math.min(request.count, slotsMax - (slotsMax % step));
  const end = offset + count;
  const bitmap = new Uint8Array(Math.ceil(count / 8));
  let at = firstFrom(numbers, offset);
  for (; at < numbers.length && numbers[at] < end; at++) {
    const bit = numbers[at] - offset;
    bitmap[bit >> 3] |= 1 << (bit & 7);
  }
  // An answer without slots must still lead on: next_offset may not be the offset asked for.
  if (count === 0 && numbers[at] === offset) at++;
  const next = at < numbers.length ? numbers[at] - (numbers[at] % step) : 0;
  return { offset, count, nextOffset: next, bitmap };
}

/** True when a response keeps the rules of count and next_offset for this request. */
export function devicesResponseIsLegal(
  rules: WindowRules,
  request: DevicesRequest,
  response: DevicesResponse,
): boolean {
  const { offset, count, nextOffset } = response;
  if (offset !== request.offset || count > request.count) return false;
  if (count % rules.deviceWindowStep !== 0) return false;
  if (nextOffset === 0) return true;
  switch (rules.nextOffsetRule) {
    case 'multipleOf8':
      return nextOffset % 8 === 0;
    case 'afterWindow':
      return nextOffset >= offset + count;
    case 'increasing':
      return nextOffset > request.offset;
  }
}

/** Lists the device numbers that a response names, ascending. */
export function devicesIn(rules: WindowRules, response: DevicesResponse): number[] {
  const numbers: number[] = [];
  for (let bit = 0; bit < response.count; bit++) {
    const number = response.offset + bit;
    if (number >= rules.deviceNumbers) break;
    if ((response.bitmap[bit >> 3] & (1 << (bit & 7))) !== 0) numbers.push(number);
  }
  return numbers;
}

/** The request after a legal response, `slots` wide, or null when the enumeration is complete. */
export function nextDevicesRequest(
  rules: WindowRules,
  response: DevicesResponse,
  slots: number,
): DevicesRequest | null {
  const { nextOffset } = response;
  // rfc3 only asks for a multiple of 8: one that leads back would make the enumeration endless.
  if (nextOffset <= response.offset) return null;
  const step = rules.deviceWindowStep;
  const offset = nextOffset - (nextOffset % step);
  const count = Math.min(slots, rules.deviceNumbers - offset);
  return { offset, count: count - (count % step) };
}

/** Index of the first number that is at least `least`. */
function firstFrom(numbers: readonly number[], least: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
