// The rules that bind a bus, kept by those that move messages over rings: what they carry, in which order,
// how devices are found, and what becomes of what cannot be delivered.
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { AssertionError } from '../../platform/errors.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import { writeEventUsed } from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { DriverRecorder } from '../support/bus-recorders.ts';
import { codesOf, frame, getStatus, sendEverything } from '../support/frames.ts';
import { LINK_BUSES, makeLinkEnds } from '../support/link-ends.ts';
import { linkTopology } from '../support/link-scenarios.ts';

const MILLISECOND = 1_000_000_000;

/** The message at the start of a line of hexadecimal, and what is behind it. */
function split(hex: string): { readonly message: string; readonly padding: string } {
  const size = Number.parseInt(hex.slice(14, 16) + hex.slice(12, 14), 16);
  return { message: hex.slice(0, 2 * size), padding: hex.slice(2 * size) };
}

const messages = (log: readonly string[]) => log.map((hex) => split(hex).message);

const cases = LINK_BUSES.flatMap((type) => REVISIONS.map((name) => ({ type, name })));

describe.each(cases)('the $type bus in $name', ({ type, name }) => {
  const bus = { revision: name };

  /** Both ends with their link up and all devices found. */
  function running(numbers: readonly number[], more: object = {}) {
    const ends = makeLinkEnds({ type, bus: { ...bus, ...more } }, numbers);
    ends.driverEnd.start();
    ends.kernel.runUntil(30 * MILLISECOND);
    for (const { log, times } of ends.drivers) {
      expect(log).toEqual(['online']);
      log.length = times.length = 0;
    }
    const run = () => ends.kernel.runUntil(ends.kernel.now + 20 * MILLISECOND);
    return { ...ends, run };
  }

  it('PAR-1 MUST: revision and maximum message size are known before the first message', () => {
    const { kernel, driverEnd, deviceEnd } = makeLinkEnds({ type, bus }, [0]);
    expect([driverEnd.revision, deviceEnd.revision]).toEqual([name, name]);
    expect(driverEnd.maxMessageSize).toBe(deviceEnd.maxMessageSize);
    expect(kernel.events).toBe(0);
  });

  it('PAR-4 MUST: the largest message passes in both directions', () => {
    const { driverEnd, deviceEnd, drivers, devices, run } = running([0]);
    const full = new Uint8Array(driverEnd.maxMessageSize - 8).fill(0x5a);
    const request = frame(0x05, 0, 1, full);
    const response = request.slice();
    response[0] = 1;
    devices[0].answer = () => deviceEnd.send(response, response.length);
    driverEnd.send(request, request.length);
    run();
    expect(messages(devices[0].log)).toEqual([toHex(request)]);
    expect(messages(drivers[0].log)).toEqual([toHex(response)]);
  });

  it('PAR-6 MUST: a maximum that cannot carry the messages of the revision is refused', () => {
    const least = name === 'v2' ? 52 : 48;
    const load = (size: number) =>
      linkTopology({ type, bus: { ...bus, maxMessageSize: `${size}B` } });
    // A bridge demands more than any revision does.
    const [below, enough] = type === 'loopback' ? [71, 72] : [least - 4, least];
    expect(codesOf(() => load(below))).not.toEqual([]);
    expect(codesOf(() => load(enough))).toEqual([]);
  });

  it('FWD-1, TOK-6 MUST: every transport message reaches the device it names, as it was sent', () => {
    const numbers = [0, 3, 700];
    const { driverEnd, drivers, devices, run } = running(numbers);
    const random = randomStream(1, `frames of ${type} in ${name}`);
    const { sent, answered } = sendEverything(driverEnd, numbers, { random, sizeMax: 55 });
    // A full queue is looked at again every 10 ms on some buses.
    for (let i = 0; i < 10; i++) run();
    expect(devices.map(({ log }) => messages(log))).toEqual(sent);
    expect(drivers.map(({ log }) => messages(log))).toEqual(answered);
  });

  it('HDR-7 MUST: what a slot has room for beyond the message is zero', () => {
    const { driverEnd, devices, run } = running([0]);
    for (const length of [50, 3, 17]) {
      const bytes = frame(0x06, 0, 1, new Uint8Array(length).fill(0xff));
      driverEnd.send(bytes, bytes.length);
      run();
    }
    for (const hex of devices[0].log) expect(split(hex).padding).toMatch(/^(?:00)*$/);
    expect(devices[0].log).toHaveLength(3);
  });

  it('HDR-5 MUST NOT: the device number is not changed on the way', () => {
    const { driverEnd, devices, run } = running([65535]);
    driverEnd.send(getStatus(65535, 1), 8);
    run();
    expect(devices[0].log[0].slice(4, 8)).toBe('ffff');
  });

  it('ERR-4 MUST NOT: an id that no revision has is not judged by the bus', () => {
    const { driverEnd, devices, deviceNode, driverNode, run } = running([0]);
    for (const id of [0x00, 0x01, 0x0d, 0x3f, 0x7f]) {
      driverEnd.send(frame(id, 0, 1, new Uint8Array(0)), 8);
    }
    run();
    expect(devices[0].log.map((hex) => hex.slice(2, 4))).toEqual(['00', '01', '0d', '3f', '7f']);
    expect([deviceNode.violations.count, driverNode.violations.count]).toEqual([0, 0]);
  });

  it('ORD-1, ORD-2, ORD-3, ORD-4 MUST: each request gets one answer, in the order of asking', () => {
    const { driverEnd, drivers, devices, run } = running([0, 1]);
    for (let token = 1; token <= 20; token++) driverEnd.send(getStatus(token % 2, token), 8);
    run();
    const tokens = (lines: string[]) => lines.map((hex) => Number.parseInt(hex.slice(8, 10), 16));
    const even = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20];
    const odd = even.map((token) => token - 1);
    expect(devices.map(({ log }) => tokens(log))).toEqual([even, odd]);
    expect(drivers.map(({ log }) => tokens(log))).toEqual([even, odd]);
  });

  it('ORD-5 MUST NOT: an event does not wait for the response of a request under way', () => {
    const { driverEnd, deviceEnd, drivers, devices, run } = running([0]);
    devices[0].answer = () => {};
    driverEnd.send(getStatus(0, 1), 8);
    run();
    const event = new Uint8Array(12);
    deviceEnd.send(event, writeEventUsed(event, 0, 0, 3));
    run();
    expect(messages(drivers[0].log)).toEqual([toHex(event)]);
  });

  it('FWD-3, FWD-4, ERR-2 MUST: a request for a number without device fails, and once', () => {
    const { driverEnd, devices, run } = running([0]);
    const stranger = new DriverRecorder(() => 0);
    driverEnd.attach(9, stranger);
    driverEnd.send(getStatus(9, 77), 8);
    run();
    expect([stranger.log, devices[0].log]).toEqual([['undeliverable 77'], []]);
  });

  it('NUM-1 MUST: a number is given once', () => {
    const { driverEnd, deviceEnd } = makeLinkEnds({ type, bus }, [0]);
    const client = new DriverRecorder(() => 0);
    expect(() => driverEnd.attach(0, client)).toThrow(AssertionError);
    expect(() => deviceEnd.attach(0, { message: () => true, reset: () => {} })).toThrow(
      AssertionError,
    );
  });

  it('NUM-3, NUM-4 MUST: the driver learns of every number, and of no other', () => {
    const numbers = [65535, 0, 7, 8, 255, 256, 40_000];
    const { kernel, driverEnd, drivers } = makeLinkEnds({ type, bus }, numbers);
    const stranger = new DriverRecorder(() => kernel.now);
    driverEnd.attach(9, stranger);
    driverEnd.start();
    kernel.runUntil(100 * MILLISECOND);
    expect(drivers.map(({ log }) => log)).toEqual(numbers.map(() => ['online']));
    expect(stranger.log).toEqual(['offline: bus0 has no device number 9']);
  });

  it('NUM-7, BUS-6 MUST: a device that goes or comes is told of once, and is online or not', () => {
    const { driverEnd, deviceEnd, drivers, devices, run } = running([0, 4]);
    deviceEnd.setPresent(4, false);
    deviceEnd.setPresent(4, false);
    run();
    expect(drivers.map(({ log }) => log)).toEqual([[], ['offline: the device was removed']]);
    expect(devices[1].log).toEqual(['reset']);
    driverEnd.send(getStatus(4, 9), 8);
    deviceEnd.setPresent(4, true);
    run();
    expect(drivers[1].log.slice(1)).toEqual(['undeliverable 9', 'online']);
    driverEnd.send(getStatus(4, 10), 8);
    run();
    expect(messages(devices[1].log.slice(1))).toEqual([toHex(getStatus(4, 10))]);
    expect(deviceEnd.statistics()).toMatchObject({ EVENT_DEVICE: 2 });
  });

  it('BUS-5 MUST: a PING is answered with its data by either end', () => {
    const { driverEnd, deviceEnd, run } = running([0], { pingInterval: '10ms' });
    const before = driverEnd.statistics()['PING'];
    run();
    expect(driverEnd.statistics()['PING']).toBeGreaterThan(before);
    // Each PING of the driver's end was answered: nobody was ever taken for dead.
    expect(deviceEnd.statistics()['PING']).toBe(driverEnd.statistics()['PING']);
    expect(driverEnd.statistics()).toMatchObject({ silences: 0 });
    const own = Uint8Array.from([2, 3, 0, 0, 7, 0, 12, 0, 0xef, 0xbe, 0xad, 0xde]);
    const pings = driverEnd.statistics()['PING'];
    deviceEnd.send(own, own.length);
    run();
    expect(driverEnd.statistics()['PING']).toBeGreaterThan(pings);
  });

  it('ERR-3 SHOULD: what makes no sense is dropped without an answer', () => {
    const { driverEnd, deviceEnd, drivers, devices, deviceNode, driverNode, run } = running([0]);
    const nonsense = [
      // A size beyond the slot, an unknown bus message, GET_DEVICES that is too short.
      Uint8Array.from([2, 2, 0, 0, 1, 0, 255, 255]),
      Uint8Array.from([2, 0x33, 0, 0, 1, 0, 8, 0]),
      Uint8Array.from([2, 2, 0, 0, 1, 0, 8, 0]),
    ];
    for (const bytes of nonsense) {
      driverEnd.send(bytes, bytes.length);
      deviceEnd.send(bytes, bytes.length);
    }
    run();
    const codes = (count: number) => Array(count).fill('MALFORMED_MESSAGE');
    // Both ends of a loopback bus are on one node.
    const found = [...new Set([deviceNode, driverNode])].flatMap(({ violations }) =>
      violations.described.map(({ code }) => code),
    );
    expect(found).toEqual(codes(6));
    expect([drivers[0].log, devices[0].log]).toEqual([[], []]);
  });
});
