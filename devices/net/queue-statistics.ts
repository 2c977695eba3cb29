// Statistics of queues for the driver (virtio 1.4 §5.1.6.5.10): which there are, and the answer to a question
// for some of them. Only the basic ones, and those of the control queue.
import { NET_STATS, netStatsHeader, netStatsQuestion } from '../../platform/virtio/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';

const COUNTER_SIZE = 8;

/** What is counted of a queue: its type of statistics, and counters in the order of the specification. */
export interface QueueStatistics {
  readonly type: number;
  readonly counters: readonly number[];
}

/** Driver notifications and interrupts of a queue; both are counters of its statistics. */
export class QueueSignals {
  notifications = 0;
  interrupts = 0;
}

/** All types that there are, as a mask. */
export function supportedStatistics(): bigint {
  return Object.values(NET_STATS).reduce((mask, type) => mask | (1n << BigInt(type)), 0n);
}

/**
 * Answers a question for statistics of queues. Returns null when it makes no sense, or is about a queue or a
 * type that there is not.
 */
export function answerStatistics(
  question: Uint8Array,
  statisticsOf: (queue: number) => QueueStatistics | null,
): Uint8Array | null {
  const { fixedSize } = netStatsQuestion;
  if (question.length === 0 || question.length % fixedSize !== 0) return null;
  const answers: Uint8Array[] = [];
  for (let at = 0; at < question.length; at += fixedSize) {
    const { vqIndex, types } = netStatsQuestion.decode(question, at, fixedSize);
    const found = statisticsOf(vqIndex);
    if (found === null || types !== 1n << BigInt(found.type)) return null;
    answers.push(encode(vqIndex, found));
  }
  const answer = new Uint8Array(answers.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of answers) {
    answer.set(each, at);
    at += each.length;
  }
  return answer;
}

function encode(vqIndex: number, { type, counters }: QueueStatistics): Uint8Array {
  const size = netStatsHeader.fixedSize + COUNTER_SIZE * counters.length;
  const bytes = new Uint8Array(size);
  netStatsHeader.encode({ type, vqIndex, size }, bytes, 0);
  for (const [i, counter] of counters.entries()) {
    const at = netStatsHeader.fixedSize + COUNTER_SIZE * i;
    writeU32(bytes, at, counter >>> 0);
    writeU32(bytes, at + 4, Math.floor(counter / 2 ** 32));
  }
  return bytes;
}
