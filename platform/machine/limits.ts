// Bounds that turn an endless chart into an error instead of a hang.

/** More transitions than this within one step (eventless ones and raised events) are a cycle. */
export const MICROSTEPS_MAX = 10_000;

/** More events than this, sent by effects of the chart to itself in one instant, are a cycle. */
export const REENTRANT_EVENTS_MAX = 10_000;
