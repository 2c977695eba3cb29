// Why things happened when they did. With a CauseLog on the kernel, every event records the event
// that scheduled it and which costs its delay is made of. The chain of causes of any event tiles the
// time before it exactly, because a child is scheduled at the very instant its parent is delivered.
// Off by default: it keeps a record per event.

/** No cause but the event being delivered; -1 is a cause, the start of the run. */
const NO_OVERRIDE = -2;

interface Suspended {
  readonly parent: number;
  readonly since: number;
  readonly labels: number[];
  readonly durations: number[];
}

export class CauseLog {
  readonly keys: number[] = [];
  readonly parents: number[] = [];
  readonly times: number[] = [];
  /** For each event, the end of its parts in the two arrays below. */
  readonly partEnds: number[] = [];
  readonly partLabels: number[] = [];
  readonly partDurations: number[] = [];
  readonly #suspended: Suspended[] = [];
  #override = NO_OVERRIDE;
  #partStart = 0;

  /** Says that the next scheduled event's delay contains `duration` ps for `label`. */
  note(label: number, duration: number): void {
    if (duration === 0) return;
    this.partLabels.push(label);
    this.partDurations.push(duration);
  }

  /**
   * Sets aside the noted parts of an event that can't be scheduled yet because something must be
   * waited for. `parent` and `now` are the waiting event's cause. Returns a ticket for `restore`.
   */
  suspend(parent: number, now: number): number {
    const labels = this.partLabels.splice(this.#partStart);
    const durations = this.partDurations.splice(this.#partStart);
    const cause = this.#override === NO_OVERRIDE ? parent : this.#override;
    this.#override = NO_OVERRIDE;
    return this.#suspended.push({ parent: cause, since: now, labels, durations }) - 1;
  }

  /** Makes the suspended event the next to be recorded; the time since is noted as `waitLabel`. */
  restore(ticket: number, waitLabel: number, now: number): void {
    const { parent, since, labels, durations } = this.#suspended[ticket];
    this.#override = parent;
    this.note(waitLabel, now - since);
    this.partLabels.push(...labels);
    this.partDurations.push(...durations);
  }

  /** Called by the kernel for each scheduled event. */
  record(key: number, parent: number, at: number): void {
    this.keys.push(key);
    this.parents.push(this.#override === NO_OVERRIDE ? parent : this.#override);
    this.times.push(at);
    this.#override = NO_OVERRIDE;
    this.#partStart = this.partLabels.length;
    this.partEnds.push(this.#partStart);
  }
}
