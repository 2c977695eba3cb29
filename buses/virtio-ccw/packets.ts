// Packet kinds of virtio-ccw, besides those of shared-memory DMA.

/** An instruction that exits. a: device, b: instruction, c: its operand. */
export const INSTRUCTION = 1;
/** Its end. a: device, b: condition code, c: value. */
export const INSTRUCTION_DONE = 2;
/** A notification by ioeventfd. a: device, b: notification data. */
export const NOTIFY = 3;
/** The I/O interrupt of a subchannel. a: device. */
export const INTERRUPT = 4;
/** The adapter interrupt. */
export const ADAPTER_INTERRUPT = 5;
/** Sets bits of a byte of guest memory, atomically. a: address, b: bits, c: address of a summary or 0. */
export const SET_BITS = 6;
/** The summary's bits were set. a: what it was before. */
export const BITS_SET = 7;
/** The machine check of the channel subsystem: reports wait for STCRW. */
export const CHANNEL_REPORT = 8;
