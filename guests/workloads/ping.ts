// A workload that sends ICMP echo requests at intervals and measures the round trip of each. Every
// answer must carry the bytes that were sent.
import { z } from 'zod';
import type { Statistics, WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { type EventHandle, PS_PER_MS } from '../../platform/kernel/index.ts';
import { ICMP_HEADER } from '../../platform/network/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { defineWorkload } from '../common/index.ts';
import type { NetDriver } from '../net/index.ts';
import { checkPeer, IP_HEADER, ipOption, NetWorkload, versionFor } from './net-workload.ts';
import type { Goal } from './progress.ts';

const pingOptions = z.strictObject({
  to: z.string().describe('Whom to ask: a network device or an IP address.'),
  ...ipOption,
  size: size({ min: 0, max: 65_507 }).default(56).describe('Bytes of payload.'),
  interval: time({ min: 1 })
    .default(PS_PER_MS)
    .describe('Time between two requests, answered or not.'),
  requests: z.int().min(1).max(65_535).default(10).describe('Requests in all.'),
  timeout: time({ min: 1 })
    .default(1000 * PS_PER_MS)
    .describe('Time after which a request without an answer counts as lost.'),
});

type PingOptions = z.output<typeof pingOptions>;

const SEND = 0;
const TIMEOUT = 1;

class Ping extends NetWorkload {
  readonly #options: PingOptions;
  readonly #icmpId: number;
  readonly #payload: Uint8Array;
  readonly #sentAt: Float64Array;
  /** Of each request that waits for its answer; others have none. */
  readonly #timers = new Map<number, EventHandle>();
  #sent = 0;
  #received = 0;
  #duplicates = 0;

  constructor(environment: WorkloadEnvironment<PingOptions, NetDriver>) {
    super(environment, Infinity);
    const { options, index } = environment.plan;
    this.#options = options;
    this.#payload = new Uint8Array(options.size);
    this.#sentAt = new Float64Array(options.requests);
    this.#icmpId = (index + 1) & 0xffff;
    this.stack.echo.listen(this.#icmpId, (sequence, bytes, offset, length) =>
      this.#answered(sequence, bytes, offset, length),
    );
  }

  protected override begin(): void {
    this.#send();
  }

  override deliver(kind: number, sequence: number): void {
    if (kind === SEND) {
      if (this.running) this.#send();
      return;
    }
    this.#timers.delete(sequence);
    this.requests++;
    this.errors++;
    this.#drain();
  }

  protected override goal(): Omit<Goal, 'elapsed'> {
    return { done: this.requests, total: this.#options.requests, duration: Infinity };
  }

  protected override extra(): Statistics {
    const lost = this.errors;
    return { sent: this.#sent, received: this.#received, lost, duplicates: this.#duplicates };
  }

  #send(): void {
    const { kernel } = this.node;
    const { interval, requests, timeout } = this.#options;
    const sequence = this.#sent++;
    this.#fill(sequence);
    this.#sentAt[sequence] = kernel.now;
    this.#timers.set(sequence, kernel.schedule(this.id, timeout, TIMEOUT, sequence));
    // A request that finds no room to be sent is lost like any other.
    this.stack.echo.request(this.peer, this.#icmpId, sequence, this.#payload);
    if (this.#sent < requests) kernel.schedule(this.id, interval, SEND);
    else this.enough();
  }

  #answered(sequence: number, bytes: Uint8Array, offset: number, length: number): void {
    const timer = this.#timers.get(sequence);
    if (timer === undefined) {
      this.#duplicates++;
      return;
    }
    this.node.kernel.cancel(timer);
    this.#timers.delete(sequence);
    this.#received++;
    this.#fill(sequence);
    const got = bytes.subarray(offset, offset + length);
    if (Buffer.compare(got, this.#payload) === 0) {
      this.verified++;
    } else {
      this.errors++;
      this.node.violations.report('VERIFY', `${this.name}: answer ${sequence} has other bytes`);
    }
    this.over(this.node.kernel.now - this.#sentAt[sequence], length);
    this.#drain();
  }

  #drain(): void {
    if (this.#timers.size === 0 && this.#sent === this.#options.requests) this.drained();
  }

  /** Bytes that no other request has. */
  #fill(sequence: number): void {
    for (let i = 0; i < this.#payload.length; i++) this.#payload[i] = sequence * 31 + i * 7;
  }
}

export const ping = defineWorkload({
  type: 'ping',
  drives: ['net'],
  doc: 'Sends ICMP echo requests and measures their round trips.',
  spec: 'RFC 792, RFC 4443',
  options: pingOptions,
  timing: [],
  check: (plan, topology) => {
    const options = plan.options as PingOptions;
    const packet = options.size + ICMP_HEADER + IP_HEADER[versionFor(options)];
    return checkPeer(plan as never, topology, packet);
  },
  create: (environment: WorkloadEnvironment<PingOptions, NetDriver>) => new Ping(environment),
});
