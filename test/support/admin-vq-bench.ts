// A driver's transport and a device, each on its end of a PCI Express path, with the administration virtqueue
// between them: every command and its answer can be seen, and changed.
import { AdminFunction } from '../../buses/admin-vq/admin-function.ts';
import { AdminVqDriver } from '../../buses/admin-vq/driver-transport.ts';
import { adminVqOptions } from '../../buses/admin-vq/options.ts';
import { HostPages } from '../../buses/common/index.ts';
import { VirtioDevice } from '../../devices/common/index.ts';
import type { FaultPlan } from '../../platform/contracts/index.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { hearTransport } from './heard-transport.ts';
import { PcieBench } from './pcie-bench.ts';

/** Number of the device's function. */
const FUNCTION = 3;
/** Status of a device whose features are agreed on. */
export const READY = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK;

/** Nothing of what a scenario may say of rings. */
const NO_RINGS = {
  ring: 'split',
  eventIdx: false,
  indirect: false,
  notificationData: false,
  ringReset: false,
  orderPlatform: false,
} as const;

/** A device of two queues that notes what is done to it. */
class TestDevice extends VirtioDevice {
  readonly log: string[] = [];
  acceptsConfig = true;
  /** What the status shows after a reset, as long as it takes its time. */
  slowReset = false;

  constructor(bench: PcieBench) {
    const none = { needsReset: [], resetQueues: [], suspends: [] };
    const options = { ...NO_RINGS, ...none, adminQueues: 1, resetTime: 0 };
    super(
      bench.card,
      { name: 'dut', index: 0, options },
      {
        deviceId: 2,
        features: 0x21n | F.RING_RESET | F.ADMIN_VQ,
        config: Uint8Array.from({ length: 24 }, (_, i) => i),
        queueSizes: [256, 8],
      },
    );
  }

  /** Says that something has changed. */
  change(byte: number): void {
    this.config[0] = byte;
    this.configChanged(0, 1);
  }

  fail(): void {
    this.needsReset();
  }

  override setStatus(status: number): number {
    super.setStatus(status);
    if (status === 0 && this.slowReset) this.status = STATUS.ACKNOWLEDGE;
    return this.status;
  }

  protected override configWritten(offset: number, source: Uint8Array): boolean {
    this.log.push(`config ${offset} ${toHex(source)}`);
    return this.acceptsConfig;
  }

  override available(queue: number): void {
    if (queue < 2) this.log.push(`available ${queue}`);
    super.available(queue);
  }

  protected serve(): void {}
  protected forget(): void {}
}

export interface AdminVqBenchOptions {
  readonly faults?: readonly FaultPlan[];
  /** Changes the answer to a command, given both in hex; null loses it. */
  readonly answer?: (command: string, answer: Uint8Array) => Uint8Array;
}

/** A driver's transport and a device, each on its end of a PCI Express path. */
export function adminVqBench({
  faults = [],
  answer = (_, bytes) => bytes,
}: AdminVqBenchOptions = {}) {
  const bench = new PcieBench();
  const { host: node, endpoint, port, path, kernel, translation } = bench;
  const options = adminVqOptions.parse({});
  const objections: string[] = [];
  const exchanged: { command: string; answer: string }[] = [];
  const model = new TestDevice(bench);
  const serve = model.serveAdminQueue.bind(model);
  model.serveAdminQueue = (setup, service) =>
    serve(setup, {
      execute(command) {
        const answered = answer(toHex(command), service.execute(command));
        exchanged.push({ command: toHex(command), answer: toHex(answered) });
        return answered;
      },
      broken: () => service.broken(),
    });
  const device = new AdminFunction({
    node: bench.card,
    path,
    options,
    endpoint,
    functionId: FUNCTION,
    model,
    notified: (queue) => model.available(queue),
    objected: (text) => objections.push(text),
  });
  const plan = { index: 0, name: 'dut', type: 'blk', bus: 0, number: FUNCTION, options: {} };
  const pages = new HostPages({
    node,
    translation,
    iommu: true,
    perRequest: false,
    faults: new FaultInjector(kernel, faults),
  });
  const interrupts = 'msix';
  const driver = new AdminVqDriver({ node, plan, options, interrupts, path, port, pages });
  const heard = hearTransport(driver, kernel);
  exchanged.length = 0;
  return { bench, kernel, port, device, model, objections, exchanged, ...heard };
}

export type AdminVqBench = ReturnType<typeof adminVqBench>;

/** Takes features, so that queues can be set up. */
export function negotiate(
  { ask }: AdminVqBench,
  features = F.VERSION_1 | F.ACCESS_PLATFORM | F.RING_RESET,
): void {
  for (const status of [1, 3]) ask((driver) => driver.setStatus(status));
  ask((driver) => driver.setFeatures(features));
  ask((driver) => driver.setStatus(READY));
}
