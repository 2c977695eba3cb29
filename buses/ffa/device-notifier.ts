// The partition's calls of FFA_NOTIFICATION_SET for the driver.
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import type { FfaTiming } from './timing.ts';

export interface DeviceNotifierOptions {
  readonly node: Node;
  readonly timing: FfaTiming;
  /** Makes the notification pending at the driver, so many ps from now. */
  deliver(delay: number): void;
}

export class DeviceNotifier implements CpuClient {
  /** Notifications set. */
  count = 0;
  readonly #options: DeviceNotifierOptions;

  constructor(options: DeviceNotifierOptions) {
    this.#options = options;
  }

  /** Sets the driver's notification, which takes a call. */
  set(): void {
    const { node, timing } = this.#options;
    node.cpu.submit(Priority.task, node.charge(timing.notificationSet), this, 0);
  }

  /** The call has been made, if the partition has not crashed meanwhile. */
  deliver(): void {
    const { node, timing, deliver } = this.#options;
    if (!node.restarts.running) return;
    this.count++;
    deliver(node.charge(timing.notificationDelivery));
  }
}
