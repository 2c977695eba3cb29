// The structures of virtio over PCI (virtio 1.4 §4.1.4): where they are, and what is in them. The README's
// tables are generated from here.
import { hex, LayoutCodec, le16, le32, le64, u8 } from '../../platform/wire/index.ts';

/** Vendor of all virtio devices, and the device id of type 0. */
export const VENDOR_ID = 0x1af4;
export const DEVICE_ID_BASE = 0x1040;
/** Revision of devices that are not transitional. */
export const REVISION = 1;
/** Base system peripheral, other; the class says nothing of the type here. */
export const CLASS_CODE = 0x088000;

/** `virtio_pci_cap`, without id and next pointer. */
export const structureCapability = new LayoutCodec('virtio_pci_cap', {
  length: u8,
  type: u8,
  bar: u8,
  id: u8,
  padding: le16,
  offset: hex(le32),
  size: le32,
});
/** Bytes of the capability with its two first ones, and of that of the notification structure. */
export const CAPABILITY_SIZE = 16;
export const NOTIFY_CAPABILITY_SIZE = 20;

/** Types of structures; PCI_CFG is a way to the BARs by configuration accesses. */
export const StructureType = {
  COMMON: 1,
  NOTIFY: 2,
  ISR: 3,
  DEVICE: 4,
  PCI_CFG: 5,
  SHARED_MEMORY: 8,
} as const;
/** `virtio_pci_cfg_cap`: the data of an access follow the capability. */
export const PCI_CFG_CAPABILITY_SIZE = 20;

/** `virtio_pci_cap64`, with upper halves of offset and length. */
export const REGION_CAPABILITY_SIZE = 24;

/** The common configuration structure. */
export const commonConfig = new LayoutCodec('virtio_pci_common_cfg', {
  deviceFeatureSelect: le32,
  deviceFeature: hex(le32),
  driverFeatureSelect: le32,
  driverFeature: hex(le32),
  configMsixVector: hex(le16),
  numQueues: le16,
  deviceStatus: hex(u8),
  configGeneration: u8,
  queueSelect: le16,
  queueSize: le16,
  queueMsixVector: hex(le16),
  queueEnable: le16,
  queueNotifyOff: le16,
  queueDesc: le64,
  queueDriver: le64,
  queueDevice: le64,
  queueNotifConfigData: le16,
  queueReset: le16,
  adminQueueIndex: le16,
  adminQueueNum: le16,
});
export type CommonField = keyof typeof commonConfig.layout & string;

export const COMMON_SIZE = commonConfig.fixedSize;
const PLACES = new Map(commonConfig.places.map((place) => [place.name, place]));

/** Offset and width of a field. */
export function fieldPlace(name: CommonField): { readonly at: number; readonly width: number } {
  const { at, width } = PLACES.get(name)!;
  return { at, width: width! };
}

/** No vector: the event is not signalled. */
export const NO_VECTOR = 0xffff;

/** Bits of the ISR status, which reading clears. */
export const ISR = { QUEUE: 1, CONFIG: 2 } as const;

/** The MSI-X table has a BAR to itself; the structures share one, a page for each. */
export const MSIX_BAR = 1;
export const STRUCTURES_BAR = 4;
/** Shared memory regions, if the device has any, have one as well; it takes two registers. */
export const REGIONS_BAR = 2;
export const STRUCTURES_SIZE = 0x4000;
export const COMMON_START = 0x0000;
export const ISR_START = 0x1000;
export const DEVICE_START = 0x2000;
export const NOTIFY_START = 0x3000;
export const PAGE = 0x1000;
/** Bytes from one queue's notification address to the next. */
export const NOTIFY_MULTIPLIER = 4;
/** Queues whose notification addresses the page holds. */
export const QUEUES_MAX = PAGE / NOTIFY_MULTIPLIER;
