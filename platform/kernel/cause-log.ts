// Why things happened when they did. With a CauseLog on the kernel, every event records the event
// that scheduled it and which costs its delay is made of. The chain of causes of any event tiles the
// time before it exactly, because a child is scheduled at the very instant its parent is delivered.
// Off by default: it keeps a record per event.

/** One piece of an event's delay: an index into the run's label table, and its length in ps. */
export interface CausePart {
  readonly label: number;
  readonly duration: number;
}

export class CauseLog {
  readonly keys: number[] = [];
  readonly parents: number[] = [];
  readonly times: number[] = [];
  readonly partEnds: number[] = [];
  readonly partLabels: number[] = [];
  readonly partDurations: number[] = [];

  /** Says that the next scheduled event's delay contains `duration` ps for `label`. */
  note(label: number, duration: number): void {
    if (duration === 0) return;
    this.partLabels.push(label);
    this.partDurations.push(duration);
  }

  /** Called by the kernel for each scheduled event. */
  record(key: number, parent: number, at: number): void {
    this.keys.push(key);
    this.parents.push(parent);
    this.times.push(at);
    this.partEnds.push(this.partLabels.length);
  }
}
