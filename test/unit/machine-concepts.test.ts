// What charts can say, concept by concept, with the same outcome on both engines; and what the compiled
// engine refuses. Events, states and values are arbitrary.
import { describe, expect, test } from 'vitest';
import {
  type AnyStateMachine,
  and,
  assign,
  createMachine,
  type EventObject,
  emit,
  enqueueActions,
  fromCallback,
  log,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from 'xstate';
import { Kernel } from '../../platform/kernel/index.ts';
import { ChartHost, type EngineName, ImpossibleStates } from '../../platform/machine/index.ts';

const ENGINES: readonly EngineName[] = ['xstate', 'compiled'];

/** A machine whose actions named `+x` emit x. */
function chart(config: object, implementations: object = {}): AnyStateMachine {
  const names = new Set(JSON.stringify(config).match(/\+\w+/g) ?? []);
  const actions = Object.fromEntries([...names].map((name) => [name, emit({ type: name })]));
  const given = implementations as { actions?: object };
  const machine: unknown = setup({
    ...given,
    actions: { ...actions, ...given.actions },
  } as never).createMachine(config as never);
  return machine as AnyStateMachine;
}

/** Runs events through a machine: `+effects … state` for begin and for each event. */
function trace(
  engine: EngineName,
  machine: AnyStateMachine,
  events: readonly (string | EventObject)[],
): string[] {
  const host = new ChartHost(new Kernel(1), 0, 'node', engine);
  const lines: string[] = [];
  let effects: string[] = [];
  const subject = host.start(machine, {
    name: 'chart',
    perform: ({ type }: EventObject) => effects.push(type),
  });
  const note = (): void => {
    lines.push([...effects, subject.state].join(' '));
    effects = [];
  };
  subject.begin();
  note();
  for (const event of events) {
    subject.send((typeof event === 'string' ? { type: event } : event) as never);
    note();
  }
  return lines;
}

describe.each(ENGINES)('on the %s engine', (engine) => {
  const runs = (machine: AnyStateMachine, ...events: (string | EventObject)[]): string[] => {
    return trace(engine, machine, events);
  };

  test('a transition leaves from inside out and enters from outside in', () => {
    const machine = chart({
      initial: 'a',
      states: {
        a: {
          entry: '+inA',
          exit: '+outA',
          initial: 'b',
          states: {
            b: { entry: '+inB', exit: '+outB', on: { GO: { target: '#d', actions: '+go' } } },
          },
        },
        c: { entry: '+inC', initial: 'd', states: { d: { id: 'd', entry: '+inD' } } },
      },
    });
    expect(runs(machine, 'GO')).toEqual(['+inA +inB a.b', '+outB +outA +go +inC +inD c.d']);
  });

  test('a transition within its own state leaves it only when it re-enters', () => {
    const machine = chart({
      initial: 'a',
      states: {
        a: {
          entry: '+in',
          exit: '+out',
          initial: 'x',
          states: { x: { exit: '+outX' }, y: {} },
          on: {
            INSIDE: '.y',
            AGAIN: { target: '.y', reenter: true },
            NOWHERE: { actions: '+stay' },
            SELF: 'a',
          },
        },
      },
    });
    expect(runs(machine, 'INSIDE', 'AGAIN', 'NOWHERE', 'SELF')).toEqual([
      '+in a.x',
      '+outX a.y',
      '+out +in a.y',
      '+stay a.y',
      // Without `reenter` a state that targets itself only starts anew inside.
      'a.x',
    ]);
  });

  test('initial transitions have actions, unless their state is passed by', () => {
    const machine = chart({
      initial: { target: 'a', actions: '+root' },
      states: {
        a: {
          initial: { target: 'x', actions: '+default' },
          states: { x: {}, y: { id: 'y' } },
        },
        b: {},
      },
      on: { A: '.a', Y: '#y', B: '.b' },
    });
    expect(runs(machine, 'B', 'Y', 'B', 'A')).toEqual([
      '+root +default a.x',
      'b',
      'a.y',
      'b',
      '+default a.x',
    ]);
  });

  test('an inner state goes before an outer one, an exact type before wildcards, long before short', () => {
    const machine = chart({
      initial: 'a',
      on: { 'res.SET': { actions: '+outer' }, '*': { actions: '+any' } },
      states: {
        a: { on: { 'res.*': { actions: '+res' }, 'res.GET.*': { actions: '+get' }, NEXT: 'b' } },
        b: { on: { 'res.GET.ok': { actions: '+exact' }, 'res.GET.*': { actions: '+get' } } },
      },
    });
    expect(
      runs(machine, 'res.SET', 'res.GET', 'res.GET.ok', 'odd', 'NEXT', 'res.GET.ok', 'res.SET'),
    ).toEqual(['a', '+res a', '+get a', '+get a', '+any a', 'b', '+exact b', '+outer b']);
  });

  test('an event without a transition is kept from outer states', () => {
    const machine = chart({
      initial: 'deaf',
      on: { X: { actions: '+heard' } },
      states: { deaf: { on: { X: undefined, NEXT: 'open' } }, open: { on: { X: {} } } },
    });
    expect(runs(machine, 'X', 'NEXT', 'X')).toEqual(['deaf', 'deaf', 'open', 'open']);
  });

  test('the first transition whose guard passes is taken', () => {
    const machine = chart(
      {
        context: { n: 0 },
        initial: 'a',
        states: { a: {}, b: {} },
        on: {
          N: { actions: 'count' },
          X: [
            { guard: { type: 'atLeast', params: { min: 2 } }, actions: '+two' },
            { guard: { type: 'atLeast', params: ({ event }: never) => event }, actions: '+asked' },
            { guard: not('some'), actions: '+none' },
            { guard: and(['some', stateIn('b')]), actions: '+inB' },
            { guard: or([not('some'), stateIn('a')]), actions: '+inA' },
          ],
          B: '.b',
        },
      },
      {
        guards: {
          some: ({ context }: { context: { n: number } }) => context.n > 0,
          atLeast: ({ context }: { context: { n: number } }, { min }: { min?: number }) =>
            min !== undefined && context.n >= min,
        },
        actions: { count: assign(({ context }) => ({ n: context.n + 1 })) },
      },
    );
    expect(
      runs(machine, 'X', { type: 'X', min: 0 } as never, 'N', 'X', 'B', 'X', 'N', 'X'),
    ).toEqual(['a', '+none a', '+asked a', 'a', '+inA a', 'b', '+inB b', 'b', '+two b']);
  });

  test('eventless transitions are taken before raised events, and those before the next event', () => {
    const machine = chart(
      {
        initial: 'a',
        states: {
          a: { on: { GO: { target: 'b', actions: ['later', '+go'] } } },
          b: { always: 'c', on: { RAISED: { actions: '+tooEarly' } } },
          c: { entry: '+inC', on: { RAISED: 'd' } },
          d: { entry: '+inD' },
        },
      },
      { actions: { later: raise({ type: 'RAISED' }) } },
    );
    expect(runs(machine, 'GO')).toEqual(['a', '+go +inC +inD d']);
  });

  test('an eventless transition that changes nothing is taken once', () => {
    const machine = chart({ always: { actions: '+note' }, on: { X: {} } });
    expect(runs(machine, 'X', 'unheard')).toEqual(['+note ', '+note ', '+note ']);
  });

  test('assignments see those before them, in one object only the old context', () => {
    const machine = chart(
      { context: { a: 1, b: 10 }, on: { X: { actions: ['both', 'sum', 'tell'] } } },
      {
        actions: {
          both: assign({ a: ({ context }) => context.b, b: ({ context }) => context.a }),
          sum: assign(({ context }, _) => ({ a: context.a * 2 })),
          tell: emit(({ context }) => ({ type: `a=${context.a},b=${context.b}` })),
        },
      },
    );
    expect(runs(machine, 'X')).toEqual(['', 'a=20,b=1 ']);
  });

  test('action parameters are fixed or computed from the context of the moment', () => {
    const written: unknown[] = [];
    const machine = chart(
      {
        context: { n: 1 },
        on: {
          X: {
            actions: [
              { type: 'write', params: { k: 7 } },
              'count',
              { type: 'write', params: ({ context }: { context: { n: number } }) => context },
            ],
          },
        },
      },
      {
        actions: {
          count: assign({ n: ({ context }) => context.n + 1 }),
          write: (_: unknown, params: unknown) => written.push(params),
        },
      },
    );
    runs(machine, 'X');
    expect(written).toEqual([{ k: 7 }, { n: 2 }]);
  });

  test('enqueued actions run in order, with checks on the context before them', () => {
    const machine = chart(
      { context: { n: 0 }, on: { X: { actions: 'choose' }, R: { actions: '+raised' } } },
      {
        guards: { zero: ({ context }: { context: { n: number } }) => context.n === 0 },
        actions: {
          '+plain': emit({ type: '+plain' }),
          choose: enqueueActions(({ enqueue, check }) => {
            enqueue.assign({ n: 1 });
            enqueue.raise({ type: 'R' } as never);
            if (check('zero' as never)) enqueue('+plain' as never);
            enqueue.emit({ type: '+last' } as never);
          }),
        },
      },
    );
    expect(runs(machine, 'X', 'X')).toEqual(['', '+plain +last +raised ', '+last +raised ']);
  });

  test('a compound state is done in its final state, whose output comes with the done event', () => {
    const machine = chart(
      {
        context: { n: 5 },
        initial: 'work',
        states: {
          work: {
            initial: 'a',
            onDone: { target: 'rest', actions: 'tell' },
            states: {
              a: { on: { X: 'end' } },
              end: {
                type: 'final',
                entry: '+end',
                exit: '+left',
                output: ({ context }: never) => context,
              },
            },
          },
          rest: {},
        },
      },
      {
        actions: {
          tell: emit(({ event }) => ({
            type: `n=${(event as unknown as { output: { n: number } }).output.n}`,
          })),
        },
      },
    );
    expect(runs(machine, 'X')).toEqual(['work.a', '+end +left n=5 rest']);
  });

  test('a parallel state is done when all its regions are', () => {
    const region = (event: string) => ({
      initial: 'on',
      states: { on: { on: { [event]: 'off' } }, off: { type: 'final' } },
    });
    const machine = chart({
      initial: 'both',
      states: {
        both: { type: 'parallel', states: { l: region('L'), r: region('R') }, onDone: 'over' },
        over: { type: 'final', entry: '+over' },
      },
      exit: '+gone',
    });
    expect(runs(machine, 'L', 'L', 'R', 'R')).toEqual([
      'both.l.on,both.r.on',
      'both.l.off,both.r.on',
      'both.l.off,both.r.on',
      '+over +gone over',
      'over',
    ]);
  });

  test('each region of a parallel state handles an event, the parallel state only if none does', () => {
    const machine = chart({
      type: 'parallel',
      on: { X: { actions: '+outer' }, Y: { actions: '+outerY' } },
      states: {
        l: { initial: 'a', states: { a: { on: { X: { target: 'b', actions: '+l' } } }, b: {} } },
        r: { initial: 'a', states: { a: { on: { X: { target: 'b', actions: '+r' } } }, b: {} } },
      },
    });
    expect(runs(machine, 'X', 'X', 'Y')).toEqual([
      'l.a,r.a',
      '+l +r l.b,r.b',
      '+outer l.b,r.b',
      '+outerY l.b,r.b',
    ]);
  });

  test('of transitions that exclude each other the first region wins', () => {
    const machine = chart({
      initial: 'p',
      states: {
        p: {
          type: 'parallel',
          states: {
            l: { on: { X: { target: '#away', actions: '+l' } } },
            r: { on: { X: { target: '#there', actions: '+r' } } },
          },
        },
        away: { id: 'away' },
        there: { id: 'there' },
      },
    });
    expect(runs(machine, 'X')).toEqual(['p.l,p.r', '+l away']);
  });

  test('one transition may enter several regions at once', () => {
    const machine = chart({
      initial: 'out',
      states: {
        out: { on: { IN: { target: ['#l2', '#r2'] } } },
        p: {
          type: 'parallel',
          states: {
            l: { initial: 'l1', states: { l1: {}, l2: { id: 'l2' } } },
            m: { initial: 'm1', states: { m1: {}, m2: {} } },
            r: { initial: 'r1', states: { r1: {}, r2: { id: 'r2' } } },
          },
        },
      },
    });
    expect(runs(machine, 'IN')).toEqual(['out', 'p.l.l2,p.m.m1,p.r.r2']);
  });

  test('history comes back to the child, deep history to the leaves, before that to the default', () => {
    const machine = chart({
      initial: 'off',
      states: {
        off: { on: { SHALLOW: '#shallow', DEEP: '#deep' } },
        on: {
          initial: 'a',
          on: { OFF: 'off', B: '.b', B2: '#b2' },
          states: {
            a: {},
            b: { initial: 'b1', states: { b1: {}, b2: { id: 'b2' } } },
            shallow: { id: 'shallow', type: 'history', target: 'b' },
            deep: { id: 'deep', type: 'history', history: 'deep' },
          },
        },
      },
    });
    expect(
      runs(machine, 'DEEP', 'OFF', 'SHALLOW', 'B2', 'OFF', 'SHALLOW', 'B2', 'OFF', 'DEEP'),
    ).toEqual([
      'off',
      'on.a',
      'off',
      'on.a',
      'on.b.b2',
      'off',
      'on.b.b1',
      'on.b.b2',
      'off',
      'on.b.b2',
    ]);
    expect(runs(machine, 'SHALLOW')).toEqual(['off', 'on.b.b1']);
  });

  test('transitions that together make impossible states active end the run', () => {
    // The region leaves for its own history while it is left; XState forgets its other regions.
    const machine = chart({
      type: 'parallel',
      states: {
        other: {},
        p: {
          type: 'parallel',
          states: {
            x: { on: { X: '#last' } },
            y: {},
            last: { id: 'last', type: 'history' },
          },
        },
      },
    });
    expect(() => runs(machine, 'X')).toThrow(
      expect.objectContaining({ code: 'CHART', cause: expect.any(ImpossibleStates) }),
    );
  });
});

describe('the compiled engine', () => {
  const start = (machine: AnyStateMachine, perform: (effect: EventObject) => void = () => {}) => {
    return new ChartHost(new Kernel(1), 0, 'node', 'compiled').start(machine, {
      name: 'c',
      perform,
    });
  };

  test('performs the very same object for a fixed effect each time', () => {
    const effects = new Set<EventObject>();
    const subject = start(chart({ on: { X: { actions: ['+fixed'] } } }), (effect) => {
      effects.add(effect);
    });
    subject.begin();
    for (let i = 0; i < 3; i++) subject.send({ type: 'X' });
    expect(effects.size).toBe(1);
  });

  test('keeps the context object when nothing is assigned', () => {
    const subject = start(chart({ context: { n: 0 }, on: { X: { actions: '+e' } } }));
    subject.begin();
    const before = subject.context;
    subject.send({ type: 'X' });
    expect(subject.context).toBe(before);
  });

  test('has no actor to offer', () => {
    const machine = createMachine({
      on: { X: { actions: ({ self }) => self.send({ type: 'Y' }) } },
    });
    const subject = start(machine);
    subject.begin();
    expect(() => subject.send({ type: 'X' })).toThrow(expect.objectContaining({ code: 'CHART' }));
  });

  test.each([
    ['invoke', { invoke: { src: fromCallback(() => {}) } }],
    ['log', { entry: log('hello') }],
    ['sendTo', { on: { X: { actions: sendTo('other', { type: 'Y' }) } } }],
    ['spawnChild', { exit: spawnChild(fromCallback(() => {})) }],
    ['an action that is not provided', { entry: 'nobody' }],
    ['a guard that is not provided', { on: { X: { guard: 'nobody' } } }],
    ['a delay that is not provided', { after: { NEVER_SAID: { actions: '+x' } } }],
    ['a state named by a number', { initial: '1', states: { '1': {} } }],
    ['stateIn of a state that does not exist', { on: { X: { guard: stateIn('#gone') } } }],
  ])('refuses %s when the chart is started', (_what, config) => {
    const machine = chart({ initial: 'inner', states: { inner: config } });
    expect(() => start(machine)).toThrow(expect.objectContaining({ code: 'CHART' }));
  });

  test('names everything that it refuses', () => {
    const machine = chart({ entry: 'missingAction', on: { X: { guard: 'missingGuard' } } });
    expect(() => start(machine)).toThrow(/missingAction.*missingGuard/);
  });
});
