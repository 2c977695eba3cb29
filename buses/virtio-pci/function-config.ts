// Configuration space of a virtio device as a PCI function: who it is, its BARs, and the capabilities that say
// where its structures are.
import type { DeviceInfo } from '../../platform/contracts/index.ts';
import {
  CAPABILITY_ID,
  type CapabilityPlan,
  ConfigSpace,
  expressCapability,
  msixCapability,
  msixPendingOffset,
  type PciePath,
} from '../../platform/pcie/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import type { FunctionRegions } from './function-regions.ts';
import type { VirtioPciOptions } from './options.ts';
import {
  CAPABILITY_SIZE,
  CLASS_CODE,
  COMMON_SIZE,
  COMMON_START,
  DEVICE_ID_BASE,
  DEVICE_START,
  ISR_START,
  MSIX_BAR,
  NOTIFY_CAPABILITY_SIZE,
  NOTIFY_MULTIPLIER,
  NOTIFY_START,
  PCI_CFG_CAPABILITY_SIZE,
  QUEUES_MAX,
  REGIONS_BAR,
  REVISION,
  STRUCTURES_BAR,
  STRUCTURES_SIZE,
  StructureType,
  structureCapability,
  VENDOR_ID,
} from './structures.ts';

export interface FunctionPlan {
  readonly path: PciePath;
  readonly options: VirtioPciOptions;
  readonly info: DeviceInfo;
  /** Of MSI-X. */
  readonly vectors: number;
  readonly pciCfg: CapabilityPlan;
  readonly regions: FunctionRegions;
}

/** A capability that says where a structure is. */
function structure(type: number, offset: number, size: number): CapabilityPlan {
  const isNotify = type === StructureType.NOTIFY;
  const length = isNotify ? NOTIFY_CAPABILITY_SIZE : CAPABILITY_SIZE;
  const body = new Uint8Array(length - 2);
  const fields = { length, type, bar: STRUCTURES_BAR, id: 0, padding: 0, offset, size };
  structureCapability.encode(fields, body, 0);
  if (isNotify) writeU32(body, CAPABILITY_SIZE - 2, NOTIFY_MULTIPLIER);
  return { id: CAPABILITY_ID.vendor, body, writable: new Uint8Array(length - 2) };
}

/** The way to the BARs for software that can only access configuration space, such as boot code. */
export function pciCfgCapability(): CapabilityPlan {
  const size = PCI_CFG_CAPABILITY_SIZE;
  const body = new Uint8Array(size - 2);
  const fields = { type: StructureType.PCI_CFG, bar: 0, id: 0, padding: 0, offset: 0, size: 0 };
  structureCapability.encode({ length: size, ...fields }, body, 0);
  const writable = new Uint8Array(size - 2);
  writable[structureCapability.offsetOf('bar')] = 0xff;
  writable.fill(0xff, structureCapability.offsetOf('offset'));
  return { id: CAPABILITY_ID.vendor, body, writable };
}

/** Configuration space of the function of a device. */
export function functionConfig({
  path,
  options,
  info,
  vectors,
  pciCfg,
  regions,
}: FunctionPlan): ConfigSpace {
  const { deviceId, configSize, queuesMax } = info;
  const notifySize = Math.min(queuesMax, QUEUES_MAX) * NOTIFY_MULTIPLIER;
  const capabilities = [
    structure(StructureType.COMMON, COMMON_START, COMMON_SIZE),
    structure(StructureType.ISR, ISR_START, 1),
    structure(StructureType.NOTIFY, NOTIFY_START, notifySize),
    ...(configSize > 0 ? [structure(StructureType.DEVICE, DEVICE_START, configSize)] : []),
    pciCfg,
    ...regions.capabilities,
    expressCapability(path),
  ];
  if (options.interrupts === 'msix') capabilities.push(msixCapability(vectors, MSIX_BAR));
  return new ConfigSpace({
    identity: {
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID_BASE + deviceId,
      revision: REVISION,
      classCode: CLASS_CODE,
      subsystemVendorId: VENDOR_ID,
      subsystemId: DEVICE_ID_BASE + deviceId,
    },
    bars: [
      { index: MSIX_BAR, size: 2 * msixPendingOffset(vectors), wide: false, prefetchable: false },
      { index: STRUCTURES_BAR, size: STRUCTURES_SIZE, wide: true, prefetchable: true },
      ...regions.bar(REGIONS_BAR),
    ],
    capabilities,
  });
}
