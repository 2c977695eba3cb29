// The function of a virtio-msg PCI bus as the card sees it: its registers, the memory of its FIFOs, and
// how it signals the host.
import type { SharedRegion } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  type CapabilityPlan,
  ConfigSpace,
  type Endpoint,
  expressCapability,
  type FunctionModel,
  msiCapability,
  msixCapability,
  msixPendingOffset,
  type PcieFunction,
  type PciePath,
} from '../../platform/pcie/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import { CardRegions } from '../common/index.ts';
import type { PciPlan } from './options.ts';
import {
  CLASS_CODE,
  DEVICE_ID,
  FIFO_BAR,
  fifoBarSize,
  MSIX_BAR,
  registers as R,
  REGIONS_BAR,
  REGISTERS_BAR,
  REGISTERS_BAR_SIZE,
  REVISION,
  VENDOR_ID,
  VERSION,
} from './registers.ts';

export interface CardFunctionOptions {
  readonly node: Node;
  readonly plan: PciPlan;
  readonly path: PciePath;
  readonly endpoint: Endpoint;
  /** Where the memory behind BAR 1 is in the card's own. */
  readonly fifoMemory: number;
  /** A doorbell was rung. */
  notified(fifo: number): void;
  /** A FIFO in host memory was given this bus address. */
  addressed(fifo: number, busAddress: number): void;
  /** Power-on, or a function-level reset. */
  reset(): void;
}

export class CardFunction implements FunctionModel {
  readonly own: PcieFunction;
  readonly #options: CardFunctionOptions;
  /** FIFOs that have signalled since the driver looked. */
  #signalled = 0;
  #addressLow = 0;
  readonly #regions: CardRegions;

  constructor(options: CardFunctionOptions) {
    this.#options = options;
    const { node, plan, path, endpoint } = options;
    this.#regions = new CardRegions(node);
    const { fifos } = plan.options;
    const config = configSpace(path, plan);
    this.own = endpoint.addFunction(0, { config, model: this, vectors: fifos });
  }

  /** Puts a region of shared memory behind the BAR for them; returns its offset there. */
  addRegion(region: SharedRegion): number {
    const offset = this.#regions.add(region);
    for (const bar of this.#regions.bar(REGIONS_BAR)) this.own.config.setBar(bar);
    return offset;
  }

  /** Tells the host that there is something in a FIFO. */
  signal(fifo: number): void {
    this.#signalled |= 1 << fifo;
    this.own.interrupts.raise(fifo);
  }

  readBar(bar: number, offset: number, target: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.readTable(offset, target, length);
    if (bar === REGIONS_BAR) return this.#regions.read(offset, target, length);
    if (bar === FIFO_BAR) {
      const { node, fifoMemory } = this.#options;
      return node.memory.copyOut(fifoMemory + offset, target, 0, length);
    }
    writeU32(target, 0, this.#readRegister(offset));
  }

  writeBar(bar: number, offset: number, source: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.writeTable(offset, source, length);
    if (bar === REGIONS_BAR) return this.#regions.write(offset, source, length);
    if (bar === FIFO_BAR) {
      const { node, fifoMemory } = this.#options;
      return node.memory.copyIn(fifoMemory + offset, source, 0, length);
    }
    this.#writeRegister(offset, readU32(source, 0));
  }

  claims(bar: number, offset: number, length: number): boolean {
    return bar !== REGIONS_BAR || this.#regions.claims(offset, length);
  }

  reset(): void {
    this.#signalled = 0;
    this.#options.reset();
  }

  #readRegister(offset: number): number {
    switch (offset) {
      case R.VERSION.at:
        return VERSION;
      case R.INTERRUPT_STATUS.at: {
        const status = this.#signalled;
        this.#signalled = 0;
        this.own.interrupts.lower();
        return status;
      }
      default:
        // FEATURES, and everything reserved.
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const { plan, notified, addressed } = this.#options;
    const { fifos } = plan.options;
    if (offset >= R.NOTIFY.at && offset < R.NOTIFY.at + 4 * fifos) {
      return notified((offset - R.NOTIFY.at) / 4);
    }
    const at = offset - R.FIFO_ADDRESS.at;
    if (at < 0 || at >= 8 * fifos) return;
    if (at % 8 === 0) this.#addressLow = value;
    else addressed((at - 4) / 8, this.#addressLow + value * 2 ** 32);
  }
}

function configSpace(path: PciePath, { options }: PciPlan): ConfigSpace {
  const { fifos, interrupts, fifoLayout } = options;
  const capabilities: CapabilityPlan[] = [expressCapability(path)];
  if (interrupts === 'msi') capabilities.push(msiCapability(fifos));
  if (interrupts === 'msix') capabilities.push(msixCapability(fifos, MSIX_BAR));
  const plain = { wide: false, prefetchable: false };
  return new ConfigSpace({
    identity: {
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID,
      revision: REVISION[fifoLayout],
      classCode: CLASS_CODE,
      subsystemVendorId: VENDOR_ID,
      subsystemId: DEVICE_ID,
    },
    bars: [
      { ...plain, index: REGISTERS_BAR, size: REGISTERS_BAR_SIZE },
      { ...plain, index: FIFO_BAR, size: fifoBarSize(fifos), prefetchable: true },
      { ...plain, index: MSIX_BAR, size: 2 * msixPendingOffset(fifos) },
    ],
    capabilities,
  });
}
