// What passes between kernel and process of a loopback bus besides what lies in memory. Both are on one
// node; these are packets to itself, which take time like any other.

/** The process attaches to the bridge, or maps the pool of the character device. */
export const ATTACH = 10;
/** a: address of the rings or of the pool, b: its length. */
export const ATTACHED = 11;
/** An eventfd was signalled. */
export const SIGNAL = 12;
/** A message is there for the read of the process. */
export const READABLE = 13;
/** The process has read an event. */
export const TAKEN = 14;
/** The process has written a response. */
export const ANSWER = 15;
/** The process has written an event. */
export const WRITTEN = 16;
