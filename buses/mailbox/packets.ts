// Packet kinds between the two sides of a mailbox bus, besides those of shared-memory DMA.

/** The flag of a channel is set. */
export const FLAG_SET = 10;
/** The other side has cleared it. */
export const FLAG_CLEAR = 11;
