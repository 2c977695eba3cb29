// What a chart host promises on both engines: order of effects and events, timers, errors, stopping.
import { describe, expect, test } from 'vitest';
import { assign, cancel, createMachine, emit, raise, setup } from 'xstate';
import { RunError } from '../../platform/errors.ts';
import { combineDigests, Kernel } from '../../platform/kernel/index.ts';
import { ChartHost, type EngineName } from '../../platform/machine/index.ts';

const ENGINES: readonly EngineName[] = ['xstate', 'compiled'];

interface Work {
  type: 'work' | 'rest';
  count: number;
}

// Delays are arbitrary; RETRY is derived from the context to show that functions work.
const worker = setup({
  types: {} as {
    context: { count: number };
    input: { first: number };
    events: { type: 'GO' } | { type: 'STOP' } | { type: 'FINISH' };
    emitted: Work;
  },
  delays: { RETRY: ({ context }) => 1000 * (context.count + 1), WATCHDOG: 50_000 },
  actions: {
    work: emit(({ context }) => ({ type: 'work' as const, count: context.count })),
    rest: emit(({ context }) => ({ type: 'rest' as const, count: context.count })),
    count: assign({ count: ({ context }) => context.count + 1 }),
  },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ count: input.first }),
  initial: 'idle',
  states: {
    idle: { entry: 'rest', on: { GO: 'busy' } },
    busy: {
      entry: ['work', 'count'],
      after: { RETRY: { target: 'busy', reenter: true }, WATCHDOG: 'idle' },
      on: { STOP: 'idle' },
    },
    over: { type: 'final' },
  },
  on: { FINISH: '.over' },
});

describe.each(ENGINES)('chart host on the %s engine', (engine) => {
  function place() {
    const kernel = new Kernel(2);
    return { kernel, host: new ChartHost(kernel, 1, 'linux', engine) };
  }

  function startWorker() {
    const { kernel, host } = place();
    const effects: string[] = [];
    const chart = host.start(worker, {
      name: 'disk0',
      input: { first: 5 },
      perform: (effect) => effects.push(`${kernel.now} ${effect.type} ${effect.count}`),
    });
    return { kernel, host, chart, effects };
  }

  test('performs the effects of the initial state in begin, with the input applied', () => {
    const { chart, effects } = startWorker();
    expect(effects).toEqual([]);
    chart.begin();
    expect(effects).toEqual(['0 rest 5']);
    expect(chart.state).toBe('idle');
    expect(chart.context).toEqual({ count: 5 });
  });

  test('keeps events sent before begin until the initial effects are performed', () => {
    const { chart, effects } = startWorker();
    chart.send({ type: 'GO' });
    chart.begin();
    expect(effects).toEqual(['0 rest 5', '0 work 5']);
    expect(chart.state).toBe('busy');
  });

  test('runs named delays on the kernel and cancels them on exit', () => {
    const { kernel, chart, effects } = startWorker();
    chart.begin();
    chart.send({ type: 'GO' });
    // RETRY is computed after `count` ran: timers start after the entry actions of their state.
    kernel.runUntil(15_000);
    expect(effects).toEqual(['0 rest 5', '0 work 5', '7000 work 6']);
    chart.send({ type: 'STOP' });
    kernel.runUntil(1_000_000);
    expect(effects.at(-1)).toBe('7000 rest 7');
    expect(kernel.nextTime()).toBe(Infinity);
  });

  test('delivers a timer as kind 1, the chart of the node, and the ordinal of the timer', () => {
    const { kernel, host, chart } = startWorker();
    const seen: number[][] = [];
    const deliver = host.deliver.bind(host);
    host.deliver = (kind, a, b) => {
      seen.push([kernel.now, kind, a, b]);
      deliver(kind, a, b);
    };
    chart.begin();
    chart.send({ type: 'GO' });
    kernel.runUntil(20_000);
    // Each entry into busy starts RETRY (even ordinal) and WATCHDOG (odd ordinal).
    expect(seen).toEqual([
      [7000, 1, 0, 0],
      [15_000, 1, 0, 2],
    ]);
  });

  test('is done in a final state of the root, ignores events and keeps no timer', () => {
    const { kernel, chart, effects } = startWorker();
    chart.begin();
    chart.send({ type: 'GO' });
    expect(chart.done).toBe(false);
    chart.send({ type: 'FINISH' });
    expect(chart.done).toBe(true);
    expect(chart.state).toBe('over');
    const count = effects.length;
    chart.send({ type: 'GO' });
    expect(effects.length).toBe(count);
    expect(kernel.nextTime()).toBe(Infinity);
  });

  test('stops without exit actions, with its timers cancelled', () => {
    const { kernel, chart, effects } = startWorker();
    chart.begin();
    chart.send({ type: 'GO' });
    chart.stop();
    chart.send({ type: 'STOP' });
    kernel.runUntil(1_000_000);
    expect(effects).toEqual(['0 rest 5', '0 work 5']);
    expect(chart.done).toBe(false);
  });

  test('queues what effects send back, in order, behind all effects of the step', () => {
    const { host } = place();
    const log: string[] = [];
    const machine = createMachine({
      initial: 'a',
      states: {
        a: {
          on: { START: { target: 'b', actions: [emit({ type: 'one' }), emit({ type: 'two' })] } },
        },
        b: { on: { ONE: { actions: emit({ type: 'gotOne' }) }, TWO: { target: 'c' } } },
        c: { entry: emit({ type: 'inC' }) },
      },
    });
    const chart = host.start(machine, {
      name: 'echo',
      perform: ({ type }) => {
        log.push(type);
        if (type === 'one') {
          chart.send({ type: 'ONE' });
          chart.send({ type: 'TWO' });
        }
      },
    });
    chart.begin();
    chart.send({ type: 'START' });
    expect(log).toEqual(['one', 'two', 'gotOne', 'inC']);
  });

  test('stopped by an effect, it performs the rest of the step and drops what waits', () => {
    const { host } = place();
    const log: string[] = [];
    const machine = createMachine({
      on: {
        START: { actions: [emit({ type: 'one' }), emit({ type: 'two' })] },
        MORE: { actions: emit({ type: 'more' }) },
      },
    });
    const chart = host.start(machine, {
      name: 'brief',
      perform: ({ type }) => {
        log.push(type);
        chart.send({ type: 'MORE' });
        if (type === 'one') chart.stop();
      },
    });
    chart.begin();
    chart.send({ type: 'START' });
    chart.send({ type: 'START' });
    expect(log).toEqual(['one', 'two']);
  });

  test('calls a chart that answers itself for ever a livelock', () => {
    const { host } = place();
    const machine = createMachine({ on: { PING: { actions: emit({ type: 'pong' }) } } });
    const chart = host.start(machine, {
      name: 'echo',
      perform: () => chart.send({ type: 'PING' }),
    });
    chart.begin();
    expect(() => chart.send({ type: 'PING' })).toThrow(
      expect.objectContaining({ code: 'LIVELOCK' }),
    );
  });

  test('turns a cycle of eventless transitions into an error', () => {
    const { host } = place();
    const machine = createMachine({
      initial: 'a',
      states: { a: { always: 'b' }, b: { always: 'a' } },
    });
    const chart = host.start(machine, { name: 'spin', perform: () => {} });
    expect(() => chart.begin()).toThrow(expect.objectContaining({ code: 'CHART' }));
  });

  test('ignores events that nothing handles', () => {
    const { chart, effects } = startWorker();
    chart.begin();
    chart.send({ type: 'NOBODY' } as never);
    expect(chart.state).toBe('idle');
    expect(effects.length).toBe(1);
  });

  test('a delay of Infinity never fires, one that is no whole number is an error', () => {
    const { kernel, host } = place();
    const machine = setup({
      delays: { WAIT: ({ event }) => (event as { delay?: number }).delay ?? Infinity },
    }).createMachine({
      initial: 'a',
      states: { a: { after: { WAIT: 'b' }, on: { AGAIN: { target: 'a', reenter: true } } }, b: {} },
    });
    const chart = host.start(machine, { name: 'patient', perform: () => {} });
    chart.begin();
    expect(kernel.nextTime()).toBe(Infinity);
    chart.send({ type: 'AGAIN', delay: 7 });
    expect(kernel.nextTime()).toBe(7);
    for (const delay of [-1, 0.5, Number.NaN]) {
      const other = host.start(machine, { name: `patient ${delay}`, perform: () => {} });
      other.begin();
      expect(() => other.send({ type: 'AGAIN', delay })).toThrow(
        expect.objectContaining({ code: 'CHART' }),
      );
    }
  });

  test('delayed raise with an id can be cancelled', () => {
    const { kernel, host } = place();
    const log: string[] = [];
    const machine = createMachine({
      on: {
        ARM: { actions: raise({ type: 'FIRED' }, { id: 'fuse', delay: 100 }) },
        DISARM: { actions: cancel('fuse') },
        FIRED: { actions: emit({ type: 'bang' }) },
      },
    });
    const chart = host.start(machine, {
      name: 'fuse',
      perform: ({ type }) => log.push(`${kernel.now} ${type}`),
    });
    chart.begin();
    chart.send({ type: 'ARM' });
    chart.send({ type: 'DISARM' });
    expect(kernel.nextTime()).toBe(Infinity);
    chart.send({ type: 'ARM' });
    kernel.runUntil(1000);
    expect(log).toEqual(['100 bang']);
  });

  test('timers due at one instant fire in the order they were started', () => {
    const { kernel, host } = place();
    const log: string[] = [];
    const machine = createMachine({
      type: 'parallel',
      states: {
        left: { initial: 'a', states: { a: { after: { 10: { actions: emit({ type: 'L' }) } } } } },
        right: { initial: 'a', states: { a: { after: { 10: { actions: emit({ type: 'R' }) } } } } },
      },
    });
    for (const name of ['one', 'two']) {
      host.start(machine, { name, perform: ({ type }) => log.push(`${name} ${type}`) }).begin();
    }
    kernel.runUntil(100);
    expect(log).toEqual(['one L', 'one R', 'two L', 'two R']);
  });

  test.each([
    ['guard', { on: { X: { guard: boom } } }],
    ['action', { on: { X: { actions: boom } } }],
    ['assign', { on: { X: { actions: assign(boom) } } }],
    ['effect', { on: { X: { actions: emit(boom) } } }],
    ['delay', { on: { X: { actions: raise({ type: 'Y' }, { id: 'y', delay: boom }) } } }],
  ])('an error thrown in a %s stops the run and says where', (_what, config) => {
    const { kernel, host } = place();
    const machine = createMachine({
      initial: 'up',
      states: { up: { initial: 'polling', states: { polling: config } } },
    } as never);
    const chart = host.start(machine, { name: 'nic', perform: () => {} });
    chart.begin();
    kernel.runUntil(1);
    kernel.now = 2_000_000;
    const error = thrownBy(() => chart.send({ type: 'X' }));
    expect(error).toBeInstanceOf(RunError);
    expect(error).toMatchObject({ code: 'CHART' });
    for (const part of ['nic', 'linux', 'up.polling', 'event X', '2 us', 'no such register']) {
      expect((error as Error).message).toContain(part);
    }
    expect((error as Error).cause).toBeInstanceOf(Error);
  });

  test('an error in the initial state is thrown by begin', () => {
    const { host } = place();
    const chart = host.start(createMachine({ entry: boom }), { name: 'nic', perform: () => {} });
    expect(thrownBy(() => chart.begin())).toMatchObject({ code: 'CHART' });
  });

  test('an error in a timer names the timer event', () => {
    const { kernel, host } = place();
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { after: { 5: { actions: boom } } } },
    });
    host.start(machine, { name: 'nic', perform: () => {} }).begin();
    const error = thrownBy(() => kernel.runUntil(100));
    expect(error).toMatchObject({ code: 'CHART' });
    expect((error as Error).message).toContain('event xstate.after.5.m.a at 5 ps');
  });

  test('tells an observer of each step with the state before it', () => {
    const { host, kernel, chart } = startWorker();
    const log: string[] = [];
    host.observer = {
      stepped: (of, type, before) => log.push(`${of.name} ${type} ${before}>${of.state}`),
    };
    chart.begin();
    chart.send({ type: 'GO' });
    kernel.runUntil(8000);
    expect(log).toEqual([
      'disk0 xstate.init >idle',
      'disk0 GO idle>busy',
      'disk0 xstate.after.RETRY.worker.busy busy>busy',
    ]);
  });

  test('matches parents and leaves of the active states', () => {
    const { host } = place();
    const machine = createMachine({
      type: 'parallel',
      states: {
        link: { initial: 'up', states: { up: {}, down: {} } },
        queue: { initial: 'idle', states: { idle: {} } },
      },
    });
    const chart = host.start(machine, { name: 'nic', perform: () => {} });
    chart.begin();
    expect(chart.state).toBe('link.up,queue.idle');
    expect(chart.matches('link')).toBe(true);
    expect(chart.matches('link.up')).toBe(true);
    expect(chart.matches('link.down')).toBe(false);
  });
});

test('both engines give the same digest', () => {
  const digests = ENGINES.map((engine) => {
    const kernel = new Kernel(1);
    const host = new ChartHost(kernel, 0, 'n', engine);
    for (let i = 0; i < 3; i++) {
      const chart = host.start(worker, {
        name: `disk${i}`,
        input: { first: i },
        perform: () => {},
      });
      chart.begin();
      chart.send({ type: 'GO' });
    }
    kernel.runUntil(100_000);
    expect(kernel.events).toBeGreaterThan(10);
    return combineDigests([kernel.digestOf(0)]);
  });
  expect(digests[0]).toBe(digests[1]);
});

function boom(): never {
  throw new Error('no such register');
}

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
