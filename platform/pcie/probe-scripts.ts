// What system software does with a function that it finds: who it is, how large its BARs are and where
// they go, which capabilities it has, and how it is enabled. Every access is a message to the card.
import { readU16 } from '../wire/index.ts';
import type { Access, Script } from './access-runner.ts';
import type { BarWindow } from './bar-window.ts';
import {
  BAR_COUNT,
  BAR_PREFETCHABLE,
  BAR_WIDE,
  CAPABILITY_ID,
  COMMAND,
  CONFIG,
  CONTROL_FUNCTION_RESET,
  deviceControl,
  EXPRESS,
  MSI_CAPABILITY,
  MSIX_CAPABILITY,
  MSIX_ENABLE,
  MSIX_ENTRY,
  MSIX_ENTRY_SIZE,
  msiEnabled,
  msiVectors,
  msixVectors,
  NO_FUNCTION,
} from './config-registers.ts';
import type { PciePath } from './options.ts';
import { MSI_ADDRESS } from './root-port.ts';

/** What was learnt of a function. */
export interface ProbedFunction {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** Addresses and sizes of the BARs by index; those that are not there are left out. */
  readonly bars: ReadonlyMap<number, { readonly address: number; readonly size: number }>;
  readonly capabilities: readonly ProbedCapability[];
}

export interface ProbedCapability {
  readonly id: number;
  readonly offset: number;
  /** Its bytes from the id on, in whole words; of most only the first word is read. */
  readonly bytes: Uint8Array;
}

export const INTERRUPT_KINDS = ['msix', 'msi', 'intx'] as const;
export type InterruptKind = (typeof INTERRUPT_KINDS)[number];

const read = (offset: number, size: 1 | 2 | 4): Access => ({ type: 'readConfig', offset, size });
const write = (offset: number, size: 1 | 2 | 4, value: number): Access => ({
  type: 'writeConfig',
  offset,
  size,
  value,
});

/** Reads who the function is, or null when there is none. */
export function* identify(): Script<Omit<ProbedFunction, 'bars' | 'capabilities'> | null> {
  const ids = yield read(CONFIG.vendorId, 4);
  const vendorId = ids % 0x1_0000;
  if (vendorId === NO_FUNCTION) return null;
  yield read(CONFIG.headerType, 1);
  const revision = (yield read(CONFIG.revision, 4)) % 256;
  return { vendorId, deviceId: Math.floor(ids / 0x1_0000), revision };
}

/**
 * Learns the size of each BAR by writing ones to it, and gives it an address: the one that it had before, if
 * there is one. Returns null when there is no room.
 */
export function* placeBars(
  window: BarWindow,
  before: ProbedFunction['bars'],
): Script<ProbedFunction['bars'] | null> {
  const bars = new Map<number, { readonly address: number; readonly size: number }>();
  for (let index = 0; index < BAR_COUNT; index++) {
    const at = CONFIG.bars + 4 * index;
    yield write(at, 4, 0xffff_ffff);
    const mask = yield read(at, 4);
    if (mask === 0) continue;
    const wide = (mask & BAR_WIDE) !== 0;
    // Sizes of 4 GiB and up would show in the upper word, which is all ones for smaller ones.
    const size = 2 ** 32 - (mask - (mask % 16));
    const known = before.get(index);
    const isHigh = wide && (mask & BAR_PREFETCHABLE) !== 0;
    const address = known?.size === size ? known.address : window.take(size, isHigh);
    if (address < 0) return null;
    yield write(at, 4, address % 2 ** 32);
    if (wide) {
      index++;
      yield write(at + 4, 4, Math.floor(address / 2 ** 32));
    }
    bars.set(wide ? index - 1 : index, { address, size });
  }
  return bars;
}

/** Walks the chain of capabilities. Vendor-specific ones are read whole. */
export function* readCapabilities(): Script<readonly ProbedCapability[]> {
  const found: ProbedCapability[] = [];
  // A chain that leads back to itself would never end.
  const seen = new Set<number>();
  for (let offset = yield read(CONFIG.capabilities, 1); offset !== 0 && !seen.has(offset); ) {
    seen.add(offset);
    const first = yield read(offset, 4);
    const words = [first];
    const id = first % 256;
    const length = id === CAPABILITY_ID.vendor ? Math.floor(first / 0x1_0000) % 256 : 4;
    for (let at = 4; at < length; at += 4) words.push(yield read(offset + at, 4));
    found.push({ id, offset, bytes: new Uint8Array(Uint32Array.from(words).buffer) });
    offset = Math.floor(first / 256) % 256;
  }
  return found;
}

/** Vectors that a function has for this kind of interrupt; none for INTx. */
export function vectorsOf(found: ProbedFunction, kind: InterruptKind | null): number {
  if (kind === null || kind === 'intx') return 0;
  const capability = capabilityOf(found, CAPABILITY_ID[kind]);
  if (capability === null) return 0;
  const control = readU16(capability.bytes, 2);
  return kind === 'msix' ? msixVectors(control) : msiVectors(control);
}

/** Lets the function answer accesses, reach memory and interrupt. */
export function* enable(
  path: PciePath,
  found: ProbedFunction,
  interrupts: {
    readonly kind: InterruptKind | null;
    readonly firstVector: number;
    readonly count: number;
  },
): Script<boolean> {
  const express = capabilityOf(found, CAPABILITY_ID.express);
  if (express !== null) {
    yield write(express.offset + EXPRESS.deviceControl, 2, deviceControl(path));
  }
  const intx = interrupts.kind === 'intx' ? 0 : COMMAND.intxDisable;
  yield write(CONFIG.command, 2, COMMAND.memory | COMMAND.busMaster | intx);
  switch (interrupts.kind) {
    case 'msix':
      return yield* enableMsix(found, interrupts);
    case 'msi':
      return yield* enableMsi(found, interrupts.firstVector);
    default:
      return true;
  }
}

function* enableMsix(
  found: ProbedFunction,
  { firstVector, count }: { readonly firstVector: number; readonly count: number },
): Script<boolean> {
  const capability = capabilityOf(found, CAPABILITY_ID.msix);
  if (capability === null) return false;
  const where = yield read(capability.offset + MSIX_CAPABILITY.table, 4);
  const bar = found.bars.get(where % 8);
  if (bar === undefined) return false;
  const table = bar.address + (where - (where % 8));
  for (let i = 0; i < count; i++) {
    const entry = table + i * MSIX_ENTRY_SIZE;
    yield { type: 'store', address: entry + MSIX_ENTRY.addressLow, size: 4, value: MSI_ADDRESS };
    yield { type: 'store', address: entry + MSIX_ENTRY.addressHigh, size: 4, value: 0 };
    yield { type: 'store', address: entry + MSIX_ENTRY.data, size: 4, value: firstVector + i };
    yield { type: 'store', address: entry + MSIX_ENTRY.control, size: 4, value: 0 };
  }
  yield write(capability.offset + MSIX_CAPABILITY.control, 2, MSIX_ENABLE);
  return true;
}

function* enableMsi(found: ProbedFunction, firstVector: number): Script<boolean> {
  const capability = capabilityOf(found, CAPABILITY_ID.msi);
  if (capability === null) return false;
  const { offset } = capability;
  const control = yield read(offset + MSI_CAPABILITY.control, 2);
  yield write(offset + MSI_CAPABILITY.addressLow, 4, MSI_ADDRESS);
  yield write(offset + MSI_CAPABILITY.addressHigh, 4, 0);
  yield write(offset + MSI_CAPABILITY.data, 2, firstVector);
  yield write(offset + MSI_CAPABILITY.control, 2, msiEnabled(control));
  return true;
}

/** Starts a function-level reset; the function must be left alone for a while. */
export function* startReset(found: ProbedFunction): Script<boolean> {
  const express = capabilityOf(found, CAPABILITY_ID.express);
  if (express === null) return false;
  yield write(express.offset + EXPRESS.deviceControl, 2, CONTROL_FUNCTION_RESET);
  return true;
}

/** The first capability of this id, or null. */
export function capabilityOf(found: ProbedFunction, id: number): ProbedCapability | null {
  return found.capabilities.find((capability) => capability.id === id) ?? null;
}

/** All capabilities of this id, in the order of their chain. */
export function capabilitiesOf(
  capabilities: readonly ProbedCapability[],
  id: number,
): readonly ProbedCapability[] {
  return capabilities.filter((capability) => capability.id === id);
}
