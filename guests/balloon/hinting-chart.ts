// How a balloon driver gives hints of free pages while the device wants them, as during a migration: an id,
// pages, an end; and then it keeps the pages until the device needs no hints any more (virtio 1.4 §5.5.6.5).
import { emit, setup } from 'xstate';

export type HintingEvent =
  | { readonly type: 'WANTED' }
  | { readonly type: 'UNWANTED' }
  | { readonly type: 'DONE' }
  | { readonly type: 'STOP' }
  | { readonly type: 'USED' }
  | { readonly type: 'NO_MORE' };

export type HintingEffect =
  | { readonly type: 'begin' }
  | { readonly type: 'hint' }
  | { readonly type: 'end' }
  | { readonly type: 'release' };

export const hintingChart = setup({
  types: {} as { context: Record<string, never>; events: HintingEvent; emitted: HintingEffect },
  actions: {
    begin: emit({ type: 'begin' }),
    hint: emit({ type: 'hint' }),
    end: emit({ type: 'end' }),
    release: emit({ type: 'release' }),
  },
}).createMachine({
  id: 'balloonHinting',
  context: {},
  initial: 'idle',
  on: {
    STOP: { target: '.idle', actions: 'release' },
    DONE: { target: '.idle', actions: 'release' },
    '*': {},
  },
  states: {
    idle: {
      description: 'The device wants no hints.',
      on: { WANTED: 'beginning' },
    },
    beginning: {
      description: 'The id of the round is on its way.',
      entry: 'begin',
      on: { USED: 'hinting', UNWANTED: 'holding' },
    },
    hinting: {
      description: 'Pages are on their way.',
      entry: 'hint',
      on: {
        USED: { target: 'hinting', reenter: true },
        NO_MORE: 'ending',
        UNWANTED: 'holding',
      },
    },
    ending: {
      description: 'There are no more; the device is told.',
      entry: 'end',
      on: { USED: 'holding', UNWANTED: 'holding' },
    },
    holding: {
      description: 'Hinted pages stay unused until the device has done with them.',
      on: { WANTED: 'beginning' },
    },
  },
});
