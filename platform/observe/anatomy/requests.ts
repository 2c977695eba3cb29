// The requests of one device, put together from the milestones that both sides noted.
import type { AnatomyRecord } from '../../hosts/index.ts';
import { Milestone } from '../../node/index.ts';

/** A point of a request's life: the event in which it happened. */
export interface Point {
  readonly milestone: Milestone;
  readonly key: number;
  readonly at: number;
}

/** A request with the points that it reached, in order of time. */
export interface TracedRequest {
  readonly points: readonly Point[];
  /** ps from submission to completion; null when it was not completed. */
  readonly latency: number | null;
}

interface Mark extends Point {
  /** Queue, chain head and use: names a request while it is under way. */
  readonly name: string;
}

/** Lists the requests of a device in the order of their submission. */
export function requestsOf(device: number, records: readonly AnatomyRecord[]): TracedRequest[] {
  // A name comes again after a reset, so that a submission always begins another request.
  const current = new Map<string, Point[]>();
  const requests: Point[][] = [];
  for (const { name, milestone, key, at } of marksOf(device, records)) {
    const point = { milestone, key, at };
    if (milestone === Milestone.submitted) {
      const points = [point];
      current.set(name, points);
      requests.push(points);
    } else {
      current.get(name)?.push(point);
    }
  }
  return requests.map((points) => ({ points, latency: latencyOf(points) }));
}

function latencyOf(points: readonly Point[]): number | null {
  const last = points[points.length - 1];
  return last.milestone === Milestone.completed ? last.at - points[0].at : null;
}

function marksOf(device: number, records: readonly AnatomyRecord[]): Mark[] {
  const marks: Mark[] = [];
  for (const log of records.flatMap(({ milestones }) => milestones)) {
    for (let i = 0; i < log.keys.length; i++) {
      if (log.devices[i] !== device) continue;
      const name = `${log.queues[i]} ${log.heads[i]} ${log.uses[i]}`;
      const milestone = log.milestones[i];
      marks.push({ name, milestone, key: log.keys[i], at: log.times[i] });
    }
  }
  return marks.sort((a, b) => a.at - b.at || a.milestone - b.milestone || a.key - b.key);
}
