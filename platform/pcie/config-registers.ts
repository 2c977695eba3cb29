// Places and bits of configuration space that the model knows (PCI Local Bus Specification 3.0, chapter
// 6; PCI Express Base Specification, chapter 7), and capabilities as functions here have them.
import { writeU16, writeU32 } from '../wire/index.ts';
import type { PciePath } from './options.ts';

/** Bytes of configuration space; the extended space above is not modelled. */
export const CONFIG_SIZE = 256;

/** Offsets in the type 0 header. */
export const CONFIG = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  headerType: 0x0e,
  bars: 0x10,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

/** Offsets in the type 1 header of bridges, where it differs. */
export const BRIDGE = {
  primaryBus: 0x18,
  secondaryBus: 0x19,
  subordinateBus: 0x1a,
  memoryBase: 0x20,
  memoryLimit: 0x22,
  prefetchableBase: 0x24,
  prefetchableLimit: 0x26,
  prefetchableBaseUpper: 0x28,
  prefetchableLimitUpper: 0x2c,
} as const;
/** What the header type says of a bridge, besides the bit for several functions. */
export const HEADER_TYPE_MASK = 0x7f;
export const HEADER_TYPE_BRIDGE = 1;
/** Low bits of the prefetchable window's registers. */
export const PREFETCHABLE_64_BIT = 1;

export const COMMAND = { memory: 1 << 1, busMaster: 1 << 2, intxDisable: 1 << 10 } as const;
export const COMMAND_WRITABLE = COMMAND.memory | COMMAND.busMaster | COMMAND.intxDisable;
export const STATUS_INTERRUPT = 1 << 3;
export const STATUS_CAPABILITIES = 1 << 4;

export const BAR_COUNT = 6;
/** Low bits of a memory BAR. */
export const BAR_WIDE = 0b100;
export const BAR_PREFETCHABLE = 0b1000;

/** Capabilities begin after the header. */
export const CAPABILITIES_START = 0x40;
export const CAPABILITY_ID = { msi: 0x05, vendor: 0x09, express: 0x10, msix: 0x11 } as const;

/** Vendor id that is read where there is no function. */
export const NO_FUNCTION = 0xffff;

/** Offsets in the PCI Express capability, from its id on. */
export const EXPRESS = {
  capabilities: 2,
  deviceCapabilities: 4,
  deviceControl: 8,
  linkCapabilities: 12,
  linkStatus: 18,
} as const;
const EXPRESS_SIZE = 60;
const EXPRESS_VERSION = 2;
/** Device or port type, in the capabilities register beside the version. */
export const PortType = { endpoint: 0, rootPort: 4, upstreamPort: 5, downstreamPort: 6 } as const;
const PORT_TYPE_SHIFT = 4;
const DEVICE_EXTENDED_TAGS = 1 << 5;
const DEVICE_FUNCTION_RESET = 1 << 28;
/** Starts a function-level reset; reads as 0. */
export const CONTROL_FUNCTION_RESET = 1 << 15;
/** Sizes of payload and read request, in powers of two from 128 bytes. */
const CONTROL_PAYLOAD_SHIFT = 5;
const CONTROL_READ_REQUEST_SHIFT = 12;
const CONTROL_WRITABLE = (7 << CONTROL_PAYLOAD_SHIFT) | (7 << CONTROL_READ_REQUEST_SHIFT);

/** Offsets in the MSI capability (64-bit address, per-vector masking), from its id on. */
export const MSI_CAPABILITY = {
  control: 2,
  addressLow: 4,
  addressHigh: 8,
  data: 12,
  mask: 16,
  pending: 20,
} as const;
const MSI_SIZE = 24;
export const MSI_ENABLE = 1;
const MSI_CAPABLE_SHIFT = 1;
const MSI_ENABLED_SHIFT = 4;
const MSI_WIDE = 1 << 7;
const MSI_MASKABLE = 1 << 8;

/** Offsets in the MSI-X capability, from its id on. */
export const MSIX_CAPABILITY = { control: 2, table: 4, pending: 8 } as const;
const MSIX_SIZE = 12;
export const MSIX_ENABLE = 1 << 15;
export const MSIX_FUNCTION_MASK = 1 << 14;
/** Vectors of the largest MSI-X table. */
export const MSIX_VECTORS_MAX = 2048;
/** Bytes of an entry of the MSI-X table, and its fields. */
export const MSIX_ENTRY_SIZE = 16;
export const MSIX_ENTRY = { addressLow: 0, addressHigh: 4, data: 8, control: 12 } as const;
export const MSIX_ENTRY_MASKED = 1;

/** A capability to be filled in; `put` writes relative to the capability's id. */
function capability(id: number, size: number) {
  const body = new Uint8Array(size - 2);
  const writable = new Uint8Array(size - 2);
  return { plan: { id, body, writable }, body, writable };
}

function sizeCode(bytes: number): number {
  return Math.log2(bytes) - 7;
}

/** What device control is to be for this path. */
export function deviceControl({ maxPayload, maxReadRequest }: PciePath): number {
  return (
    (sizeCode(maxPayload) << CONTROL_PAYLOAD_SHIFT) |
    (sizeCode(maxReadRequest) << CONTROL_READ_REQUEST_SHIFT)
  );
}

/** The port type that the capabilities register tells of. */
export function portType(capabilities: number): number {
  return (capabilities >> PORT_TYPE_SHIFT) & 0xf;
}

/** A capability without its two bytes of id and next pointer. */
export interface CapabilityPlan {
  readonly id: number;
  readonly body: Uint8Array;
  /** Bits of the body that software may write. */
  readonly writable: Uint8Array;
}

/** The PCI Express capability of an endpoint, or of a port of this type, on this path. */
export function expressCapability(
  path: PciePath,
  type: number = PortType.endpoint,
): CapabilityPlan {
  const { plan, body, writable } = capability(CAPABILITY_ID.express, EXPRESS_SIZE);
  writeU16(body, EXPRESS.capabilities - 2, EXPRESS_VERSION | (type << PORT_TYPE_SHIFT));
  const device = sizeCode(path.maxPayload) | DEVICE_EXTENDED_TAGS | DEVICE_FUNCTION_RESET;
  writeU32(body, EXPRESS.deviceCapabilities - 2, device);
  writeU16(writable, EXPRESS.deviceControl - 2, CONTROL_WRITABLE);
  const link = path.generation | (path.lanes << 4);
  writeU32(body, EXPRESS.linkCapabilities - 2, link);
  writeU16(body, EXPRESS.linkStatus - 2, link);
  return plan;
}

/** The MSI capability of a function that asks for this many vectors. */
export function msiCapability(vectors: number): CapabilityPlan {
  const { plan, body, writable } = capability(CAPABILITY_ID.msi, MSI_SIZE);
  const code = Math.ceil(Math.log2(vectors));
  writeU16(body, MSI_CAPABILITY.control - 2, MSI_WIDE | MSI_MASKABLE | (code << MSI_CAPABLE_SHIFT));
  writeU16(writable, MSI_CAPABILITY.control - 2, MSI_ENABLE | (7 << MSI_ENABLED_SHIFT));
  writeU32(writable, MSI_CAPABILITY.addressLow - 2, 0xffff_fffc);
  writeU32(writable, MSI_CAPABILITY.addressHigh - 2, 0xffff_ffff);
  writeU16(writable, MSI_CAPABILITY.data - 2, 0xffff);
  writeU32(writable, MSI_CAPABILITY.mask - 2, 2 ** (2 ** code) - 1);
  return plan;
}

/** Control of an MSI capability that has been given all vectors it asked for. */
export function msiEnabled(control: number): number {
  const code = (control >> MSI_CAPABLE_SHIFT) & 7;
  return MSI_ENABLE | (code << MSI_ENABLED_SHIFT);
}

/** Least distance of the pending bits from the MSI-X table, so that the BAR is a page at least. */
const PENDING_MIN = 2048;

/** Offset of the pending bits in a BAR that begins with the table; the BAR is twice as large. */
export function msixPendingOffset(vectors: number): number {
  return Math.max(PENDING_MIN, 2 ** Math.ceil(Math.log2(vectors * MSIX_ENTRY_SIZE)));
}

/** Vectors that the control of an MSI capability asks for. */
export function msiVectors(control: number): number {
  return 2 ** ((control >> MSI_CAPABLE_SHIFT) & 7);
}

/** The MSI-X capability of a function whose table and pending bits are in this BAR. */
export function msixCapability(vectors: number, bar: number): CapabilityPlan {
  const { plan, body, writable } = capability(CAPABILITY_ID.msix, MSIX_SIZE);
  writeU16(body, MSIX_CAPABILITY.control - 2, vectors - 1);
  writeU16(writable, MSIX_CAPABILITY.control - 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
  writeU32(body, MSIX_CAPABILITY.table - 2, bar);
  writeU32(body, MSIX_CAPABILITY.pending - 2, msixPendingOffset(vectors) | bar);
  return plan;
}

/** Vectors that the control of an MSI-X capability tells of. */
export function msixVectors(control: number): number {
  return (control & 0x7ff) + 1;
}
