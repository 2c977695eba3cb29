// What both sides of virtio-console agree on (virtio 1.4 §5.3).
import { defineBits, LayoutCodec, le16, le32, masksOf, oneOf } from '../wire/index.ts';

export const CONSOLE_DEVICE_ID = 3;

const SPEC = 'virtio 1.4 §5.3.3';

export const consoleFeatures = defineBits({
  SIZE: { bit: 0, spec: SPEC, doc: 'Columns and rows in the configuration are valid.' },
  MULTIPORT: { bit: 1, spec: SPEC, doc: 'Several ports, and control queues that tell of them.' },
  EMERG_WRITE: { bit: 2, spec: SPEC, doc: 'A character can be written without any queue.' },
});

export const CONSOLE_F = masksOf(consoleFeatures);

export const consoleConfig = new LayoutCodec('console config', {
  cols: le16,
  rows: le16,
  maxNrPorts: le32,
  emergWr: le32,
});
export const CONSOLE_CONFIG = {
  cols: consoleConfig.offsetOf('cols'),
  rows: consoleConfig.offsetOf('rows'),
  maxNrPorts: consoleConfig.offsetOf('maxNrPorts'),
  emergWr: consoleConfig.offsetOf('emergWr'),
} as const;

/** Kinds of control messages (§5.3.6.2). */
export const CONSOLE_EVENT = {
  DEVICE_READY: 0,
  DEVICE_ADD: 1,
  DEVICE_REMOVE: 2,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

/** A control message; the size or the name of a port follows where its kind has one. */
export const consoleControl = new LayoutCodec('console control message', {
  id: le32,
  event: oneOf(CONSOLE_EVENT, le16),
  value: le16,
});
export const CONSOLE_CONTROL = {
  id: consoleControl.offsetOf('id'),
  event: consoleControl.offsetOf('event'),
  value: consoleControl.offsetOf('value'),
} as const;
export const CONSOLE_CONTROL_SIZE = consoleControl.fixedSize;

/** What follows RESIZE. */
export const consoleResize = new LayoutCodec('console resize', { cols: le16, rows: le16 });

/** Queues of control messages (§5.3.2). */
export const CONSOLE_CONTROL_RECEIVE = 2;
export const CONSOLE_CONTROL_TRANSMIT = 3;
/** Ports of one device at the most, as in Linux. */
export const CONSOLE_PORTS_MAX = 31;

/** The queue on which a port's bytes come to the driver. */
export function consoleReceiveQueue(port: number): number {
  return port === 0 ? 0 : 2 * port + 2;
}

/** The queue on which a port's bytes come from the driver. */
export function consoleTransmitQueue(port: number): number {
  return consoleReceiveQueue(port) + 1;
}

/** The port of a data queue, or -1 for a control queue. */
export function consolePortOf(queue: number): number {
  if (queue < CONSOLE_CONTROL_RECEIVE) return 0;
  return queue <= CONSOLE_CONTROL_TRANSMIT ? -1 : Math.floor(queue / 2) - 1;
}

/** Queues of a device with control queues and this many ports. */
export function consoleQueueCount(ports: number): number {
  return 2 * (ports + 1);
}
