// The configuration space of one function: bytes with a mask of what software may write. It knows the
// headers of both types, base address registers and the chain of capabilities; see config-registers.ts.
import { assert } from '../errors.ts';
import { readU16, readU32, writeU16, writeU32 } from '../wire/index.ts';
import {
  BAR_COUNT,
  BAR_PREFETCHABLE,
  BAR_WIDE,
  BRIDGE,
  CAPABILITIES_START,
  type CapabilityPlan,
  COMMAND,
  COMMAND_WRITABLE,
  CONFIG,
  CONFIG_SIZE,
  HEADER_TYPE_BRIDGE,
  PREFETCHABLE_64_BIT,
  STATUS_CAPABILITIES,
} from './config-registers.ts';

/** Who a function says that it is. */
export interface FunctionIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** Class, subclass and interface, e.g. 0x088000 for another system peripheral. */
  readonly classCode: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
}

/** Memory that a function shows; wide ones take the next register too. */
export interface BarPlan {
  readonly index: number;
  /** A power of two, at least 16 bytes. */
  readonly size: number;
  readonly wide: boolean;
  readonly prefetchable: boolean;
}

export interface ConfigSpacePlan {
  /** The header: type 0, or type 1 for a bridge. */
  readonly header?: 'endpoint' | 'bridge';
  readonly identity: FunctionIdentity;
  readonly bars: readonly BarPlan[];
  readonly capabilities: readonly CapabilityPlan[];
}

/** Bits of a window's base and limit: those of addresses from 1 MiB on. */
const WINDOW_MASK = 0xfff0;

export class ConfigSpace {
  plan: ConfigSpacePlan;
  /** Called before each read, with the place that is read. */
  reading: (offset: number, size: number) => void = () => {};
  /** Called after each write, with the place that was written. */
  written: (offset: number, size: number) => void = () => {};
  readonly #bytes = new Uint8Array(CONFIG_SIZE);
  readonly #writable = new Uint8Array(CONFIG_SIZE);
  readonly #initial: Uint8Array;
  /** Offsets of the capabilities, in the order of the plan. */
  readonly #offsets: number[] = [];

  constructor(plan: ConfigSpacePlan) {
    this.plan = plan;
    this.#writeIdentity(plan.identity);
    writeU16(this.#writable, CONFIG.command, COMMAND_WRITABLE);
    this.#writable[CONFIG.interruptLine] = 0xff;
    this.#bytes[CONFIG.interruptPin] = 1;
    if (plan.header === 'bridge') this.#writeBridge();
    else this.#writeSubsystem(plan.identity);
    for (const bar of plan.bars) this.#writeBar(bar);
    this.#chain(plan.capabilities);
    this.#initial = this.#bytes.slice();
  }

  /** Adds a BAR, or gives one another size, before software has seen any. */
  setBar(bar: BarPlan): void {
    const others = this.plan.bars.filter(({ index }) => index !== bar.index);
    this.plan = { ...this.plan, bars: [...others, bar] };
    this.#writeBar(bar);
    this.#initial.set(this.#bytes);
  }

  /** Reads 1, 2 or 4 bytes. */
  read(offset: number, size: number): number {
    this.reading(offset, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0);
    return value;
  }

  /** Writes what may be written of 1, 2 or 4 bytes. */
  write(offset: number, size: number, value: number): void {
    for (let i = 0; i < size && offset + i < CONFIG_SIZE; i++) {
      const mask = this.#writable[offset + i];
      const byte = (value >>> (8 * i)) & 0xff;
      this.#bytes[offset + i] = (this.#bytes[offset + i] & ~mask) | (byte & mask);
    }
    this.written(offset, size);
  }

  /** Sets a field that software cannot write. */
  set16(offset: number, value: number): void {
    writeU16(this.#bytes, offset, value);
  }

  set32(offset: number, value: number): void {
    writeU32(this.#bytes, offset, value);
  }

  get16(offset: number): number {
    return readU16(this.#bytes, offset);
  }

  get32(offset: number): number {
    return readU32(this.#bytes, offset);
  }

  /** Where the first capability of this id is, or -1. */
  capability(id: number): number {
    const index = this.plan.capabilities.findIndex((capability) => capability.id === id);
    return index < 0 ? -1 : this.#offsets[index];
  }

  /** Where a capability of the plan is. */
  placeOf(capability: CapabilityPlan): number {
    return this.#offsets[this.plan.capabilities.indexOf(capability)];
  }

  get memoryEnabled(): boolean {
    return (this.get16(CONFIG.command) & COMMAND.memory) !== 0;
  }

  get busMaster(): boolean {
    return (this.get16(CONFIG.command) & COMMAND.busMaster) !== 0;
  }

  get intxDisabled(): boolean {
    return (this.get16(CONFIG.command) & COMMAND.intxDisable) !== 0;
  }

  /** Address that software has given to a BAR. */
  barAddress({ index, wide }: BarPlan): number {
    const at = CONFIG.bars + 4 * index;
    const low = this.get32(at);
    return low - (low % 16) + (wide ? this.get32(at + 4) * 2 ** 32 : 0);
  }

  /** Everything is as after power-on. */
  reset(): void {
    this.#bytes.set(this.#initial);
  }

  #writeIdentity(identity: FunctionIdentity): void {
    const bytes = this.#bytes;
    writeU16(bytes, CONFIG.vendorId, identity.vendorId);
    writeU16(bytes, CONFIG.deviceId, identity.deviceId);
    bytes[CONFIG.revision] = identity.revision;
    bytes[CONFIG.classCode] = identity.classCode;
    writeU16(bytes, CONFIG.classCode + 1, identity.classCode >>> 8);
  }

  #writeSubsystem({ subsystemVendorId, subsystemId }: FunctionIdentity): void {
    writeU16(this.#bytes, CONFIG.subsystemVendorId, subsystemVendorId);
    writeU16(this.#bytes, CONFIG.subsystemId, subsystemId);
  }

  /** Bus numbers can be written, and windows but for their low bits. They are closed at first. */
  #writeBridge(): void {
    const bytes = this.#bytes;
    const writable = this.#writable;
    bytes[CONFIG.headerType] = HEADER_TYPE_BRIDGE;
    writable.fill(0xff, BRIDGE.primaryBus, BRIDGE.subordinateBus + 1);
    for (const window of [BRIDGE.memoryBase, BRIDGE.prefetchableBase]) {
      writeU16(bytes, window, WINDOW_MASK);
      writeU16(writable, window, WINDOW_MASK);
      writeU16(writable, window + 2, WINDOW_MASK);
    }
    bytes[BRIDGE.prefetchableBase] |= PREFETCHABLE_64_BIT;
    bytes[BRIDGE.prefetchableLimit] |= PREFETCHABLE_64_BIT;
    writeU32(writable, BRIDGE.prefetchableBaseUpper, 0xffff_ffff);
    writeU32(writable, BRIDGE.prefetchableLimitUpper, 0xffff_ffff);
  }

  /** The low bits of an address cannot be written: that is how software learns the size. */
  #writeBar({ index, size, wide, prefetchable }: BarPlan): void {
    const last = wide ? index + 1 : index;
    assert(last < BAR_COUNT && size >= 16 && (size & (size - 1)) === 0, 'a BAR that cannot be');
    const at = CONFIG.bars + 4 * index;
    this.#bytes[at] = (wide ? BAR_WIDE : 0) | (prefetchable ? BAR_PREFETCHABLE : 0);
    writeU32(this.#writable, at, 2 ** 32 - size);
    if (wide) writeU32(this.#writable, at + 4, 0xffff_ffff);
  }

  #chain(capabilities: readonly CapabilityPlan[]): void {
    let link: number = CONFIG.capabilities;
    let at = CAPABILITIES_START;
    for (const { id, body, writable } of capabilities) {
      assert(at + 2 + body.length <= CONFIG_SIZE, 'the capabilities do not fit');
      this.#offsets.push(at);
      this.#bytes[link] = at;
      this.#bytes[at] = id;
      this.#bytes.set(body, at + 2);
      this.#writable.set(writable, at + 2);
      link = at + 1;
      at = Math.ceil((at + 2 + body.length) / 4) * 4;
    }
    if (capabilities.length > 0) writeU16(this.#bytes, CONFIG.status, STATUS_CAPABILITIES);
  }
}
