// A workload that sends UDP datagrams of one size, at a rate or as fast as it can. The far end counts
// what arrives; the generator asks for the counts at the end.
import { z } from 'zod';
import type { Finding, Statistics, WorkloadEnvironment } from '../../platform/contracts/index.ts';
import { PS_PER_MS, PS_PER_S, transferTime } from '../../platform/kernel/index.ts';
import {
  bytesOnCable,
  ETHERNET_HEADER,
  FRAME_MIN,
  type IpVersion,
  UDP_HEADER,
} from '../../platform/network/index.ts';
import type { LatencySummary } from '../../platform/observe/index.ts';
import { rate, size, time } from '../../platform/scenario/fields.ts';
import { defineWorkload } from '../common/index.ts';
import {
  COUNTER_HEADER,
  COUNTER_KIND,
  COUNTER_PORT,
  type DatagramPlace,
  type NetDriver,
  type PacketCounts,
  readCounts,
} from '../net/index.ts';
import { checkPeer, IP_HEADER, ipOption, NetWorkload, versionFor } from './net-workload.ts';
import { type Goal, totalOf } from './progress.ts';

/** Bytes of a frame before the payload. */
const headers = (version: IpVersion) => ETHERNET_HEADER + IP_HEADER[version] + UDP_HEADER;
const sizeMin = (version: IpVersion) => Math.max(FRAME_MIN, headers(version) + COUNTER_HEADER);

const pktgenOptions = z.strictObject({
  to: z.string().describe('Whom to send to: a network device, an IP address, or a MAC address.'),
  ...ipOption,
  size: size({ min: sizeMin(4), max: 9234 })
    .optional()
    .describe(
      `Bytes of a frame, from Ethernet header to payload; by default the least: ${sizeMin(4)}B, or ${sizeMin(6)}B over IPv6.`,
    ),
  packets: z.int().min(1).optional().describe('Frames in all. Default: until `duration`, or 1000.'),
  duration: time({ min: 1 }).optional().describe('How long to send.'),
  burst: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe(
      'Frames handed over at a time, as one large datagram if the device cuts these (HOST_USO).',
    ),
  rate: rate({ min: 1 })
    .optional()
    .describe('Bytes/s on the cable, gaps included. Default: as fast as the device takes them.'),
});

type PktgenOptions = z.output<typeof pktgenOptions>;

/** The largest packet that a device cuts into datagrams, IP header included. */
const PACKET_MAX = 65_535;
const DEFAULT_PACKETS = 1000;
const FIRST_PORT = 40_000;
/** When an answer does not come, the question is sent again: so long after, and so often. */
const ASK_AGAIN = 10 * PS_PER_MS;
const ASK_MAX = 20;

const SEND = 0;
const END = 1;
const ASK = 2;

class Pktgen extends NetWorkload {
  readonly #options: PktgenOptions;
  readonly #generator: number;
  readonly #place: DatagramPlace;
  /** Bytes of a frame and of its datagram, and room for those of a burst. */
  readonly #frame: number;
  readonly #size: number;
  readonly #payload: Uint8Array;
  readonly #view: DataView;
  readonly #interval: number;
  readonly #sendMore = (): void => this.#send();
  #left: number;
  #sent = 0;
  #asked = 0;
  #lastSentAt = 0;
  #counts: PacketCounts | null = null;

  constructor(environment: WorkloadEnvironment<PktgenOptions, NetDriver>) {
    const { options, index } = environment.plan;
    super(environment, Infinity);
    this.#options = options;
    this.#generator = index;
    const ownPort = FIRST_PORT + (index % 20_000);
    this.#place = { station: this.peer, port: COUNTER_PORT, ownPort };
    this.#frame = frameSize(options);
    this.#size = this.#frame - headers(versionFor(options));
    this.#payload = new Uint8Array(this.#size * mostInBurst(options));
    this.#view = new DataView(this.#payload.buffer);
    this.#interval =
      options.rate === undefined ? 0 : transferTime(bytesOnCable(this.#frame), options.rate);
    const { packets: wanted, duration } = options;
    this.#left = totalOf({ wanted, duration, otherwise: DEFAULT_PACKETS });
    this.stack.udp.listen(ownPort, ({ bytes, offset, length }) => {
      this.#answered(new DataView(bytes.buffer, bytes.byteOffset + offset, length));
    });
  }

  override deliver(kind: number): void {
    if (kind === END) this.#left = 0;
    if (kind === ASK) this.#ask();
    else this.#send();
  }

  protected override begin(): void {
    const { duration } = this.#options;
    const start = () => {
      this.started = this.node.kernel.now;
      if (duration !== undefined) this.node.kernel.schedule(this.id, duration, END);
      this.#send();
    };
    if (this.nameless) return start();
    // Frames would be dropped, not held up, while nobody knows whom they are for.
    this.peer.ip.resolve(this.peer, (found) => {
      if (found >= 0) return start();
      this.failure = 'nobody has the address';
      this.enough();
      this.drained();
    });
  }

  protected override goal(): Omit<Goal, 'elapsed'> {
    const { duration = Infinity } = this.#options;
    return { done: this.#sent, total: this.#sent + this.#left, duration };
  }

  protected override extra(): Statistics {
    const counts = this.#counts;
    const rateOf = (packets: number, time: number) =>
      time > 0 && packets > 1 ? Math.round((8 * this.#frame * (packets - 1) * PS_PER_S) / time) : 0;
    const received = counts?.packets ?? 0;
    const receiving = (counts?.lastAt ?? 0) - (counts?.firstAt ?? 0);
    return {
      sent: this.#sent,
      received,
      lost: counts === null ? 0 : this.#sent - received,
      reordered: counts?.reordered ?? 0,
      sendBitsPerSecond: rateOf(this.#sent, this.#lastSentAt - this.started),
      receiveBitsPerSecond: rateOf(received, receiving),
    };
  }

  /** Times on the way, as the far end has measured them. */
  protected override latencies(): LatencySummary {
    return this.#counts?.delays ?? super.latencies();
  }

  /** Sends the next frame, or all that there is room for when there is no rate. */
  #send(): void {
    if (!this.running) return;
    const { kernel } = this.node;
    while (this.#left > 0) {
      const { udp } = this.stack;
      const cuts = this.peer.ip.cutsDatagrams;
      const count = cuts ? Math.min(this.#left, this.#payload.length / this.#size) : 1;
      for (let i = 0; i < count; i++) this.#fill(COUNTER_KIND.packet, i);
      if (!udp.send(this.#place, this.#first(count), this.#size)) {
        return this.stack.udp.whenWritable(this.#sendMore);
      }
      this.#sent += count;
      this.#left -= count;
      this.#lastSentAt = kernel.now;
      if (this.#interval > 0 && this.#left > 0) {
        kernel.schedule(this.id, this.#interval * count, SEND);
        return;
      }
    }
    this.enough();
    this.ended = kernel.now;
    this.#ask();
  }

  /** Asks for the counts; nobody answers for a station of which only the MAC address is known. */
  #ask(): void {
    if (this.#counts !== null || this.done) return;
    if (this.nameless) {
      this.requests = this.#sent;
      this.bytes = this.#sent * this.#frame;
      return this.drained();
    }
    if (this.#asked++ === ASK_MAX) {
      this.failure = 'the far end does not tell its counts';
      return this.drained();
    }
    this.#fill(COUNTER_KIND.question, 0);
    this.stack.udp.send(this.#place, this.#first(1));
    this.node.kernel.schedule(this.id, ASK_AGAIN, ASK);
  }

  #answered(view: DataView): void {
    if (view.byteLength < COUNTER_HEADER || this.#counts !== null) return;
    if (view.getUint32(0, true) !== COUNTER_KIND.answer) return;
    this.#counts = readCounts(view);
    if (this.#counts === null) return;
    this.requests = this.#sent;
    this.errors = this.#sent - this.#counts.packets;
    this.bytes = this.#counts.packets * this.#frame;
    this.ended = Math.max(this.ended, this.#counts.lastAt);
    this.drained();
  }

  /** The first so many datagrams of a burst. */
  #first(count: number): Uint8Array {
    const length = count * this.#size;
    return length === this.#payload.length ? this.#payload : this.#payload.subarray(0, length);
  }

  /** Writes the header of one datagram of a burst. */
  #fill(kind: number, index: number): void {
    const at = index * this.#size;
    this.#view.setUint32(at, kind, true);
    this.#view.setUint32(at + 4, this.#generator, true);
    this.#view.setFloat64(at + 8, this.#sent + index, true);
    this.#view.setFloat64(at + 16, this.node.kernel.now, true);
  }
}

/** Frames that go in one large datagram at the most: it is no longer than others may be. */
function mostInBurst(options: PktgenOptions): number {
  const before = headers(versionFor(options));
  const room = PACKET_MAX + ETHERNET_HEADER - before;
  return Math.min(options.burst, Math.floor(room / (frameSize(options) - before)));
}

/** Bytes of a frame: as many as are wanted, or the least. */
function frameSize(options: PktgenOptions): number {
  return options.size ?? sizeMin(versionFor(options));
}

/** Objects to a frame that has no room for what every frame says. */
function checkSize(options: PktgenOptions): Finding[] {
  const least = sizeMin(versionFor(options));
  if (frameSize(options) >= least) return [];
  const message = `frames over IPv${versionFor(options)} have at least ${least} bytes`;
  return [{ field: 'size', message, expected: `${least}B or more` }];
}

export const pktgen = defineWorkload({
  type: 'pktgen',
  drives: ['net'],
  doc: 'Sends UDP datagrams at a rate; the far end counts them.',
  spec: 'pktgen of Linux',
  options: pktgenOptions,
  timing: [],
  check: (plan, topology) => {
    const options = plan.options as PktgenOptions;
    const packet = frameSize(options) - ETHERNET_HEADER;
    return [...checkSize(options), ...checkPeer(plan as never, topology, packet)];
  },
  create: (environment: WorkloadEnvironment<PktgenOptions, NetDriver>) => new Pktgen(environment),
});
