// The lines of a GPIO controller as hardware: directions, levels, what they are wired to, and which
// interrupts are pending. Software reads and sets them; a change may ask for its attention.

import {
  type Component,
  type ComponentId,
  type EventHandle,
  NO_EVENT,
} from '../../platform/kernel/index.ts';
import { labels, type Node } from '../../platform/node/index.ts';
import {
  GPIO_DIRECTION,
  GPIO_IRQ_TYPE,
  waveEdgeAt,
  waveEdges,
  waveLevel,
} from '../../platform/virtio/index.ts';
import type { GpioOptions } from './options.ts';

const NONE = -1;

export class GpioLines implements Component {
  readonly count: number;
  readonly direction: Uint8Array;
  readonly irqType: Uint8Array;
  readonly #node: Node;
  readonly #id: ComponentId;
  readonly #attention: () => void;
  /** What the line puts out while it is an output. */
  readonly #output: Uint8Array;
  /** Level at the last look. */
  readonly #level: Uint8Array;
  /** An edge that was asked for has been seen. */
  readonly #latched: Uint8Array;
  /** The line at the other end of the wire. */
  readonly #peer: Int32Array;
  /** ps of the wave that drives the line, or 0. */
  readonly #period: Float64Array;
  readonly #edges: EventHandle[];

  /** `attention` is called when an interrupt has become pending. */
  constructor(node: Node, { lines, loop, stimulus }: GpioOptions, attention: () => void) {
    this.#node = node;
    this.#attention = attention;
    this.#id = node.add(this);
    this.count = lines;
    this.direction = new Uint8Array(lines);
    this.irqType = new Uint8Array(lines);
    this.#output = new Uint8Array(lines);
    this.#level = new Uint8Array(lines);
    this.#latched = new Uint8Array(lines);
    this.#peer = new Int32Array(lines).fill(NONE);
    this.#period = new Float64Array(lines);
    this.#edges = new Array<EventHandle>(lines).fill(NO_EVENT);
    for (const [a, b] of loop) {
      this.#peer[a] = b;
      this.#peer[b] = a;
    }
    for (const { line, period } of stimulus) this.#period[line] = period;
  }

  /** Level of a line now. One that nothing drives is low. */
  level(line: number): number {
    if (this.direction[line] === GPIO_DIRECTION.OUT) return this.#output[line];
    const peer = this.#peer[line];
    if (peer !== NONE && this.direction[peer] === GPIO_DIRECTION.OUT) return this.#output[peer];
    const period = this.#period[line];
    return period === 0 ? 0 : waveLevel(waveEdges(period, this.#node.kernel.now));
  }

  setOutput(line: number, value: number): void {
    this.#output[line] = value;
    this.#changed(line);
  }

  setDirection(line: number, direction: number): void {
    this.direction[line] = direction;
    // A line that is given up forgets everything.
    if (direction === GPIO_DIRECTION.NONE) {
      this.#output[line] = 0;
      this.setIrqType(line, GPIO_IRQ_TYPE.NONE);
    }
    this.#changed(line);
  }

  /** Edges count from here on; what was latched before is forgotten. */
  setIrqType(line: number, type: number): void {
    this.irqType[line] = type;
    this.#latched[line] = 0;
    this.#level[line] = this.level(line);
    if (this.#edges[line] !== NO_EVENT) this.#node.kernel.cancel(this.#edges[line]);
    this.#edges[line] = NO_EVENT;
    if (type !== GPIO_IRQ_TYPE.NONE) this.#awaitEdge(line);
  }

  /** True when the line's interrupt is to be delivered, if it is unmasked. */
  pending(line: number): boolean {
    const type = this.irqType[line];
    if (type === GPIO_IRQ_TYPE.LEVEL_HIGH) return this.level(line) === 1;
    if (type === GPIO_IRQ_TYPE.LEVEL_LOW) return this.level(line) === 0;
    return this.#latched[line] === 1;
  }

  /** The interrupt is being delivered. */
  acknowledge(line: number): void {
    this.#latched[line] = 0;
  }

  /** As after a reset of the controller. */
  reset(): void {
    for (let line = 0; line < this.count; line++) this.setDirection(line, GPIO_DIRECTION.NONE);
  }

  /** An edge of the wave on this line. */
  deliver(_kind: number, line: number): void {
    this.#edges[line] = NO_EVENT;
    this.#look(line);
    this.#awaitEdge(line);
  }

  #changed(line: number): void {
    this.#look(line);
    if (this.#peer[line] !== NONE) this.#look(this.#peer[line]);
  }

  /** Compares a line with the last look, and latches the edge that its interrupt type asks for. */
  #look(line: number): void {
    const before = this.#level[line];
    const now = this.level(line);
    this.#level[line] = now;
    const type = this.irqType[line];
    if (type === GPIO_IRQ_TYPE.NONE) return;
    const edge = now > before ? GPIO_IRQ_TYPE.EDGE_RISING : GPIO_IRQ_TYPE.EDGE_FALLING;
    if (now !== before && (type & edge) !== 0) this.#latched[line] = 1;
    if (this.pending(line)) this.#attention();
  }

  /** Waves are followed only while somebody wants to hear of their edges. */
  #awaitEdge(line: number): void {
    const period = this.#period[line];
    if (period === 0) return;
    const { kernel } = this.#node;
    const next = waveEdgeAt(period, waveEdges(period, kernel.now) + 1);
    const delay = next - kernel.now;
    this.#node.noteWait(labels.TIMER, delay);
    this.#edges[line] = kernel.schedule(this.#id, delay, 0, line);
  }
}
