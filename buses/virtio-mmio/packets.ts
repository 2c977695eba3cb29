// Packet kinds of virtio-mmio, besides those of shared-memory DMA.

/** A trapped access. a: device, b: offset in its window, c: value, d: bytes written, 0 for a load. */
export const ACCESS = 1;
/** Its end. a: device, b: value. */
export const ACCESS_DONE = 2;
/** A notification by ioeventfd. a: device, b: value written. */
export const NOTIFY = 3;
/** The device's interrupt. a: device. */
export const INTERRUPT = 4;
