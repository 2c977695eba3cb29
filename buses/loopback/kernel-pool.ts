// The memory of a loopback bus that devices may reach: one pool in the node's own RAM, from which the
// kernel takes what drivers ask for. A process reaches the pool and nothing else.
import type { BusEnvironment, DriverBusClient } from '../../platform/contracts/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import {
  DevicePages,
  type PageRange,
  pagesOfRange,
  RegionGuard,
  SharedMemoryTarget,
} from '../common/index.ts';
import type { LoopbackOptions } from './options.ts';

export class KernelPool {
  readonly range: PageRange;
  /** Serves the accesses of the process. */
  readonly target: SharedMemoryTarget;
  readonly #pages: DevicePages;

  constructor({ node, plan }: BusEnvironment<LoopbackOptions>) {
    const length = plan.options.pool;
    this.range = { address: node.memory.allocate(length, PAGE_SIZE), length };
    this.#pages = new DevicePages(pagesOfRange(node.memory, this.range));
    this.target = new SharedMemoryTarget({
      node,
      handles: new RegionGuard([this.range]),
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
    });
  }

  allocate(device: number, client: DriverBusClient, length: number): void {
    const range = this.#pages.allocate(device, length);
    if (range === null) client.allocated(0, 'the pool has no room left');
    else client.allocated(range.address, null);
  }

  /** A bus address is a physical address, inside the pool. */
  busAddress(address: number): number {
    const offset = address - this.range.address;
    return offset >= 0 && offset < this.range.length ? address : -1;
  }

  release(device: number): void {
    this.#pages.release(device);
  }
}
