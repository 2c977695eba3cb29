// What device and driver have each counted of their traffic (virtio 1.4 §5.1.6.5.10): the driver asks for the
// counters of all pairs, and looks whether they can be right.
import { NET_STATS, netStatsHeader } from '../../platform/virtio/index.ts';
import { readU64 } from '../../platform/wire/index.ts';
import { askStatistics, askStatisticsTypes } from './commands.ts';
import type { Answered, Command } from './control-channel.ts';

/** Places of counters among those of basic statistics, and bytes of a reply with all of them. */
const COUNTER = { packets: 1, bytes: 2, drops: 4, count: 6, size: 8 } as const;
const REPLY_SIZE = netStatsHeader.fixedSize + COUNTER.size * COUNTER.count;
const BASIC = (1n << BigInt(NET_STATS.RX_BASIC)) | (1n << BigInt(NET_STATS.TX_BASIC));

/** Frames and their bytes: sent as they are on the cable, received as the device has joined them. */
export interface TrafficCounts {
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
}

/** What the device says; `dropped` are packets to send that it did not. */
interface DeviceCounts extends TrafficCounts {
  dropped: number;
}

export interface NetStatistics {
  readonly device: Readonly<DeviceCounts>;
  readonly driver: Readonly<TrafficCounts>;
}

export interface StatisticsOwner {
  /** Pairs that are set up. */
  readonly pairCount: number;
  /** Everything that was ever to be sent has been, as far as the driver knows. */
  readonly allSent: boolean;
  counts(): TrafficCounts;
  command(command: Command, answered: Answered): void;
  /** What the device has counted can't be. */
  disagreed(what: string): void;
}

/** Takes the statistics; null when the device does not tell them. */
export type Told = (statistics: NetStatistics | null) => void;

/** Asks for the counters of all pairs. Nobody is `told` if the device is reset or lost meanwhile. */
export function fetchStatistics(owner: StatisticsOwner, told: Told): void {
  owner.command(askStatisticsTypes(), (ok, types) => {
    if (ok && (readU64(types, 0) & BASIC) === BASIC) return fetchPairs(owner, told);
    owner.disagreed('there are no basic ones');
    told(null);
  });
}

function fetchPairs(owner: StatisticsOwner, told: Told): void {
  const before = owner.counts();
  const { allSent, pairCount } = owner;
  const device = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, dropped: 0 };
  let refused = 0;
  for (let pair = 0; pair < pairCount; pair++) {
    const questions = [
      { vqIndex: 2 * pair, type: NET_STATS.RX_BASIC },
      { vqIndex: 2 * pair + 1, type: NET_STATS.TX_BASIC },
    ];
    owner.command(askStatistics(questions, questions.length * REPLY_SIZE), (ok, result) => {
      if (ok) add(device, result);
      else refused++;
      if (pair < pairCount - 1) return;
      if (refused > 0) {
        owner.disagreed(`those of ${refused} pairs are refused`);
        return told(null);
      }
      const driver = owner.counts();
      const least = allSent && device.dropped === 0 ? before.sent : 0;
      compare(owner, 'frames sent', [least, device.sent, driver.sent]);
      compare(owner, 'packets received', [before.received, device.received, Infinity]);
      told({ device, driver });
    });
  }
}

/** Adds what the device has counted of a pair. */
function add(device: DeviceCounts, result: Uint8Array): void {
  const counter = (reply: number, place: number) =>
    Number(readU64(result, reply * REPLY_SIZE + netStatsHeader.fixedSize + COUNTER.size * place));
  device.received += counter(0, COUNTER.packets);
  device.receivedBytes += counter(0, COUNTER.bytes);
  device.sent += counter(1, COUNTER.packets);
  device.sentBytes += counter(1, COUNTER.bytes);
  device.dropped += counter(1, COUNTER.drops);
}

/** The device counts what the driver knows of already, and nothing that the driver knows nothing of. */
function compare(owner: StatisticsOwner, what: string, range: [number, number, number]): void {
  const [least, counted, most] = range;
  if (counted >= least && counted <= most) return;
  owner.disagreed(`${counted} ${what}, not ${least} … ${most}`);
}
