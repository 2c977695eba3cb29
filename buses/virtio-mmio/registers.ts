// The registers of virtio-mmio (virtio 1.4 §4.2.2), each once: offset, direction, meaning. The README's
// table is generated from here.

export interface RegisterRow {
  readonly at: number;
  readonly access: 'r' | 'w' | 'rw';
  readonly doc: string;
}

export const registers = {
  MagicValue: { at: 0x000, access: 'r', doc: "'virt', little-endian." },
  Version: { at: 0x004, access: 'r', doc: '2: not a legacy device.' },
  DeviceID: { at: 0x008, access: 'r', doc: 'Virtio device type; 0 where there is no device.' },
  VendorID: { at: 0x00c, access: 'r', doc: 'Vendor.' },
  DeviceFeatures: { at: 0x010, access: 'r', doc: 'The block of offered features selected.' },
  DeviceFeaturesSel: { at: 0x014, access: 'w', doc: 'Selects a block of offered features.' },
  DriverFeatures: { at: 0x020, access: 'w', doc: 'The block of accepted features selected.' },
  DriverFeaturesSel: { at: 0x024, access: 'w', doc: 'Selects a block of accepted features.' },
  QueueSel: { at: 0x030, access: 'w', doc: 'Selects the queue that the registers below speak of.' },
  QueueSizeMax: { at: 0x034, access: 'r', doc: 'Largest size of the queue; 0: there is none.' },
  QueueSize: { at: 0x038, access: 'w', doc: 'Size of the queue.' },
  QueueReady: { at: 0x044, access: 'rw', doc: '1 enables the queue and tells that it is.' },
  QueueNotify: { at: 0x050, access: 'w', doc: 'Queue with new buffers, or notification data.' },
  InterruptStatus: { at: 0x060, access: 'r', doc: 'Bit 0: used buffers. Bit 1: configuration.' },
  InterruptACK: { at: 0x064, access: 'w', doc: 'Clears bits of InterruptStatus.' },
  Status: { at: 0x070, access: 'rw', doc: 'Device status; 0 resets.' },
  QueueDescLow: { at: 0x080, access: 'w', doc: 'Descriptor area, low half.' },
  QueueDescHigh: { at: 0x084, access: 'w', doc: 'Descriptor area, high half.' },
  QueueDriverLow: { at: 0x090, access: 'w', doc: 'Driver area, low half.' },
  QueueDriverHigh: { at: 0x094, access: 'w', doc: 'Driver area, high half.' },
  QueueDeviceLow: { at: 0x0a0, access: 'w', doc: 'Device area, low half.' },
  QueueDeviceHigh: { at: 0x0a4, access: 'w', doc: 'Device area, high half.' },
  SHMSel: { at: 0x0ac, access: 'w', doc: 'Selects a shared memory region.' },
  SHMLenLow: {
    at: 0x0b0,
    access: 'r',
    doc: 'Its length, low half; both halves all ones if there is none.',
  },
  SHMLenHigh: { at: 0x0b4, access: 'r', doc: 'Its length, high half.' },
  SHMBaseLow: { at: 0x0b8, access: 'r', doc: 'Its base, low half.' },
  SHMBaseHigh: { at: 0x0bc, access: 'r', doc: 'Its base, high half.' },
  QueueReset: { at: 0x0c0, access: 'rw', doc: '1 resets the queue; reads 0 when that is done.' },
  ConfigGeneration: { at: 0x0fc, access: 'r', doc: 'Generation of the configuration space.' },
  Config: { at: 0x100, access: 'rw', doc: 'First byte of the configuration space.' },
} as const satisfies Readonly<Record<string, RegisterRow>>;

export type RegisterName = keyof typeof registers;

/** Value of MagicValue. */
export const MAGIC = 0x7472_6976;
export const VERSION = 2;
/** Bytes of a device's window, and of configuration space in it. */
export const WINDOW_SIZE = 0x200;
export const CONFIG_SIZE = WINDOW_SIZE - registers.Config.at;
/** Length and base of a shared memory region that is not there. */
export const NO_REGION = 0xffff_ffff;
/** Bits of InterruptStatus. */
export const INTERRUPT_USED = 1;
export const INTERRUPT_CONFIG = 2;
