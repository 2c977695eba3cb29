// A port with buses on both sides: a root port, or a port of a switch. Its configuration space (type 1
// header) says which bus numbers and which addresses it passes on.
import { BRIDGE, expressCapability, PortType, PREFETCHABLE_64_BIT } from './config-registers.ts';
import { ConfigSpace, type FunctionIdentity } from './config-space.ts';
import type { PciePath } from './options.ts';

export type BridgeKind = 'rootPort' | 'upstreamPort' | 'downstreamPort';

const RED_HAT = 0x1b36;
const TEXAS_INSTRUMENTS = 0x104c;
/** PCI-to-PCI bridge. */
const CLASS_CODE = 0x060400;

const KINDS: Readonly<
  Record<
    BridgeKind,
    { readonly vendorId: number; readonly deviceId: number; readonly type: number }
  >
> = {
  rootPort: { vendorId: RED_HAT, deviceId: 0x000c, type: PortType.rootPort },
  upstreamPort: { vendorId: TEXAS_INSTRUMENTS, deviceId: 0x8232, type: PortType.upstreamPort },
  downstreamPort: { vendorId: TEXAS_INSTRUMENTS, deviceId: 0x8233, type: PortType.downstreamPort },
};

/** Addresses from the first to the one behind the last; both equal when there are none. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

const NONE: AddressRange = { start: 0, end: 0 };
const MEBIBYTE = 2 ** 20;

export class Bridge {
  readonly config: ConfigSpace;
  /** Links and switches between the root complex and its registers. */
  readonly links: number;
  readonly switches: number;
  /** What is on the bus below, by device number. */
  readonly below: Bridge[] = [];

  constructor(kind: BridgeKind, path: PciePath, place: { links: number; switches: number }) {
    this.links = place.links;
    this.switches = place.switches;
    const { vendorId, deviceId, type } = KINDS[kind];
    const identity: FunctionIdentity = {
      ...{ vendorId, deviceId, revision: 0, classCode: CLASS_CODE },
      ...{ subsystemVendorId: 0, subsystemId: 0 },
    };
    const capabilities = [expressCapability(path, type)];
    this.config = new ConfigSpace({ header: 'bridge', identity, bars: [], capabilities });
  }

  /** Number of the bus right below; 0 while nobody has given one. */
  get secondary(): number {
    return this.config.read(BRIDGE.secondaryBus, 1);
  }

  /** The greatest number of a bus below. */
  get subordinate(): number {
    return this.config.read(BRIDGE.subordinateBus, 1);
  }

  /** Addresses below 4 GiB that go on. Registers hold bits 31 to 20. */
  get window(): AddressRange {
    if (!this.config.memoryEnabled) return NONE;
    const base = this.config.read(BRIDGE.memoryBase, 2) >> 4;
    const limit = this.config.read(BRIDGE.memoryLimit, 2) >> 4;
    return range(base * MEBIBYTE, (limit + 1) * MEBIBYTE);
  }

  /** Addresses of prefetchable memory that go on. */
  get prefetchable(): AddressRange {
    const { config } = this;
    if (!config.memoryEnabled) return NONE;
    const base = (config.read(BRIDGE.prefetchableBase, 2) - PREFETCHABLE_64_BIT) >> 4;
    const limit = (config.read(BRIDGE.prefetchableLimit, 2) - PREFETCHABLE_64_BIT) >> 4;
    const baseUpper = config.get32(BRIDGE.prefetchableBaseUpper) * 2 ** 32;
    const limitUpper = config.get32(BRIDGE.prefetchableLimitUpper) * 2 ** 32;
    return range(baseUpper + base * MEBIBYTE, limitUpper + (limit + 1) * MEBIBYTE);
  }
}

/** A limit below the base closes a window. */
function range(start: number, end: number): AddressRange {
  return start < end ? { start, end } : NONE;
}

/** Addresses that are in both. */
export function common(a: AddressRange, b: AddressRange): AddressRange {
  return range(Math.max(a.start, b.start), Math.min(a.end, b.end));
}
