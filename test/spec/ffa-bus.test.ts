// The rules that bind a bus, kept by both ends of FF-A: what it carries, in which order, what becomes of
// what it cannot deliver.
import { describe, expect, it } from 'vitest';
import { EventMethod } from '../../buses/ffa/messages.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { AssertionError } from '../../platform/errors.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import {
  brokenRules,
  revision,
  writeEventAvail,
  writeEventUsed,
} from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { DriverRecorder } from '../support/bus-recorders.ts';
import {
  ffaBytes,
  ffaCodec,
  ffaEnds,
  scriptedCaller,
  scriptedPartition,
} from '../support/ffa-peers.ts';
import { codesOf, frame, getStatus, sendEverything } from '../support/frames.ts';
import { Rig } from '../support/rig.ts';
import { memoryDisk, topologyOf } from '../support/scenarios.ts';

/** Long enough for a session and some hundred calls. */
const MILLISECOND = 1_000_000_000;

describe.each(REVISIONS)('the FF-A bus in %s', (name) => {
  const bus = { revision: name };

  /** Both ends with their session up. */
  function running(numbers: readonly number[], more: object = {}) {
    const ends = ffaEnds({ bus: { ...bus, ...more } }, numbers);
    ends.driverEnd.start();
    ends.kernel.runUntil(MILLISECOND);
    for (const { log, times } of ends.drivers) {
      expect(log).toEqual(['online']);
      log.length = times.length = 0;
    }
    // RESET is the first thing that a session does.
    for (const { log } of ends.devices) expect(log.splice(0)).toEqual(['reset']);
    return ends;
  }

  it('PAR-1 MUST: revision and maximum message size are known before the first message', () => {
    const { kernel, driverEnd, deviceEnd } = ffaEnds({ bus: { ...bus, maxMessageSize: '96B' } });
    expect([driverEnd.revision, driverEnd.maxMessageSize]).toEqual([name, 96]);
    expect([deviceEnd.revision, deviceEnd.maxMessageSize]).toEqual([name, 96]);
    expect(kernel.events).toBe(0);
  });

  it('PAR-4 MUST: the largest message passes in both directions', () => {
    const { kernel, driverEnd, deviceEnd, drivers, devices } = running([0]);
    expect(deviceEnd.maxMessageSize).toBe(driverEnd.maxMessageSize);
    const full = new Uint8Array(driverEnd.maxMessageSize - 8).fill(0x5a);
    const request = frame(0x05, 0, 1, full);
    const response = frame(0x05, 0, 1, full);
    response[0] = 1;
    devices[0].answer = () => deviceEnd.send(response, response.length);
    driverEnd.send(request, request.length);
    kernel.runUntil(2 * MILLISECOND);
    expect([devices[0].log, drivers[0].log]).toEqual([[toHex(request)], [toHex(response)]]);
  });

  it('PAR-6 MUST: a maximum that cannot carry the messages of the revision is refused', () => {
    const least = name === 'v2' ? 52 : 48;
    const load = (size: number) => topologyOf({ bus: { ...bus, maxMessageSize: `${size}B` } });
    expect(codesOf(() => load(least - 1))).toEqual(['REFUSED']);
    expect(codesOf(() => load(least))).toEqual([]);
  });

  it('PAR-7 SHOULD NOT: no maximum above 264 bytes can be asked for', () => {
    expect(codesOf(() => topologyOf({ bus: { ...bus, maxMessageSize: '265B' } }))).toEqual([
      'OUT_OF_RANGE',
    ]);
  });

  it('FWD-1, TOK-6 MUST: every transport message reaches the device it names, as it was sent', () => {
    const numbers = [0, 3, 700];
    const { kernel, driverEnd, drivers, devices } = running(numbers);
    const random = randomStream(1, `frames of ${name}`);
    const { sent, answered } = sendEverything(driverEnd, numbers, { random, sizeMax: 89 });
    kernel.runUntil(10 * MILLISECOND);
    expect(devices.map(({ log }) => log)).toEqual(sent);
    expect(drivers.map(({ log }) => log)).toEqual(answered);
  });

  it('FWD-2 SHOULD: the bytes of a payload stay, whatever they are', () => {
    const { kernel, driverEnd, devices } = running([1]);
    const bytes = frame(0x06, 1, 7, new Uint8Array(40).fill(0xff));
    driverEnd.send(bytes, bytes.length);
    kernel.runUntil(2 * MILLISECOND);
    expect(devices[0].log).toEqual([toHex(bytes)]);
  });

  it('HDR-5 MUST NOT: the device number is not changed on the way', () => {
    const { kernel, driverEnd, devices } = running([65535]);
    const bytes = getStatus(65535, 1);
    driverEnd.send(bytes, bytes.length);
    kernel.runUntil(2 * MILLISECOND);
    expect(devices[0].log[0].slice(4, 8)).toBe('ffff');
  });

  it('ERR-4 MUST NOT: an id that no revision has is not judged by the bus', () => {
    const { kernel, driverEnd, devices, storage, linux } = running([0]);
    for (const id of [0x00, 0x01, 0x0d, 0x3f, 0x7f]) {
      const bytes = frame(id, 0, 1, new Uint8Array(0));
      driverEnd.send(bytes, bytes.length);
    }
    kernel.runUntil(2 * MILLISECOND);
    expect(devices[0].log.map((hex) => hex.slice(2, 4))).toEqual(['00', '01', '0d', '3f', '7f']);
    expect([storage.violations.count, linux.violations.count]).toEqual([0, 0]);
  });

  it('ORD-1, ORD-2, ORD-3, ORD-4 MUST: each request gets one answer, in the order of asking', () => {
    const { kernel, driverEnd, drivers, devices } = running([0, 1]);
    for (let token = 1; token <= 20; token++) {
      const bytes = getStatus(token % 2, token);
      driverEnd.send(bytes, bytes.length);
    }
    kernel.runUntil(2 * MILLISECOND);
    const tokens = (lines: string[]) => lines.map((hex) => Number.parseInt(hex.slice(8, 10), 16));
    const even = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20];
    const odd = even.map((token) => token - 1);
    expect(devices.map(({ log }) => tokens(log))).toEqual([even, odd]);
    expect(drivers.map(({ log }) => tokens(log))).toEqual([even, odd]);
  });

  it('ORD-5 MUST NOT: an event does not wait for the response of a request under way', () => {
    const { kernel, driverEnd, deviceEnd, drivers, devices } = running([0]);
    devices[0].answer = () => {};
    driverEnd.send(getStatus(0, 1), 8);
    kernel.runUntil(2 * MILLISECOND);
    const event = new Uint8Array(12);
    deviceEnd.send(event, writeEventUsed(event, 0, 0, 3));
    kernel.runUntil(3 * MILLISECOND);
    // The driver has been interrupted while the call is still open.
    expect(driverEnd.statistics()).toMatchObject({ interrupts: 1 });
    expect(drivers[0].log).toEqual([]);
    const response = frame(0x07, 0, 1, new Uint8Array(0));
    response[0] = 1;
    deviceEnd.send(response, 8);
    kernel.runUntil(4 * MILLISECOND);
    expect(drivers[0].log).toEqual([toHex(response), toHex(event)]);
  });

  it('FWD-3, FWD-4, ERR-2 MUST: a request for a number without device fails, and once', () => {
    const { kernel, driverEnd, devices, storage } = running([0]);
    const stranger = new DriverRecorder(() => kernel.now);
    driverEnd.attach(9, stranger);
    driverEnd.send(getStatus(9, 77), 8);
    kernel.runUntil(2 * MILLISECOND);
    expect(stranger.log).toEqual(['undeliverable 77']);
    expect(devices[0].log).toEqual([]);
    expect(storage.violations.described.map(({ code }) => code)).toEqual(['UNKNOWN_DEVICE']);
  });

  it('ERR-1 MAY: what the device side discards becomes a failure that the transport sees', () => {
    const { kernel, driverEnd, drivers, devices } = running([0]);
    devices[0].accepts = false;
    driverEnd.send(getStatus(0, 5), 8);
    kernel.runUntil(2 * MILLISECOND);
    expect(drivers[0].log).toEqual(['undeliverable 5']);
  });

  it('ERR-5 MUST NOT: an event is acknowledged whatever becomes of it', () => {
    const { caller, ask, agree } = scriptedCaller({ bus });
    const event = new Uint8Array(16);
    writeEventAvail(event, 0, 9, 0, 0);
    const type = (bytes: Uint8Array) => {
      const answer = caller.call(bytes)!;
      return ffaCodec(name).decode(answer, answer.length).type;
    };
    // Before VERSION is agreed, for a device that is there.
    expect(type(event)).toBe('res.EVENT_ACK');
    agree();
    expect(type(event)).toBe('res.EVENT_ACK');
    const stranger = event.slice();
    stranger[2] = 44;
    expect(type(stranger)).toBe('res.EVENT_ACK');
    const cut = event.slice();
    cut[6] = 99;
    expect(type(cut)).toBe('res.EVENT_ACK');
    // A bus event that goes the other way, and one that is too short.
    const device = { type: 'req.EVENT_DEVICE', dev: 0, token: 1, body: { number: 0, state: 1 } };
    expect(ask(device).type).toBe('res.EVENT_ACK');
    const short = ffaBytes(device, name).slice(0, 8);
    short[6] = 8;
    expect(type(short)).toBe('res.EVENT_ACK');
  });

  it('NUM-1 MUST: a number is given once', () => {
    const { driverEnd, deviceEnd } = ffaEnds({ bus });
    const client = new DriverRecorder(() => 0);
    expect(() => driverEnd.attach(0, client)).toThrow(AssertionError);
    expect(() => deviceEnd.attach(0, { message: () => true, reset: () => {} })).toThrow(
      AssertionError,
    );
    const devices = { a: memoryDisk(4), b: memoryDisk(4) };
    expect(codesOf(() => topologyOf({ bus, devices }))).toEqual(['DUPLICATE_NUMBER']);
  });

  it('NUM-3, NUM-4 MUST: the driver learns of every number, and of no other', () => {
    const numbers = [65535, 0, 7, 8, 255, 256, 40_000];
    const { kernel, driverEnd, drivers } = ffaEnds({ bus }, numbers);
    const stranger = new DriverRecorder(() => kernel.now);
    driverEnd.attach(9, stranger);
    driverEnd.start();
    kernel.runUntil(10 * MILLISECOND);
    expect(drivers.map(({ log }) => log)).toEqual(numbers.map(() => ['online']));
    expect(stranger.log).toEqual(['offline: ffa0 has no device number 9']);
  });

  it('BUS-1 MUST: windows are multiples of 8, in v2 any, none included', () => {
    const { ask, agree, caller } = scriptedCaller({ bus }, [0, 9, 20]);
    agree();
    const request = (offset: number, count: number) => {
      const bytes = Uint8Array.from([2, 2, 0, 0, 1, 0, 12, 0, offset, 0, count, 0]);
      const answer = caller.call(bytes)!;
      return ffaCodec(name).decode(answer, answer.length);
    };
    if (name !== 'v2') {
      expect(request(4, 8).type).toBe('res.ERROR');
      expect(request(0, 12).type).toBe('res.ERROR');
    } else {
      const odd = request(9, 3).body as { offset: number; count: number; bitmap: Uint8Array };
      expect([odd.offset, odd.count, toHex(odd.bitmap)]).toEqual([9, 3, '01']);
      expect(request(9, 0).body).toMatchObject({ offset: 9, count: 0, nextOffset: 20 });
    }
    const body = { offset: 8, count: 16 };
    const answer = ask({ type: 'req.GET_DEVICES', dev: 0, token: 1, body });
    expect(answer.body).toMatchObject({ offset: 8, count: 16, nextOffset: 0 });
  });

  it('BUS-2, BUS-3 MUST: the bitmap starts at its lowest bit, next_offset leads on or ends', () => {
    const { ask, agree } = scriptedCaller({ bus }, [0, 2, 5, 21, 900]);
    agree();
    const window = (offset: number) =>
      ask({ type: 'req.GET_DEVICES', dev: 0, token: 1, body: { offset, count: 16 } }).body as {
        readonly bitmap: Uint8Array;
        readonly nextOffset: number;
      };
    expect(toHex(window(0).bitmap)).toBe('2500');
    expect(toHex(window(16).bitmap)).toBe('2000');
    const visited: number[] = [];
    for (let offset = 0; visited.length < 10; ) {
      visited.push(offset);
      offset = window(offset).nextOffset;
      if (offset === 0) break;
    }
    // Before v2, offsets are multiples of 8.
    expect(visited).toEqual(name === 'v2' ? [0, 21, 900] : [0, 16, 896]);
  });

  it('BUS-4 MUST NOT: an answer has no more slots than were asked for or fit', () => {
    const { ask, agree } = scriptedCaller({ bus: { ...bus, maxMessageSize: '52B' } });
    agree();
    const count = (asked: number) =>
      (
        ask({ type: 'req.GET_DEVICES', dev: 0, token: 1, body: { offset: 0, count: asked } })
          .body as { count: number }
      ).count;
    expect([count(8), count(304), count(312)]).toEqual([8, 304, 304]);
  });

  it('BUS-5 MUST: the response to PING repeats the data', () => {
    const { ask, agree } = scriptedCaller({ bus });
    agree();
    const body = { data: 0xdeadbeef };
    expect(ask({ type: 'req.PING', dev: 0, token: 0x1234, body })).toEqual({
      type: 'res.PING',
      dev: 0,
      token: 0x1234,
      body,
    });
  });

  it('FWD-5, HDR-3 MUST: devices are enumerated by the standard message, with dev_num 0', () => {
    const rig = new Rig({ bus, devices: { a: memoryDisk(3), b: memoryDisk(600) } });
    rig.runUntil(MILLISECOND);
    const asked = rig.messages.filter(({ message }) => message.type === 'req.GET_DEVICES');
    const windows = asked.map(({ bytes, message: { body } }) => [toHex(bytes, 0, 4), body]);
    expect(windows).toEqual([
      ['02020000', { offset: 0, count: 256 }],
      // To the next device at once: 600 is a multiple of 8, as rfc3 and v1 ask.
      ['02020000', { offset: 600, count: 256 }],
    ]);
  });

  it('TOK-2 MUST: an event with a token is reported where rfc3 is spoken', () => {
    const { kernel, linux, deviceEnd } = running([0], { quirks: ['eventTokens'] });
    const event = new Uint8Array(12);
    for (const queue of [0, 1]) deviceEnd.send(event, writeEventUsed(event, 0, 0, queue));
    kernel.runUntil(3 * MILLISECOND);
    const texts = linux.violations.described.map(({ text }) => text);
    const told = ['ffa0: an event with the token 1', 'ffa0: an event with the token 2'];
    expect(texts).toEqual(name === 'rfc3' ? told : []);
  });

  it('HDR-7, HDR-8, PAR-2 MUST: no message of a whole session breaks a rule of form', () => {
    const workloads = [{ type: 'fio', device: 'disk0', rw: 'randrw', depth: 4, operations: 20 }];
    const rig = new Rig({ bus, workloads });
    expect(rig.run()).toBe('done');
    const options = { busMax: 104, codec: ffaCodec(name) };
    // Not the acknowledgement of an event, which repeats its token: that is 0 in rfc3.
    const sent = rig.messages.filter(({ message }) => message.type !== 'res.EVENT_ACK');
    const broken = sent.flatMap(({ bytes, message }) =>
      brokenRules(revision(name), bytes, bytes.length, options).map(
        ({ rule }) => `${message.type} ${rule}`,
      ),
    );
    expect(broken).toEqual([]);
    expect(rig.messages.length).toBeGreaterThan(60);
  });

  it.each(['notification', 'poll'])(
    'NTF-4, NTF-9 MUST: with events by %s each event is seen, and once',
    (events) => {
      const { kernel, deviceEnd, drivers } = running([0, 1], { events, pollInterval: '100us' });
      const sent: string[] = [];
      for (let queue = 0; queue < 5; queue++) {
        const bytes = new Uint8Array(12);
        deviceEnd.send(bytes, writeEventUsed(bytes, queue % 2, 0, queue));
        sent.push(toHex(bytes));
      }
      const body = { status: 15, generation: 3, offset: 0, length: 0, data: new Uint8Array(0) };
      const config = ffaBytes({ type: 'req.EVENT_CONFIG', dev: 1, token: 0, body }, name);
      deviceEnd.send(config, config.length);
      kernel.runUntil(3 * MILLISECOND);
      expect(drivers.map(({ log }) => log)).toEqual([
        [sent[0], sent[2], sent[4]],
        [sent[1], sent[3], toHex(config)],
      ]);
    },
  );

  it('NTF-3 MUST: EVENT_AVAIL is relayed in band and never dropped', () => {
    const { kernel, driverEnd, devices } = running([0]);
    const sent: string[] = [];
    for (let i = 0; i < 40; i++) {
      const bytes = new Uint8Array(16);
      driverEnd.send(bytes, writeEventAvail(bytes, 0, 0, 0, 0));
      sent.push(toHex(bytes));
    }
    kernel.runUntil(3 * MILLISECOND);
    expect(devices[0].log).toEqual(sent);
  });

  it('NTF-8 MUST: the data of EVENT_AVAIL arrives, so NOTIFICATION_DATA may be agreed', () => {
    const { kernel, driverEnd, devices } = running([0]);
    const bytes = new Uint8Array(16);
    driverEnd.send(bytes, writeEventAvail(bytes, 0, 0, 2, 0x8000_1234));
    kernel.runUntil(2 * MILLISECOND);
    expect(devices[0].log[0].slice(16)).toBe('02000000' + '34120080');
  });

  it('NTF-10 MUST: a notification without an event is only a look in vain', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({ bus });
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    const before = partition.requests.length;
    partition.notify();
    kernel.runUntil(2 * MILLISECOND);
    expect(partition.requests.slice(before)).toEqual(['req.EVENT_POLL']);
    expect(drivers[0].log).toEqual(['online']);
  });

  it('NTF-11 MUST: polling that finds nothing makes no event up', () => {
    const { kernel, driverEnd, drivers } = running([0], { events: 'poll', pollInterval: '10us' });
    kernel.runUntil(2 * MILLISECOND);
    const polls = driverEnd.statistics()['EVENT_POLL'];
    expect(polls).toBeGreaterThan(50);
    expect(drivers[0].log).toEqual([]);
  });

  it('NTF-12 MUST: a poll that stays lost is repeated twice, then the device is away', () => {
    const { kernel, driverEnd, drivers } = scriptedPartition({
      bus: { ...bus, reconnect: false, events: 'poll', pollInterval: '200us' },
      timing: { 'ffa.requestTimeout': '100us' },
      faults: [{ on: 'ffa0', drop: 'EVENT_POLL', at: '100us', count: 'always' }],
    });
    driverEnd.start();
    kernel.runUntil(3 * MILLISECOND);
    expect(driverEnd.statistics()['faultsInjected']).toBe(3);
    expect(drivers[0].log).toEqual(['online', 'offline: the bus ffa0 failed during operation']);
  });

  it('NTF-5 SHOULD: the partition is not polled unless the scenario asks for it', () => {
    const { driverEnd } = running([0]);
    expect(driverEnd.statistics()['EVENT_POLL']).toBe(1);
    const {
      partition,
      kernel,
      driverEnd: polling,
    } = scriptedPartition({
      bus: { ...bus, events: 'poll' },
    });
    polling.start();
    kernel.runUntil(MILLISECOND);
    const index = partition.requests.indexOf('req.EVENT_CONFIGURE');
    expect(partition.frames[index][8]).toBe(EventMethod.POLL);
  });

  it('BUS-6, NUM-6 MUST: READY and REMOVED reach the driver, repeated and in any order', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({ bus }, [0, 1]);
    const events = [
      [7, 1],
      [0, 2],
      [0, 2],
      [1, 1],
      [0, 1],
      [0, 1],
      [1, 2],
    ];
    let next = -1;
    partition.script = ({ type }) => {
      if (type !== 'req.EVENT_POLL' || next < 0 || next >= events.length) return undefined;
      const [number, state] = events[next++];
      return ffaBytes(
        { type: 'req.EVENT_DEVICE', dev: 0, token: 0, body: { number, state } },
        name,
      );
    };
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    next = 0;
    partition.notify();
    kernel.runUntil(3 * MILLISECOND);
    expect(next).toBe(events.length);
    const removed = 'offline: the device was removed';
    expect(drivers.map(({ log }) => log)).toEqual([
      ['online', removed, 'online'],
      ['online', removed],
    ]);
  });
});
