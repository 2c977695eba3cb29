// Where a console driver's buffers lie in its memory: slots of its users, cells for control messages in both
// directions, and receive buffers of all ports.
import { consolePortOf } from '../../platform/virtio/index.ts';

/** Receive buffers of a port, and their bytes. */
export const BUFFERS = 8;
export const BUFFER_SIZE = 1024;
/** Control messages on their way at a time, and bytes of a control buffer. */
export const CONTROL_CELLS = 8;
export const CELL = 256;

export class ConsoleLayout {
  readonly #start: number;
  readonly #slotBytes: number;

  constructor(start: number, slotBytes: number) {
    this.#start = start;
    this.#slotBytes = slotBytes;
  }

  static bytes(slotBytes: number, ports: number): number {
    return slotBytes + 2 * CONTROL_CELLS * CELL + ports * BUFFERS * BUFFER_SIZE;
  }

  slot(offset: number): number {
    return this.#start + offset;
  }

  /** A cell for a control message to the device. */
  control(cell: number): number {
    return this.#start + this.#slotBytes + CELL * cell;
  }

  /** A receive buffer of a data queue or of the control queue. */
  receive(queue: number, buffer: number): number {
    const port = consolePortOf(queue);
    if (port < 0) return this.control(CONTROL_CELLS + buffer);
    return this.control(2 * CONTROL_CELLS) + BUFFER_SIZE * (BUFFERS * port + buffer);
  }
}
