// What both sides of virtio-gpio agree on (virtio 1.4 §5.18), and the shape of a test signal.
import {
  defineBits,
  LayoutCodec,
  le16,
  le32,
  masksOf,
  oneOf,
  reserved,
  u8,
} from '../wire/index.ts';

export const GPIO_DEVICE_ID = 41;

export const gpioFeatures = defineBits({
  IRQ: { bit: 0, spec: 'virtio 1.4 §5.18.3', doc: 'Interrupts, and the event queue for them.' },
});

export const GPIO_F = masksOf(gpioFeatures);

/** Message types of the request queue (§5.18.6). */
export const GPIO_MSG = {
  GET_LINE_NAMES: 1,
  GET_DIRECTION: 2,
  SET_DIRECTION: 3,
  GET_VALUE: 4,
  SET_VALUE: 5,
  SET_IRQ_TYPE: 6,
} as const;

export const GPIO_STATUS = { OK: 0, ERR: 1 } as const;
export const GPIO_DIRECTION = { NONE: 0, OUT: 1, IN: 2 } as const;
export const GPIO_IRQ_TYPE = {
  NONE: 0,
  EDGE_RISING: 1,
  EDGE_FALLING: 2,
  EDGE_BOTH: 3,
  LEVEL_HIGH: 4,
  LEVEL_LOW: 8,
} as const;
/** What a returned pair of the event queue says (§5.18.7). */
export const GPIO_IRQ_STATUS = { INVALID: 0, VALID: 1 } as const;

export const gpioConfig = new LayoutCodec('gpio config', {
  ngpio: le16,
  padding: reserved(2),
  gpioNamesSize: le32,
});
export const gpioRequest = new LayoutCodec('gpio request', {
  type: oneOf(GPIO_MSG, le16),
  gpio: le16,
  value: le32,
});
/** The answer to all requests but that for names, in which N bytes follow the status. */
export const gpioResponse = new LayoutCodec('gpio response', {
  status: oneOf(GPIO_STATUS, u8),
  value: u8,
});
export const gpioIrqRequest = new LayoutCodec('gpio interrupt request', { gpio: le16 });
export const gpioIrqResponse = new LayoutCodec('gpio interrupt response', {
  status: oneOf(GPIO_IRQ_STATUS, u8),
});

export const GPIO_REQUEST = {
  type: gpioRequest.offsetOf('type'),
  gpio: gpioRequest.offsetOf('gpio'),
  value: gpioRequest.offsetOf('value'),
} as const;
export const GPIO_REQUEST_SIZE = gpioRequest.fixedSize;
export const GPIO_RESPONSE_SIZE = gpioResponse.fixedSize;
export const GPIO_IRQ_REQUEST_SIZE = gpioIrqRequest.fixedSize;
export const GPIO_IRQ_RESPONSE_SIZE = gpioIrqResponse.fixedSize;

/** The names of lines as GET_LINE_NAMES returns them: each ends with a zero, a nameless one is that. */
export function encodeLineNames(names: readonly string[], lines: number): Uint8Array {
  const bytes: number[] = [];
  for (let line = 0; line < lines; line++) {
    const name = names[line] ?? '';
    for (let i = 0; i < name.length; i++) bytes.push(name.charCodeAt(i));
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** Reads such names; null when they are not one for each line. */
export function decodeLineNames(bytes: Uint8Array, lines: number): string[] | null {
  const names: string[] = [];
  let name = '';
  for (const byte of bytes) {
    if (byte === 0) {
      names.push(name);
      name = '';
    } else {
      name += String.fromCharCode(byte);
    }
  }
  return names.length === lines && name === '' ? names : null;
}

/** How often a square wave, high in the first half of each period, has changed its level by `now`. */
export function waveEdges(period: number, now: number): number {
  return Math.floor((now * 2) / period);
}

/** Instant of the wave's edge of this number; edge 0 is that at time 0. */
export function waveEdgeAt(period: number, edge: number): number {
  return Math.ceil((edge * period) / 2);
}

/** Level of the wave after its edge of this number. */
export function waveLevel(edge: number): number {
  return edge % 2 === 0 ? 1 : 0;
}
