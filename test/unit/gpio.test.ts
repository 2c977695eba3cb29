// virtio-gpio: every message, interrupts masked and unmasked, by edge and by level, and what a hostile
// driver gets for an answer.
import { beforeEach, describe, expect, it } from 'vitest';
import { PS_PER_MS, PS_PER_US } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  decodeLineNames,
  encodeLineNames,
  GPIO_DIRECTION,
  GPIO_F,
  GPIO_IRQ_STATUS,
  GPIO_IRQ_TYPE,
  GPIO_MSG,
  GPIO_STATUS,
  STATUS,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { topologyOf } from '../support/scenarios.ts';

const { OK, ERR } = GPIO_STATUS;
const { IN, OUT, NONE } = GPIO_DIRECTION;
const { VALID, INVALID } = GPIO_IRQ_STATUS;
const REQUEST_QUEUE = 0;
const EVENT_QUEUE = 1;

const OPTIONS = {
  lines: 8,
  names: ['led', '', 'reset'],
  loop: [[0, 1]],
  stimulus: [{ line: 5, period: '100us' }],
};

let dut: DeviceBench;

beforeEach(() => {
  dut = new DeviceBench('gpio', { options: OPTIONS });
  expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
});

const message = (type: number, gpio: number, value: number) => le([type, 2], [gpio, 2], [value, 4]);

/** Makes a request and returns status and value. */
function ask(type: number, gpio: number, value = 0): number[] {
  dut.send(REQUEST_QUEUE, [message(type, gpio, value)], [2]);
  dut.device.available(REQUEST_QUEUE, 0);
  const answers = dut.run(20 * PS_PER_US).filter(({ queue }) => queue === REQUEST_QUEUE);
  return [...answers[0].bytes];
}

function set(type: number, gpio: number, value: number): void {
  expect(ask(type, gpio, value)).toEqual([OK, 0]);
}

/** Queues the pair that unmasks a line, and returns what has come back by then. */
function unmask(gpio: number): number[] {
  dut.send(EVENT_QUEUE, [le([gpio, 2])], [1]);
  dut.device.available(EVENT_QUEUE, 0);
  return events();
}

/** Statuses of the pairs that came back since the last look. */
let seen = 0;
function events(time = 20 * PS_PER_US): number[] {
  dut.run(time);
  const all = dut.returned.filter(({ queue }) => queue === EVENT_QUEUE);
  const fresh = all.slice(seen).map(({ bytes }) => bytes[0]);
  seen = all.length;
  return fresh;
}

beforeEach(() => {
  seen = 0;
});

describe('lines', () => {
  it('has one config space of lines and size of names', () => {
    const config = new Uint8Array(8);
    dut.device.readConfig(0, config, 0, 8);
    // led, reset and six nameless lines, each ended by a zero.
    expect([...config]).toEqual(le([8, 2], [0, 2], [3 + 5 + 8, 4]));
    expect(dut.device.writeConfig(0, Uint8Array.of(1))).toBe(false);
  });

  it('tells the names of its lines', () => {
    const size = 16;
    const [{ bytes, written }] = dut.request(
      REQUEST_QUEUE,
      [message(GPIO_MSG.GET_LINE_NAMES, 0, 0)],
      [1 + size],
    );
    expect(written).toBe(1 + size);
    expect(bytes[0]).toBe(OK);
    const names = decodeLineNames(bytes.subarray(1), 8);
    expect(names).toEqual(['led', '', 'reset', '', '', '', '', '']);
  });

  it('has no names to tell when none are given', () => {
    dut = new DeviceBench('gpio');
    dut.start();
    const config = new Uint8Array(8);
    dut.device.readConfig(0, config, 0, 8);
    expect([...config.subarray(4)]).toEqual([0, 0, 0, 0]);
    expect(ask(GPIO_MSG.GET_LINE_NAMES, 0)[0]).toBe(ERR);
  });

  it('sets and tells directions, and forgets a line that is given up', () => {
    expect(ask(GPIO_MSG.GET_DIRECTION, 3)).toEqual([OK, NONE]);
    set(GPIO_MSG.SET_VALUE, 3, 1);
    set(GPIO_MSG.SET_DIRECTION, 3, OUT);
    expect(ask(GPIO_MSG.GET_DIRECTION, 3)).toEqual([OK, OUT]);
    expect(ask(GPIO_MSG.GET_VALUE, 3)).toEqual([OK, 1]);
    set(GPIO_MSG.SET_DIRECTION, 3, NONE);
    set(GPIO_MSG.SET_DIRECTION, 3, OUT);
    expect(ask(GPIO_MSG.GET_VALUE, 3)).toEqual([OK, 0]);
  });

  it('carries a value along the wire, in either direction', () => {
    set(GPIO_MSG.SET_DIRECTION, 1, IN);
    set(GPIO_MSG.SET_VALUE, 0, 1);
    // Set, but no output yet.
    expect(ask(GPIO_MSG.GET_VALUE, 1)).toEqual([OK, 0]);
    set(GPIO_MSG.SET_DIRECTION, 0, OUT);
    expect(ask(GPIO_MSG.GET_VALUE, 1)).toEqual([OK, 1]);
    set(GPIO_MSG.SET_DIRECTION, 0, IN);
    set(GPIO_MSG.SET_VALUE, 1, 1);
    set(GPIO_MSG.SET_DIRECTION, 1, OUT);
    expect(ask(GPIO_MSG.GET_VALUE, 0)).toEqual([OK, 1]);
  });

  it('answers requests in the order in which they came', () => {
    for (const value of [1, 0, 1]) {
      dut.send(REQUEST_QUEUE, [message(GPIO_MSG.SET_VALUE, 2, value)], [2]);
      dut.send(REQUEST_QUEUE, [message(GPIO_MSG.GET_DIRECTION, 2, 0)], [2]);
    }
    dut.device.available(REQUEST_QUEUE, 0);
    expect(dut.run().map(({ head }) => head)).toEqual([0, 2, 4, 6, 8, 10]);
  });
});

describe('interrupts', () => {
  function listen(type: number, gpio = 1): void {
    set(GPIO_MSG.SET_DIRECTION, gpio, IN);
    set(GPIO_MSG.SET_IRQ_TYPE, gpio, type);
  }
  function drive(...values: number[]): void {
    for (const value of values) set(GPIO_MSG.SET_VALUE, 0, value);
  }

  beforeEach(() => set(GPIO_MSG.SET_DIRECTION, 0, OUT));

  it.each([
    ['rising', GPIO_IRQ_TYPE.EDGE_RISING, [VALID], []],
    ['falling', GPIO_IRQ_TYPE.EDGE_FALLING, [], [VALID]],
    ['both', GPIO_IRQ_TYPE.EDGE_BOTH, [VALID], [VALID]],
  ])('fires at %s edges and no others', (_, type, atRise, atFall) => {
    listen(type);
    expect(unmask(1)).toEqual([]);
    drive(1);
    expect(events()).toEqual(atRise);
    if (atRise.length > 0) unmask(1);
    drive(0);
    expect(events()).toEqual(atFall);
  });

  it('latches one edge while masked, and delivers it once', () => {
    listen(GPIO_IRQ_TYPE.EDGE_RISING);
    drive(1, 0, 1, 0);
    expect(events()).toEqual([]);
    expect(unmask(1)).toEqual([VALID]);
    expect(unmask(1)).toEqual([]);
  });

  it('does not latch a level, but looks at it when unmasked', () => {
    listen(GPIO_IRQ_TYPE.LEVEL_HIGH);
    drive(1, 0);
    expect(unmask(1)).toEqual([]);
    drive(1);
    expect(events()).toEqual([VALID]);
    // Still active: it fires again as soon as it is unmasked.
    expect(unmask(1)).toEqual([VALID]);
    drive(0);
    expect(unmask(1)).toEqual([]);
  });

  it('fires at a low level', () => {
    listen(GPIO_IRQ_TYPE.LEVEL_LOW);
    expect(unmask(1)).toEqual([VALID]);
    drive(1);
    expect(unmask(1)).toEqual([]);
    drive(0);
    expect(events()).toEqual([VALID]);
  });

  it('gives the pair back as invalid when the interrupt is disabled, and forgets the edge', () => {
    listen(GPIO_IRQ_TYPE.EDGE_RISING);
    unmask(1);
    set(GPIO_MSG.SET_IRQ_TYPE, 1, GPIO_IRQ_TYPE.NONE);
    expect(events()).toEqual([INVALID]);
    listen(GPIO_IRQ_TYPE.EDGE_RISING);
    drive(1);
    set(GPIO_MSG.SET_IRQ_TYPE, 1, GPIO_IRQ_TYPE.NONE);
    listen(GPIO_IRQ_TYPE.EDGE_RISING);
    expect(unmask(1)).toEqual([]);
  });

  it('gives the pair back as invalid when the line is given up or was never enabled', () => {
    expect(unmask(4)).toEqual([INVALID]);
    listen(GPIO_IRQ_TYPE.EDGE_BOTH);
    unmask(1);
    set(GPIO_MSG.SET_DIRECTION, 1, NONE);
    expect(events()).toEqual([INVALID]);
    expect(dut.violations).toEqual([]);
  });

  it('counts every edge of a signal while somebody listens, and rests otherwise', () => {
    listen(GPIO_IRQ_TYPE.EDGE_BOTH, 5);
    let heard = unmask(5).length;
    for (let i = 0; i < 40; i++) {
      if (heard > i) heard += unmask(5).length;
      heard += events(50 * PS_PER_US).length;
    }
    expect(heard).toBeGreaterThan(15);
    set(GPIO_MSG.SET_IRQ_TYPE, 5, GPIO_IRQ_TYPE.NONE);
    dut.run(PS_PER_MS);
    expect(dut.kernel.nextTime()).toBe(Infinity);
  });

  it('forgets lines, types and pairs at a reset', () => {
    listen(GPIO_IRQ_TYPE.EDGE_RISING);
    unmask(1);
    dut.device.setStatus(0);
    dut.start();
    seen = dut.returned.filter(({ queue }) => queue === EVENT_QUEUE).length;
    expect(ask(GPIO_MSG.GET_DIRECTION, 0)).toEqual([OK, NONE]);
    expect(unmask(1)).toEqual([INVALID]);
  });
});

describe('hostile requests', () => {
  it.each([
    ['an unknown type', 7, 0, 0],
    ['a type of 0', 0, 0, 0],
    ['a line that is not there', GPIO_MSG.GET_VALUE, 8, 0],
    ['a value that is no level', GPIO_MSG.SET_VALUE, 0, 2],
    ['a direction that is none', GPIO_MSG.SET_DIRECTION, 0, 3],
    ['an interrupt type that is none', GPIO_MSG.SET_IRQ_TYPE, 1, 5],
    ['an interrupt type out of range', GPIO_MSG.SET_IRQ_TYPE, 1, 0xffff_ffff],
  ])('%s is answered with an error', (_, type, gpio, value) => {
    expect(ask(type, gpio, value)).toEqual([ERR, 0]);
    expect(dut.violations).toEqual([]);
  });

  it('an interrupt for an output, or a second type, is an error and a violation', () => {
    set(GPIO_MSG.SET_DIRECTION, 2, OUT);
    expect(ask(GPIO_MSG.SET_IRQ_TYPE, 2, GPIO_IRQ_TYPE.EDGE_BOTH)[0]).toBe(ERR);
    set(GPIO_MSG.SET_IRQ_TYPE, 3, GPIO_IRQ_TYPE.EDGE_BOTH);
    expect(ask(GPIO_MSG.SET_IRQ_TYPE, 3, GPIO_IRQ_TYPE.EDGE_RISING)[0]).toBe(ERR);
    expect(dut.violations).toEqual(['BAD_REQUEST', 'BAD_REQUEST']);
  });

  it.each([
    ['a short request', [[1, 0, 0]], [2], 2],
    ['no request at all', [], [2], 2],
    ['a response of one byte', [message(GPIO_MSG.GET_VALUE, 0, 0)], [1], 1],
    ['no response', [message(GPIO_MSG.GET_VALUE, 0, 0)], [], 0],
  ])('%s is a violation, and the device goes on', (_, readable, writable, written) => {
    const [answer] = dut.request(REQUEST_QUEUE, readable, writable);
    expect(answer.written).toBe(written);
    if (written > 0) expect(answer.bytes[0]).toBe(ERR);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(ask(GPIO_MSG.GET_VALUE, 0)).toEqual([OK, 0]);
  });

  it('names do not fit a buffer that is too small', () => {
    const request = [message(GPIO_MSG.GET_LINE_NAMES, 0, 0)];
    const [{ bytes, written }] = dut.request(REQUEST_QUEUE, request, [8]);
    expect([written, bytes[0]]).toEqual([1, ERR]);
  });

  it('a second pair for a line and pairs for no line come back at once', () => {
    set(GPIO_MSG.SET_IRQ_TYPE, 1, GPIO_IRQ_TYPE.EDGE_BOTH);
    unmask(1);
    expect(unmask(1)).toEqual([INVALID]);
    expect(unmask(200)).toEqual([INVALID]);
    dut.send(EVENT_QUEUE, [[1]], [1]);
    dut.send(EVENT_QUEUE, [le([1, 2])], []);
    dut.device.available(EVENT_QUEUE, 0);
    dut.run();
    expect(dut.violations).toEqual(new Array(4).fill('BAD_REQUEST'));
  });

  it('interrupts without the feature for them are refused', () => {
    dut = new DeviceBench('gpio', { options: OPTIONS, features: 0n });
    dut.start();
    expect(dut.device.features & GPIO_F.IRQ).toBe(GPIO_F.IRQ);
    expect(ask(GPIO_MSG.SET_IRQ_TYPE, 1, GPIO_IRQ_TYPE.EDGE_BOTH)).toEqual([ERR, 0]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('a pair that may not be written makes the device ask for a reset', () => {
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      write && length === 1 ? 'read-only' : null;
    dut = new DeviceBench('gpio', { options: OPTIONS, refuse });
    dut.start();
    expect(unmask(1)).toEqual([]);
    expect(dut.device.status & STATUS.DEVICE_NEEDS_RESET).not.toBe(0);
  });
});

describe('options', () => {
  const load = (more: object) =>
    topologyOf({ devices: { gpio0: { type: 'gpio', bus: 'ffa0', number: 0, ...more } } });

  it.each([
    ['names twice', { names: ['a', 'a'] }],
    ['more names than lines', { lines: 1, names: ['a', 'b'] }],
    ['a wire to no line', { lines: 2, loop: [[0, 2]] }],
    ['a line wired twice', { loop: [[0, 1]], stimulus: [{ line: 1, period: '1ms' }] }],
    ['a line wired to itself', { loop: [[3, 3]] }],
    ['a name with a control character', { names: ['a\nb'] }],
  ])('%s is refused by the loader', (_, more) => {
    expect(() => load(more)).toThrow(ScenarioError);
  });

  it('names survive their encoding', () => {
    const names = ['MMC-CD', '', 'Red LED Vdd'];
    expect(decodeLineNames(encodeLineNames(names, 3), 3)).toEqual(names);
    expect(decodeLineNames(Uint8Array.of(65, 0, 66), 2)).toBeNull();
    expect(decodeLineNames(Uint8Array.of(65, 0), 2)).toBeNull();
  });
});
