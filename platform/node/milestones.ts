// How far each request has come, and in which event: the frame of a request's anatomy. Driver and
// device each note what they see on their own node; a request is named by device, queue, chain head
// and how often that head was used before, which both sides count alike.
import type { Kernel } from '../kernel/index.ts';

/** The points of a request's life that a driver or device notes, in order. */
export const Milestone = {
  submitted: 0,
  published: 1,
  fetched: 2,
  started: 3,
  served: 4,
  used: 5,
  completed: 6,
} as const;
export type Milestone = (typeof Milestone)[keyof typeof Milestone];

export class MilestoneLog {
  readonly devices: number[] = [];
  readonly queues: number[] = [];
  readonly heads: number[] = [];
  readonly uses: number[] = [];
  readonly milestones: Milestone[] = [];
  /** Order key of the event in which it happened, and its instant. */
  readonly keys: number[] = [];
  readonly times: number[] = [];
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Notes a milestone of the current event, or of the earlier one that `when` tells. */
  mark(
    device: number,
    queue: number,
    head: number,
    use: number,
    milestone: Milestone,
    when: { readonly key: number; readonly at: number } = {
      key: this.#kernel.currentKey,
      at: this.#kernel.now,
    },
  ): void {
    this.devices.push(device);
    this.queues.push(queue);
    this.heads.push(head);
    this.uses.push(use);
    this.milestones.push(milestone);
    this.keys.push(when.key);
    this.times.push(when.at);
  }
}
