// What the function of a virtio-msg PCI bus shows (reference B3, generations G1 and G2): registers in BAR
// 0, FIFOs in BAR 1, the MSI-X table in BAR 2, regions of shared memory in BAR 4. The README's table is generated from here.

export interface RegisterRow {
  readonly at: number;
  readonly access: 'r' | 'w' | 'rw';
  readonly doc: string;
}

/** BAR 0: registers of 32 bits. */
export const registers = {
  VERSION: { at: 0x00, access: 'r', doc: '1.' },
  FEATURES: { at: 0x04, access: 'r', doc: '0.' },
  INTERRUPT_STATUS: {
    at: 0x08,
    access: 'r',
    doc: 'A bit for each FIFO that has signalled; reading clears them and lowers INTx. Ours.',
  },
  NOTIFY: { at: 0x20, access: 'w', doc: 'Doorbell of FIFO n at 0x20 + 4·n; 1 is written.' },
  FIFO_ADDRESS: {
    at: 0x40,
    access: 'w',
    doc: 'Bus address of FIFO n in host memory, at 0x40 + 8·n; its high half opens it. Ours.',
  },
} as const satisfies Readonly<Record<string, RegisterRow>>;

export const VERSION = 1;

export const VENDOR_ID = 0x10ee;
export const DEVICE_ID = 0x9039;
/** The revision tells the generation of the FIFO layout. */
export const REVISION = { spsc: 0, selfDescribing: 1 } as const;
/** Base system peripheral, other. */
export const CLASS_CODE = 0x088000;

export const REGISTERS_BAR = 0;
export const FIFO_BAR = 1;
export const MSIX_BAR = 2;
/** Shared memory regions of devices, and the BAR after it: it takes two registers. Ours. */
export const REGIONS_BAR = 4;
export const REGISTERS_BAR_SIZE = 0x4000;

export const FIFOS_MAX = 8;
/** Bytes of BAR 1 for each FIFO; its queues begin after a reserved page. */
export const FIFO_SPAN = 0x4000;
export const FIFO_START = 0x1000;
/** Bytes of the two queues of a FIFO, wherever they are. */
export const FIFO_SIZE = 0x2000;

/** Bytes of BAR 1: those of the FIFOs, as a power of two. */
export function fifoBarSize(fifos: number): number {
  return 2 ** Math.ceil(Math.log2(fifos * FIFO_SPAN));
}
