// The session of an FF-A bus: how it is set up in the order of the Linux driver, and what ends it.
import { describe, expect, it } from 'vitest';
import { DIRECT_ERROR } from '../../buses/ffa/packets.ts';
import { DEVICE_ROLE } from '../../buses/ffa/service.ts';
import { writeEventUsed } from '../../platform/virtio/messages/index.ts';
import { ffaBytes, ffaEnds, scriptedCaller, scriptedPartition } from '../support/ffa-peers.ts';

const MILLISECOND = 1_000_000_000;
/** Short, so that nothing has to be waited for. */
const timing = { 'ffa.requestTimeout': '100us', 'ffa.busyRetry': '10us' };

const SETUP = [
  'req.RESET',
  'req.VERSION',
  'req.VERSION',
  'req.EVENT_CONFIGURE',
  'req.GET_DEVICES',
  'req.EVENT_POLL',
];

describe('the driver side', () => {
  it('resets, probes and echoes the version, chooses events, enumerates, and polls once', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition();
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(partition.requests).toEqual(SETUP);
    const versions = partition.frames.slice(1, 3).map((bytes) => bytes[8] + bytes[12]);
    // A probe of zeroes, then the pair that was answered.
    expect(versions).toEqual([0, 2]);
    expect(drivers[0].log).toEqual(['online']);
  });

  it('gives RESET token 1 and counts the others', () => {
    const { kernel, driverEnd, partition } = scriptedPartition();
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(partition.frames.map((bytes) => bytes[4])).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('does nothing without a partition that has the service', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition();
    partition.present = false;
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(partition.requests).toEqual([]);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during partition discovery']);
  });

  it('asks a busy partition for RESET four times, with a pause between', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({ timing });
    const times: number[] = [];
    partition.script = ({ type, token }) => {
      if (type !== 'req.RESET') return undefined;
      times.push(kernel.now);
      return partition.response('res.RESET', { result: 2 }, token);
    };
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(times.length).toBe(4);
    expect(times[1] - times[0]).toBeGreaterThan(10_000_000);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during RESET']);
  });

  it('goes on when a busy partition comes round', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({ timing });
    let busy = 2;
    partition.script = ({ type, token }) =>
      type === 'req.RESET' && busy-- > 0
        ? partition.response('res.RESET', { result: 2 }, token)
        : undefined;
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log).toEqual(['online']);
  });

  it.each([
    ['req.RESET', 'RESET'],
    ['req.VERSION', 'VERSION'],
    ['req.EVENT_CONFIGURE', 'EVENT_CONFIGURE'],
    ['req.GET_DEVICES', 'GET_DEVICES'],
  ])('gives up when %s is not answered in time, or with an ERROR', (type, during) => {
    for (const silent of [true, false]) {
      const { kernel, driverEnd, partition, drivers } = scriptedPartition({ timing });
      partition.script = (message, bytes) => {
        if (message.type !== type) return undefined;
        if (silent) return null;
        const body = { originalId: bytes[1] };
        return ffaBytes({ type: 'res.ERROR', dev: 0, token: message.token, body });
      };
      driverEnd.start();
      kernel.runUntil(MILLISECOND);
      expect(drivers[0].log).toEqual([`offline: the bus ffa0 failed during ${during}`]);
      // Before the time-out there is no failure; an ERROR needs no time-out.
      expect(drivers[0].times[0] > 100_000_000).toBe(silent);
    }
  });

  it('takes zeroes in the answer to VERSION for a refusal', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition();
    partition.script = ({ type, token }) => {
      if (type !== 'req.VERSION') return undefined;
      const nothing = { busVersion: 0, transportRevision: 0, ffaVersion: 0 };
      const body = { ...nothing, featureBits: 0, busFeatures: 0, maxAreas: 0 };
      return partition.response('res.VERSION', body, token);
    };
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during VERSION']);
  });

  it('ends at once when VERSION is answered in another dialect', () => {
    const { kernel, linux, driverEnd, drivers } = ffaEnds({
      bus: { deviceDialect: 'optee', events: 'poll', maxMessageSize: '96B' },
    });
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during VERSION']);
    expect(linux.violations.described.map(({ text }) => text)).toEqual([
      'ffa0: res.VERSION has 18 bytes, needs 22',
    ]);
  });

  it('calls a partition three times that answers with zeroes', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition({}, [0]);
    let busy = 0;
    partition.script = ({ type }) =>
      type === 'req.RESET_VQUEUE' && busy-- > 0 ? new Uint8Array(8) : undefined;
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    const request = ffaBytes({ type: 'req.RESET_VQUEUE', dev: 0, token: 7, body: { index: 0 } });
    const tries = (times: number) => {
      busy = times;
      const before = partition.requests.length;
      driverEnd.send(request, request.length);
      kernel.runUntil(kernel.now + MILLISECOND);
      return partition.requests.length - before;
    };
    expect(tries(2)).toBe(3);
    expect(drivers[0].log.includes('undeliverable 7')).toBe(false);
    expect(tries(3)).toBe(3);
    expect(drivers[0].log.at(-1)).toBe('undeliverable 7');
  });

  it('gives a poll up with the quirk abandonedPoll, and repeats it without', () => {
    const polls = (quirks: readonly string[]) => {
      const { kernel, driverEnd, partition } = scriptedPartition({ timing, bus: { quirks } });
      let busy = 0;
      partition.script = ({ type }) =>
        type === 'req.EVENT_POLL' && busy-- > 0 ? new Uint8Array(8) : undefined;
      driverEnd.start();
      kernel.runUntil(MILLISECOND);
      const before = partition.requests.length;
      busy = 3;
      partition.notify();
      kernel.runUntil(2 * MILLISECOND);
      return partition.requests.length - before;
    };
    expect([polls([]), polls(['abandonedPoll'])]).toEqual([4, 3]);
  });

  it('finds no service that the partition does not have', () => {
    const { kernel, driverEnd, deviceEnd, drivers } = ffaEnds({
      bus: { deviceService: 'BD7FD089-6795-472B-B47F-DB0C5D9A719D' },
    });
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during partition discovery']);
    expect(deviceEnd.statistics()['messages']).toBe(0);
  });

  it('is not led in circles by windows that do not lead on', () => {
    const { kernel, driverEnd, partition, drivers } = scriptedPartition();
    partition.script = ({ type, token, body }) => {
      if (type !== 'req.GET_DEVICES') return undefined;
      const { offset, count } = body as { offset: number; count: number };
      const bitmap = new Uint8Array(count / 8);
      return partition.response('res.GET_DEVICES', { offset, count, nextOffset: 8, bitmap }, token);
    };
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(partition.requests.filter((type) => type === 'req.GET_DEVICES').length).toBe(1);
    expect(drivers[0].log).toEqual(['offline: the bus ffa0 failed during GET_DEVICES']);
  });

  it('reports answers that make no sense and goes on polling', () => {
    const { kernel, linux, driverEnd, partition, drivers } = scriptedPartition({
      bus: { events: 'poll', pollInterval: '50us' },
    });
    // Too short, a size beyond the frame, an unknown id, a device that is not there.
    const answers = ['0200', '020300000000ff00', '037f000000000800', '0042630000000c0001000000'];
    let asked = 0;
    partition.script = ({ type }) => {
      if (type !== 'req.EVENT_POLL') return undefined;
      const hex = answers[asked++];
      return hex === undefined ? undefined : Uint8Array.from(Buffer.from(hex, 'hex'));
    };
    driverEnd.start();
    kernel.runUntil(MILLISECOND);
    expect(asked).toBeGreaterThan(10);
    expect(drivers[0].log).toEqual(['online']);
    expect(linux.violations.described.map(({ code }) => code)).toEqual([
      'MALFORMED_MESSAGE',
      'MALFORMED_MESSAGE',
      'MALFORMED_MESSAGE',
      'UNKNOWN_DEVICE',
    ]);
  });

  it('asks again after the time-out when an EVENT_POLL was lost', () => {
    const { kernel, driverEnd, deviceEnd, drivers } = ffaEnds({
      timing,
      faults: [{ on: 'ffa0', drop: 'EVENT_POLL', at: '50us', count: 2 }],
    });
    driverEnd.start();
    kernel.runUntil(60_000_000);
    kernel.now = 60_000_000;
    const event = Uint8Array.from(Buffer.from('0042000000000c0000000000', 'hex'));
    deviceEnd.send(event, event.length);
    kernel.runUntil(MILLISECOND);
    expect(drivers[0].log).toEqual(['online', '0042000000000c0000000000']);
    // Two time-outs of 100 us after the first poll at a bit more than 60 us.
    expect(Math.floor(drivers[0].times[1] / 10_000_000)).toBe(26);
  });
});

describe('the device side', () => {
  it('answers nothing but VERSION and RESET until VERSION is agreed', () => {
    const { ask, agree, devices, storage } = scriptedCaller();
    const body = { data: 1 };
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body })).toMatchObject({
      type: 'res.ERROR',
      token: 9,
      body: { originalId: 3 },
    });
    const queue = { type: 'req.RESET_VQUEUE', dev: 0, token: 5, body: { index: 0 } };
    expect(ask(queue).type).toBe('res.ERROR');
    expect(devices[0].log).toEqual([]);
    expect(storage.violations.count).toBe(2);
    expect(agree().type).toBe('res.VERSION');
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body }).type).toBe('res.PING');
    expect(ask(queue).type).toBe('res.RESET_VQUEUE');
  });

  it('tells a probe what it speaks without agreeing on it', () => {
    const { ask } = scriptedCaller();
    const body = { busVersion: 0, transportRevision: 0, ffaVersion: 0 };
    const answer = ask({ type: 'req.VERSION', dev: 0, token: 2, body });
    expect(answer.body).toMatchObject({ busVersion: 1, transportRevision: 1, maxAreas: 31 });
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } }).type).toBe('res.ERROR');
  });

  it('resets its devices and forgets the agreement on RESET', () => {
    const { ask, agree, devices } = scriptedCaller({}, [0, 1]);
    agree();
    expect(ask({ type: 'req.RESET', dev: 0, token: 1, body: {} }).body).toEqual({ result: 0 });
    expect(devices.map(({ log }) => log)).toEqual([['reset'], ['reset']]);
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } }).type).toBe('res.ERROR');
  });

  it('answers with FFA_ERROR what is meant for another service', () => {
    const { ask, agree, caller, storage } = scriptedCaller();
    agree();
    caller.service = 'bd7fd089-6795-472b-b47f-db0c5d9a719d';
    const ping = ffaBytes({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } });
    expect(caller.call(ping)).toBe(null);
    expect(caller.kinds).toEqual([DIRECT_ERROR]);
    expect(storage.violations.described.map(({ code }) => code)).toEqual(['UNEXPECTED_MESSAGE']);
    caller.service = DEVICE_ROLE;
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } }).type).toBe('res.PING');
  });

  it.each([
    ['with the quirk nullAnswers', { quirks: ['nullAnswers'] }],
    ['as OP-TEE', { dialect: 'optee', events: 'poll', maxMessageSize: '96B' }],
  ])('answers with zeroes what it cannot understand, %s', (_, bus) => {
    const { caller } = scriptedCaller({ bus });
    const ping = ffaBytes({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } });
    expect(caller.call(ping)).toEqual(new Uint8Array(8));
  });

  it('loses and reports the events beyond those that may wait', () => {
    const { agree, deviceEnd, storage } = scriptedCaller({ bus: { eventQueueDepth: 3 } }, [0]);
    agree();
    const bytes = new Uint8Array(12);
    for (const queue of [0, 1, 2, 3, 1, 4]) {
      deviceEnd.send(bytes, writeEventUsed(bytes, 0, 0, queue));
    }
    const found = { eventsLost: 2, eventsMerged: 1, eventQueueMax: 3 };
    expect(deviceEnd.statistics()).toMatchObject(found);
    expect(storage.violations.described.map(({ code }) => code)).toEqual([
      'EVENT_LOST',
      'EVENT_LOST',
    ]);
  });

  it('knows the event methods that it has', () => {
    const { ask, agree } = scriptedCaller();
    agree();
    const results = [0, 1, 2, 3].map((eventMethod) => {
      const body = { eventMethod, reserved: 0, notificationId: 5 };
      return ask({ type: 'req.EVENT_CONFIGURE', dev: 0, token: 1, body }).body;
    });
    expect(results).toEqual([{ result: 0 }, { result: 0 }, { result: 1 }, { result: 1 }]);
  });

  it('repeats of a frame without header only what it has', () => {
    const { caller, agree } = scriptedCaller();
    agree();
    // The bytes of the frame before it must not show.
    expect(Buffer.from(caller.call(Uint8Array.of(0, 7, 3))!).toString('hex')).toBe(
      '03870300' + '00000a00' + '0700',
    );
  });

  it('keeps one event for each queue until the driver asks', () => {
    const { ask, agree, deviceEnd, caller } = scriptedCaller({}, [0, 1]);
    agree();
    const used = (device: number, queue: number) => {
      const bytes = new Uint8Array(12);
      deviceEnd.send(bytes, writeEventUsed(bytes, device, 0, queue));
    };
    for (const [device, queue] of [
      [0, 0],
      [1, 0],
      [0, 0],
      [0, 1],
      [0, 0],
    ])
      used(device, queue);
    expect(deviceEnd.statistics()).toMatchObject({ eventsMerged: 2, eventQueueMax: 3 });
    const poll = ffaBytes({ type: 'req.EVENT_POLL', dev: 0, token: 1, body: {} });
    const events = [1, 2, 3, 4].map(() => {
      const answer = caller.call(poll)!;
      return answer.length > 8 ? `${answer[2]}/${answer[8]}` : 'empty';
    });
    expect(events).toEqual(['0/0', '1/0', '0/1', 'empty']);
    // Once fetched it may come again.
    used(0, 0);
    expect(ask({ type: 'req.PING', dev: 0, token: 9, body: { data: 1 } }).type).toBe('res.PING');
    expect(caller.call(poll)![1]).toBe(0x42);
  });
});
