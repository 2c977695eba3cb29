// A component that writes down what it is given and does what a test tells it to.
import type { Component, ComponentId, Kernel, Packet } from '../../platform/kernel/index.ts';

export interface Delivery {
  readonly at: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

export class Recorder implements Component {
  readonly id: ComponentId;
  readonly deliveries: Delivery[] = [];
  readonly packets: (Delivery & { c: number; d: number; bytes: number[] })[] = [];
  /** Called after each delivery is written down. */
  react: (delivery: Delivery) => void = () => {};
  readonly #kernel: Kernel;

  constructor(kernel: Kernel, node = 0) {
    this.#kernel = kernel;
    this.id = kernel.add(node, this);
  }

  deliver(kind: number, a: number, b: number): void {
    const delivery = { at: this.#kernel.now, kind, a, b };
    this.deliveries.push(delivery);
    this.react(delivery);
  }

  receive({ kind, a, b, c, d, bytes, length }: Packet): void {
    const delivery = { at: this.#kernel.now, kind, a, b };
    this.packets.push({ ...delivery, c, d, bytes: [...bytes.subarray(0, length)] });
    this.react(delivery);
  }

  get kinds(): number[] {
    return this.deliveries.map(({ kind }) => kind);
  }
}
