// Packet kinds between the two ends of a Xen bus, besides those of shared-memory DMA. What a domain asks
// of the hypervisor about the other's grants is answered on the node that has the table.

/** XenStore: the driver side tells the reference of the page with the queues. a: reference. */
export const CONNECT = 10;
/** XenStore: the device side has mapped it, or could not. a: 1 or 0. */
export const CONNECTED = 11;
/** An event channel was notified. */
export const EVENT = 12;
/** GNTTABOP_map_grant_ref. a: ticket; bytes: references, le32 each. */
export const GRANT_MAP = 13;
/** The answer. a: ticket; bytes: 1 for each that was mapped, 0 for each that was not. */
export const GRANT_MAPPED = 14;
/** XenStore: the driver side wants pages back. a: first reference, b: how many. */
export const GRANT_RELEASE = 15;
/** GNTTABOP_unmap_grant_ref, or nothing if none was mapped. a: first reference, b: how many. */
export const GRANT_UNMAP = 16;
