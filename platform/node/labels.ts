// Labels of the pieces of a delay that are no timing constant: waiting for something. Constants are
// labelled by their index (0 and up) in the profile, waits by the negative numbers here.

export const WAIT_CPU = -1;
export const WAIT_LINK = -2;
export const WAIT_MEDIA = -3;
export const WAIT_ORDER = -4;
export const WAIT_BUS = -5;
export const TIMER = -6;
export const WAIT_SCAN = -7;
export const ON_CABLE = -8;
export const ON_LINK = -9;

const TEXTS: Readonly<Record<number, string>> = {
  [WAIT_CPU]: 'waiting for a free CPU',
  [WAIT_LINK]: 'waiting for the link',
  [WAIT_MEDIA]: 'waiting for the medium',
  [WAIT_ORDER]: 'kept behind earlier writes',
  [WAIT_BUS]: 'waiting for the call before it',
  [TIMER]: 'waiting for a timer',
  [WAIT_SCAN]: 'waiting for work under way',
  [ON_CABLE]: 'on a network cable',
  [ON_LINK]: 'packets crossing a link',
};

/** Describes a wait label for people. */
export function waitText(label: number): string {
  return TEXTS[label] ?? `wait ${label}`;
}
