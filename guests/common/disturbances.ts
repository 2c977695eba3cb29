// What a scenario has planned for a driver in use: resets of its queues, suspensions of its device.
import type { DevicePlan } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';

interface PlannedReset {
  readonly at: number;
  readonly queue: number;
}

interface PlannedSuspension {
  readonly at: number;
  /** ps that the device is to be suspended. */
  readonly for: number;
}

interface Disturbances {
  resetQueue(queue: number): void;
  suspend(time: number): void;
}

/** Has queues reset and the device suspended when the scenario says so. */
export function planDisturbances(
  node: Node,
  { options }: DevicePlan,
  { resetQueue, suspend }: Disturbances,
): void {
  const resets = (options.resetQueues ?? []) as readonly PlannedReset[];
  const suspensions = (options.suspends ?? []) as readonly PlannedSuspension[];
  if (resets.length > 0) {
    const id = node.add({ deliver: resetQueue });
    for (const { at, queue } of resets) node.kernel.schedule(id, at, queue);
  }
  if (suspensions.length > 0) {
    const id = node.add({ deliver: (index: number) => suspend(suspensions[index].for) });
    for (const [index, { at }] of suspensions.entries()) node.kernel.schedule(id, at, index);
  }
}
