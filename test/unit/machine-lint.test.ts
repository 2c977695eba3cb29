// What the lint of charts finds, and that it is content with a chart as they should be.
import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, assign, emit, fromCallback, raise, setup, stateIn } from 'xstate';
import { lintMachine } from '../../platform/machine/index.ts';

const named = setup({
  delays: { SOON: 10 },
  guards: { ready: () => true },
  actions: {
    note: emit({ type: 'noted' }),
    wake: raise({ type: 'WAKE' }, { id: 'wake', delay: 'SOON' }),
    wakeByNumber: raise({ type: 'WAKE' }, { id: 'wake', delay: 10 }),
    wakeForEver: raise({ type: 'WAKE' }, { delay: 'SOON' }),
  },
});

/** Codes found in a chart of two good states and whatever `more` adds or replaces. */
function codesOf(more: object): string[] {
  const config = {
    initial: 'a',
    on: { '*': { actions: 'note' } },
    ...more,
    states: {
      a: { description: 'First.', on: { GO: 'b' }, after: { SOON: 'b' } },
      b: { description: 'Second.', entry: 'wake', on: { WAKE: { guard: 'ready', target: 'a' } } },
      ...('states' in more ? (more.states as object) : {}),
    },
  };
  const machine: unknown = named.createMachine(config as never);
  return lintMachine(machine as AnyStateMachine).map(({ code }) => code);
}

const GO_C = { description: 'First.', on: { GO: 'b', C: 'c' } };

describe('lint', () => {
  test('finds nothing in a good chart', () => {
    expect(codesOf({})).toEqual([]);
  });

  test('finds nothing in a good chart with history, done states and combined guards', () => {
    const c = {
      description: 'Third.',
      initial: 'd',
      onDone: 'a',
      states: {
        d: { description: 'Fourth.', on: { X: { guard: stateIn('#here'), target: 'end' } } },
        end: { description: 'Over.', id: 'here', type: 'final' },
        last: { description: 'Where it was.', type: 'history' },
      },
    };
    const a = { description: 'First.', on: { GO: 'b', LAST: 'c.last' } };
    expect(codesOf({ states: { a, c } })).toEqual([]);
  });

  test.each([
    ['INITIAL', 'an initial state that does not exist', { initial: 'nowhere' }],
    ['WILDCARD', 'a root without "*"', { on: {} }],
    ['DESCRIPTION', 'a state without a description', { states: { a: { on: { GO: 'b' } } } }],
    ['UNREACHABLE', 'a state to which nothing leads', { states: { c: { description: 'Third.' } } }],
    [
      'DELAY',
      'a bare number as a delay',
      { states: { a: { description: 'First.', after: { 10: 'b' } } } },
    ],
    [
      'DELAY',
      'a delayed event with a bare number',
      { states: { a: GO_C, c: { description: 'Third.', entry: 'wakeByNumber' } } },
    ],
    [
      'REFUSED',
      'a delay that is not provided',
      { states: { a: { description: 'First.', after: { LATER: 'b' } } } },
    ],
    [
      'TIMER_ID',
      'a delayed event without an id',
      { states: { a: GO_C, c: { description: 'Third.', entry: 'wakeForEver' } } },
    ],
    ['INLINE', 'an action function', { exit: assign({ n: 1 }) }],
    ['INLINE', 'a guard function', { on: { '*': { guard: () => true } } }],
    ['REFUSED', 'an action that is not provided', { exit: 'nobody' }],
    ['REFUSED', 'a guard that is not provided', { on: { '*': { guard: 'nobody' } } }],
    ['REFUSED', 'what cannot be compiled', { invoke: { src: fromCallback(() => {}) } }],
    [
      'DONE',
      'a done event that falls to a wildcard',
      {
        states: {
          a: GO_C,
          c: {
            description: 'Third.',
            initial: 'end',
            states: { end: { description: 'Over.', type: 'final' } },
          },
        },
      },
    ],
  ])('finds %s: %s', (code, _what, more) => {
    expect(codesOf(more)).toEqual([code]);
  });
});
