// A device's service: a number of identical servers with service times known at arrival, first come
// first served. A disk's channels, a random generator's engine.
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { labels, type Node } from '../../platform/node/index.ts';

export class ServiceStation implements Component {
  /** Server-picoseconds of service given. */
  busy = 0;
  readonly #node: Node;
  readonly #id: ComponentId;
  readonly #freeAt: Float64Array;
  readonly #served: (tag: number) => void;

  /** `served(tag)` is called when the service of a request ends. */
  constructor(node: Node, servers: number, served: (tag: number) => void) {
    this.#node = node;
    this.#freeAt = new Float64Array(servers);
    this.#served = served;
    this.#id = node.add(this);
  }

  /**
   * Takes a request that needs `time` ps of service. The caller has charged the constants it is made
   * of; the wait for a free server is added here.
   */
  request(time: number, tag: number): void {
    const { kernel } = this.#node;
    let server = 0;
    for (let i = 1; i < this.#freeAt.length; i++) {
      if (this.#freeAt[i] < this.#freeAt[server]) server = i;
    }
    const start = Math.max(kernel.now, this.#freeAt[server]);
    this.#freeAt[server] = start + time;
    this.busy += time;
    this.#node.noteWait(labels.WAIT_MEDIA, start - kernel.now);
    kernel.schedule(this.#id, start + time - kernel.now, 0, tag);
  }

  deliver(_kind: number, tag: number): void {
    this.#served(tag);
  }
}
