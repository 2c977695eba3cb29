// What a driver does with one channel program: start it, wait for its end. A subchannel that has a status
// to tell first takes no program until the status was collected.
import { emit, setup } from 'xstate';

export type ProgramEvent =
  | { readonly type: 'START' }
  | { readonly type: 'ACCEPTED' }
  | { readonly type: 'STATUS_PENDING' }
  | { readonly type: 'NOT_OPERATIONAL' }
  | { readonly type: 'TESTED' }
  | { readonly type: 'ENDED' };

/** The events, made once. */
export const ProgramEvents = {
  START: { type: 'START' },
  ACCEPTED: { type: 'ACCEPTED' },
  STATUS_PENDING: { type: 'STATUS_PENDING' },
  NOT_OPERATIONAL: { type: 'NOT_OPERATIONAL' },
  TESTED: { type: 'TESTED' },
  ENDED: { type: 'ENDED' },
} as const satisfies Record<string, ProgramEvent>;

export type ProgramEffect = { readonly type: 'startSubchannel' } | { readonly type: 'over' };

export const programChart = setup({
  types: {} as { events: ProgramEvent; emitted: ProgramEffect },
  actions: { startSubchannel: emit({ type: 'startSubchannel' }), over: emit({ type: 'over' }) },
}).createMachine({
  id: 'ccwProgram',
  initial: 'idle',
  on: { '*': {} },
  states: {
    idle: { description: 'No program is under way.', on: { START: 'starting' } },
    starting: {
      description: 'START SUBCHANNEL has been issued.',
      entry: 'startSubchannel',
      on: {
        ACCEPTED: 'running',
        STATUS_PENDING: 'blocked',
        NOT_OPERATIONAL: { target: 'idle', actions: 'over' },
      },
    },
    blocked: {
      description: 'The subchannel has a status to tell; it takes the program afterwards.',
      on: { TESTED: 'starting' },
    },
    running: {
      description: 'The subchannel runs the program.',
      on: { ENDED: { target: 'idle', actions: 'over' } },
    },
  },
});
