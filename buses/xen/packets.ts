// Packet kinds between the two ends of a Xen bus, besides those of shared-memory DMA. What a domain asks
// of the hypervisor about the other's grants is answered on the node that has the table.

/**
 * Where the page with the queues is. Through XenStore to the device side: a: grant reference, b: port. With
 * a proxy by hypercall from the device side: a: frame.
 */
export const CONNECT = 10;
/** The answer. a: 1 when the page was mapped, else 0; b: with a proxy, the port of the hypervisor. */
export const CONNECTED = 11;
/** An event channel was notified. a: port. */
export const EVENT = 12;
/** GNTTABOP_map_grant_ref, or a foreign mapping of frames. a: how many; bytes: references, le32 each. */
export const GRANT_MAP = 13;
/** The answer. a: how many; bytes: minus the status of each, so that 0 is a mapped one. */
export const GRANT_MAPPED = 14;
/** XenStore: the driver side wants pages back. a: first reference, b: how many. */
export const GRANT_RELEASE = 15;
/** GNTTABOP_unmap_grant_ref, or nothing if none was mapped. a: first reference, b: how many. */
export const GRANT_UNMAP = 16;
/** EVTCHNOP_bind_interdomain. a: the offered port, b: the port that is bound to it. */
export const BIND = 17;
/** The domain was destroyed: the hypervisor has closed its channels and undone its mappings. */
export const DESTROYED = 18;
/** XenStore: the state of the back end. a: BackEndState. */
export const BACK_END = 19;

/** States of the back end that the front end waits for (XenbusState). */
export const BackEndState = { initWait: 2, closed: 6 } as const;
