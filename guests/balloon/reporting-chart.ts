// How a balloon driver reports free memory: when there is more of it than last time, request by request,
// with a pause between two rounds (virtio 1.4 §5.5.6.7).
import { emit, setup } from 'xstate';

export type ReportingEvent =
  | { readonly type: 'START' }
  | { readonly type: 'STOP' }
  | { readonly type: 'MORE' }
  | { readonly type: 'USED' }
  | { readonly type: 'NO_MORE' };

export type ReportingEffect =
  | { readonly type: 'look' }
  | { readonly type: 'report' }
  | { readonly type: 'release' };

export interface ReportingInput {
  /** ps between two rounds. */
  readonly pause: number;
}

export const reportingChart = setup({
  types: {} as {
    context: ReportingInput;
    input: ReportingInput;
    events: ReportingEvent;
    emitted: ReportingEffect;
  },
  delays: { PAUSE: ({ context }) => context.pause },
  actions: {
    look: emit({ type: 'look' }),
    report: emit({ type: 'report' }),
    release: emit({ type: 'release' }),
  },
}).createMachine({
  id: 'balloonReporting',
  context: ({ input }) => input,
  initial: 'off',
  on: { STOP: { target: '.off', actions: 'release' }, '*': {} },
  states: {
    off: { description: 'The device is not live, or wants no reports.', on: { START: 'pausing' } },
    pausing: {
      description: 'Free memory may gather.',
      after: { PAUSE: 'looking' },
    },
    looking: {
      description: 'Is there more free memory than after the last round?',
      entry: 'look',
      on: { MORE: 'reporting', NO_MORE: 'pausing' },
    },
    reporting: {
      description: 'A request with free pages is under way; nobody uses them before it is back.',
      entry: 'report',
      on: {
        USED: { target: 'reporting', reenter: true },
        NO_MORE: { target: 'pausing', actions: 'release' },
      },
    },
  },
});
