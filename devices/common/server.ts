// A device's service: a number of identical servers with service times known at arrival, first come
// first served. A disk's channels, a random generator's engine.
import type { Statistics } from '../../platform/contracts/index.ts';
import {
  type Component,
  type ComponentId,
  doubled,
  NO_EVENT,
  PS_PER_NS,
} from '../../platform/kernel/index.ts';
import { labels, type Node } from '../../platform/node/index.ts';

export class ServiceStation implements Component {
  /** Requests whose service has ended. */
  served = 0;
  /** ps that those requests have waited for a server, and been served. */
  waited = 0;
  busy = 0;
  readonly #node: Node;
  readonly #id: ComponentId;
  readonly #freeAt: Float64Array;
  readonly #served: (tag: number) => void;
  /** No service begins before this instant. */
  #closedUntil = 0;
  #firstArrival = -1;
  #lastEnd = 0;
  // Requests under way, by record: how long each waits and is served, and the event of its end.
  #wait = new Float64Array(8);
  #time = new Float64Array(8);
  #end = new Float64Array(8);
  readonly #freeRecords: number[] = [];
  #recordCount = 0;

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
    const { now } = kernel;
    if (this.#firstArrival < 0) this.#firstArrival = now;
    let server = 0;
    for (let i = 1; i < this.#freeAt.length; i++) {
      if (this.#freeAt[i] < this.#freeAt[server]) server = i;
    }
    const start = Math.max(now, this.#freeAt[server], this.#closedUntil);
    this.#freeAt[server] = start + time;
    this.#node.noteWait(labels.WAIT_MEDIA, start - now);
    const record = this.#takeRecord();
    this.#wait[record] = start - now;
    this.#time[record] = time;
    this.#end[record] = kernel.schedule(this.#id, start + time - now, record, tag);
  }

  /** Forgets all requests, those in service too, and serves none before this instant. */
  close(until: number): void {
    const { kernel } = this.#node;
    for (let record = 0; record < this.#recordCount; record++) {
      if (this.#end[record] === NO_EVENT) continue;
      kernel.cancel(this.#end[record]);
      this.#giveRecord(record);
    }
    this.#freeAt.fill(kernel.now);
    this.#closedUntil = until;
  }

  deliver(record: number, tag: number): void {
    this.served++;
    this.waited += this.#wait[record];
    this.busy += this.#time[record];
    this.#lastEnd = this.#node.kernel.now;
    this.#giveRecord(record);
    this.#served(tag);
  }

  /**
   * What queueing theory asks of a station, from the first arrival to the last end of a service. Times
   * in ps are exact sums, means are in ns.
   */
  statistics(): Statistics {
    const { served, waited, busy } = this;
    const elapsedPs = served === 0 ? 0 : this.#lastEnd - this.#firstArrival;
    const mean = (sum: number) => (served === 0 ? 0 : sum / served / PS_PER_NS);
    const share = (part: number) => (elapsedPs === 0 ? 0 : part / elapsedPs);
    return {
      served,
      waitPs: waited,
      servicePs: busy,
      elapsedPs,
      meanWait: mean(waited),
      meanService: mean(busy),
      meanQueue: share(waited),
      utilisation: share(busy) / this.#freeAt.length,
    };
  }

  #takeRecord(): number {
    const free = this.#freeRecords.pop();
    if (free !== undefined) return free;
    if (this.#recordCount === this.#wait.length) this.#grow();
    return this.#recordCount++;
  }

  #giveRecord(record: number): void {
    this.#end[record] = NO_EVENT;
    this.#freeRecords.push(record);
  }

  #grow(): void {
    this.#wait = doubled(this.#wait);
    this.#time = doubled(this.#time);
    this.#end = doubled(this.#end);
  }
}
