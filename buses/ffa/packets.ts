// Packet kinds between the two ends of an FF-A bus, besides those of shared-memory DMA. What is no
// virtio-msg message is a call to the SPMC or hypervisor, which answers for the node that it serves.

/** FFA_PARTITION_INFO_GET. Bytes: the UUID of the service that is looked for. */
export const PARTITION_INFO = 1;
/** a: 1 when the service is there. */
export const PARTITION_INFO_REPLY = 2;
/** FFA_MSG_SEND_DIRECT_REQ2 with a message. a … d: the UUID of the service that is called. */
export const DIRECT_REQUEST = 3;
/** FFA_MSG_SEND_DIRECT_RESP2 with a message. */
export const DIRECT_RESPONSE = 4;
/** A notification became pending. a: its id. */
export const NOTIFICATION = 5;
/** FFA_MEM_RETRIEVE_REQ. a: handle, b: area id it is for, c: 0 shared, 1 lent, 2 donated. */
export const MEM_RETRIEVE = 6;
/** a: pages or -1, b: area id. */
export const MEM_RETRIEVE_REPLY = 7;
/** FFA_MEM_RELINQUISH. a: handle. */
export const MEM_RELINQUISH = 8;
/** FFA_MSG_SEND2 with a message, into the receiver's RX buffer. a … d: the UUID of the service. */
export const INDIRECT = 9;
/** FFA_RX_RELEASE: the receiver's RX buffer is free again. */
export const RX_RELEASE = 10;
/** FFA_ERROR in place of FFA_MSG_SEND_DIRECT_RESP2. a: the error. */
export const DIRECT_ERROR = 11;
/** FFA_ERROR for FFA_MSG_SEND2: the receiver does not run. */
export const INDIRECT_ERROR = 12;
/** FFA_ERROR for FFA_NOTIFICATION_SET: the receiver does not run. */
export const NOTIFICATION_ERROR = 13;
/** The framework message that tells a partition of the end of a VM. */
export const VM_DESTROYED = 14;
/** The partition has given back what it had of the VM. */
export const VM_DESTROYED_REPLY = 15;
/** Maps grants, their references in the bytes. a: how many, b: who asks. */
export const GRANT_MAP = 16;
/** A status (GNTST) for each, negated. a: how many, b: who has asked. */
export const GRANT_MAPPED = 17;
/** The granting domain wants pages back. a: first reference, b: pages. */
export const GRANT_RELEASE = 18;
/** They are unmapped. a, b: as in GRANT_RELEASE. */
export const GRANT_UNMAP = 19;
/** The domain that had grants mapped is no more. */
export const GRANTS_LOST = 20;

/** Error codes of FFA_ERROR (DEN0077). */
export const FfaError = { INVALID_PARAMETERS: -2, BUSY: -4, ABORTED: -8 } as const;
