// The window of one non-blocking virtio-mmio device, as the hypervisor serves it: few registers are read or
// written directly, all others through ACCESS, one access at a time.
import { type MmioMessageProxy, registers } from '../virtio-mmio/index.ts';
import {
  ACCESS,
  ACCESS_DATA,
  MAGIC_NON_BLOCKING,
  parseAccess,
  VENDOR,
  withBusy,
} from './access-register.ts';

const VERSION = 2;
/** Bytes of the registers of virtio-mmio. */
const WINDOW_SIZE = 0x200;
const SIZE_MAX = 4;

export interface MmioWindowOptions {
  /** The device domain is connected, and its queue has room. */
  isReady(): boolean;
  /** Known defect: 4 bytes of configuration do not come back. */
  readonly shortConfigReads: boolean;
}

export class MmioWindow {
  readonly #options: MmioWindowOptions;
  readonly #proxy: MmioMessageProxy;
  #access = 0;
  #data = 0;
  #busy = false;

  constructor(proxy: MmioMessageProxy, options: MmioWindowOptions) {
    this.#proxy = proxy;
    this.#options = options;
  }

  /** A direct load of 4 bytes; null where there is no register to be read so: the access aborts. */
  read(offset: number): number | null {
    switch (offset) {
      case registers.MagicValue.at:
        return MAGIC_NON_BLOCKING;
      case registers.Version.at:
        return VERSION;
      case registers.VendorID.at:
        return VENDOR;
      case registers.InterruptStatus.at:
        return this.#proxy.interruptStatus;
      case ACCESS:
        return withBusy(this.#access, this.#busy || !this.#options.isReady());
      case ACCESS_DATA:
        return this.#data;
      default:
        return null;
    }
  }

  /** A direct store of 4 bytes. Returns false when the access aborts. */
  write(offset: number, value: number): boolean {
    switch (offset) {
      case registers.InterruptACK.at:
        this.#proxy.acknowledge(value);
        return true;
      case ACCESS_DATA:
        if (this.#busy) return false;
        this.#data = value;
        return true;
      case ACCESS:
        return this.#start(value);
      default:
        return false;
    }
  }

  /** The access under way has ended, with the value that was loaded. */
  completed(value: number): void {
    const { write, offset, size } = parseAccess(this.#access);
    const isConfig = offset >= registers.Config.at;
    const lost = this.#options.shortConfigReads && isConfig && size === SIZE_MAX;
    if (!write) this.#data = lost ? 0 : value;
    this.#busy = false;
  }

  #start(value: number): boolean {
    if (this.#busy || !this.#options.isReady()) return false;
    const { write, size, offset } = parseAccess(value);
    const fits = size <= SIZE_MAX && offset % size === 0 && offset + size <= WINDOW_SIZE;
    if (!fits) return false;
    this.#access = withBusy(value, false);
    this.#busy = true;
    if (write) this.#proxy.write(offset, size, this.#data);
    else this.#proxy.read(offset, size);
    return true;
  }
}
