// The registers of a device that is driven by commands: reset, one administration virtqueue, and a doorbell
// for each queue. All are 32 bits wide. The README's tables are generated from here.

interface RegisterRow {
  readonly at: number;
  readonly access: 'r' | 'w' | 'rw';
  readonly doc: string;
}

export const registers = {
  Magic: { at: 0x000, access: 'r', doc: "'avq1', little-endian." },
  QueueSizeMax: { at: 0x004, access: 'r', doc: 'Most entries of the administration virtqueue.' },
  State: {
    at: 0x008,
    access: 'rw',
    doc: 'What the device is doing. Writing RESET resets it; READY takes the queue into use.',
  },
  QueueSize: { at: 0x00c, access: 'w', doc: 'Entries of the administration virtqueue.' },
  QueueVector: {
    at: 0x010,
    access: 'rw',
    doc: 'Its MSI-X vector; reads 0xffff when that cannot be had.',
  },
  QueueNotify: { at: 0x014, access: 'w', doc: 'Any value: it has new buffers.' },
  QueueDescLow: { at: 0x018, access: 'w', doc: 'Descriptor area, low half.' },
  QueueDescHigh: { at: 0x01c, access: 'w', doc: 'Descriptor area, high half.' },
  QueueDriverLow: { at: 0x020, access: 'w', doc: 'Driver area, low half.' },
  QueueDriverHigh: { at: 0x024, access: 'w', doc: 'Driver area, high half.' },
  QueueDeviceLow: { at: 0x028, access: 'w', doc: 'Device area, low half.' },
  QueueDeviceHigh: { at: 0x02c, access: 'w', doc: 'Device area, high half.' },
} as const satisfies Readonly<Record<string, RegisterRow>>;

export type RegisterName = keyof typeof registers;

/** Values of State. */
export const STATE = {
  /** Nothing is set up. */
  RESET: 0,
  /** Commands are served. */
  READY: 1,
  /** The administration virtqueue can't be served: only a reset helps. */
  FAILED: 2,
  /** A reset is under way. */
  RESETTING: 3,
} as const;

export const MAGIC = 0x3171_7661;
/** Bytes of a register. */
export const REGISTER_SIZE = 4;
export const ADMIN_QUEUE_SIZE_MAX = 64;

/** The registers have a page of BAR 0, and so have the doorbells: queue i's is i words into theirs. */
export const REGISTERS_BAR = 0;
export const REGISTERS_BAR_SIZE = 0x2000;
export const DOORBELLS_START = 0x1000;
export const QUEUES_MAX = (REGISTERS_BAR_SIZE - DOORBELLS_START) / REGISTER_SIZE;
/** The MSI-X table has a BAR to itself. */
export const MSIX_BAR = 1;

/** One of the ids that QEMU's list (docs/specs/pci-ids.rst) leaves to experiments. */
export const DEVICE_ID = 0x10f0;

/** Vectors: that of the administration virtqueue, and one for each queue from here on. */
export const ADMIN_VECTOR = 0;
export const CONFIG_VECTOR = 1;
export const FIRST_QUEUE_VECTOR = 2;
