// The rules that bind a device, kept by its transport whatever the model behind it.

import { describe, expect, it } from 'vitest';
import type { SharedRegion } from '../../platform/contracts/index.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import {
  brokenRules,
  type LooseMessage,
  QueueIgnore,
  QueueState,
  revision,
  writeEventAvail,
  writeHeader,
} from '../../platform/virtio/messages/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { DEVICE, msgDeviceBench } from '../support/transport-bench.ts';

const NIL = '00000000-0000-0000-0000-000000000000';

type Body = Readonly<Record<string, unknown>>;

const areas = { descriptorArea: 0x1000n, driverArea: 0x2000n, deviceArea: 0x3000n };

describe.each(REVISIONS)('a device in %s', (name) => {
  const { rules } = revision(name);
  const byFlags = rules.queueEnable === 'byFlags';

  function bench(maxMessageSize?: number, regions: readonly SharedRegion[] = []) {
    const made = msgDeviceBench(name, maxMessageSize, regions);
    const body = (type: string, request: object = {}) => made.ask(type, request).body as Body;
    const queue = (index: number) => body('req.GET_VQUEUE', { index });
    const setQueue = (index: number, size: number, more: Body = {}) =>
      made.ask('req.SET_VQUEUE', { index, size, flags: byFlags ? 1 : 0, ...areas, ...more });
    return { ...made, body, queue, setQueue };
  }

  /** A frame of the transport as bytes. */
  function frame(id: number, payload: readonly number[] = [], type = 0): Uint8Array {
    const bytes = new Uint8Array(8 + payload.length);
    writeHeader(bytes, 0, type, id, DEVICE, 0x77, bytes.length);
    bytes.set(payload, 8);
    return bytes;
  }

  it('HDR-4 MUST: everything a device sends has its own number', () => {
    const { bus, model, ask } = bench();
    ask('req.GET_DEVICE_INFO');
    model.transport!.notifyUsed(1);
    model.transport!.notifyConfig();
    expect(bus.messages('toDriver').map(({ type, dev }) => `${type} ${dev}`)).toEqual([
      'res.GET_DEVICE_INFO 7',
      'req.EVENT_USED 7',
      'req.EVENT_CONFIG 7',
    ]);
  });

  it('TOK-2 MUST: the events of a device have token 0', () => {
    const { bus, model } = bench();
    model.transport!.notifyUsed(1);
    model.transport!.notifyConfig();
    expect(bus.messages('toDriver').map(({ token }) => token)).toEqual([0, 0]);
  });

  it('TOK-3, TOK-5, TOK-7 MUST: a response has the token of its request, whatever it is', () => {
    const { bus, give } = bench();
    for (const token of [0, 1, 0x8000, 0xffff]) {
      const request = { type: 'req.GET_DEVICE_STATUS', dev: DEVICE, token, body: {} };
      expect(give(bus.encode(request))).toMatchObject([{ token, dev: DEVICE }]);
    }
  });

  it('ORD-6, ORD-7 MUST: valid requests get one response each, in the order received', () => {
    const { kernel, bus } = bench();
    const requests = ['GET_DEVICE_INFO', 'GET_DEVICE_STATUS', 'GET_DEVICE_INFO'].map((type, i) =>
      bus.encode({ type: `req.${type}`, dev: DEVICE, token: i + 1, body: {} }),
    );
    for (const bytes of requests) bus.inject('toDevice', bytes);
    kernel.runUntil(Infinity);
    expect(bus.messages('toDriver').map(({ type, token }) => `${type} ${token}`)).toEqual([
      'res.GET_DEVICE_INFO 1',
      'res.GET_DEVICE_STATUS 2',
      'res.GET_DEVICE_INFO 3',
    ]);
  });

  it.each([
    ['shorter than a header', () => new Uint8Array(7)],
    ['of a size beyond the frame', () => Uint8Array.of(0, 2, 7, 0, 1, 0, 9, 0)],
    ['of a size below a header', () => Uint8Array.of(0, 2, 7, 0, 1, 0, 7, 0)],
    ['with an unknown id', () => frame(0x3e)],
    ['with a reserved id', () => frame(0x00)],
    ['with a body that is cut off', () => frame(0x05, [0, 0, 0, 0])],
    ['that is a response', () => frame(0x07, [0, 0, 0, 0], 1)],
    ['that is an event of a device', () => frame(0x42, [0, 0, 0, 0])],
    ['that is an unknown event', () => frame(0x55, [0, 0, 0, 0])],
  ])('ERR-3 MUST: a frame %s is discarded without an answer', (_, make) => {
    const { node, bus, give } = bench();
    expect(give(make())).toEqual([]);
    // A frame without a whole header never finds its device.
    if (bus.accepted !== null) expect(bus.accepted).toBe(false);
    expect(bus.frames).toEqual([]);
    const codes = node.violations.described.map(({ code }) => code);
    expect(['MALFORMED_MESSAGE', 'UNEXPECTED_MESSAGE', undefined]).toContain(codes[0]);
  });

  it('PAR-11 MUST: what is beyond the revision or the message size is ignored', () => {
    const { give, bus } = bench(64);
    // 64 bytes hold 44 of configuration and 12 blocks of features.
    const tooMuch = [
      frame(0x0d),
      frame(0x85),
      frame(0x05, [0, 0, 0, 0, 45, 0, 0, 0]),
      frame(0x03, [0, 0, 0, 0, 13, 0, 0, 0]),
      frame(0x03, [0, 0, 0, 0, 255, 255, 255, 255]),
    ];
    for (const bytes of tooMuch) expect(give(bytes)).toEqual([]);
    expect(bus.frames).toEqual([]);
  });

  it('PAR-2, PAR-3 MUST: no response exceeds the maximum or has a form of another revision', () => {
    for (const size of [revision(name).largestRequired, 64, 104]) {
      const { bus, ask } = bench(size);
      ask('req.GET_DEVICE_INFO');
      ask('req.GET_DEVICE_FEATURES', { blockIndex: 0, blockCount: 2 });
      ask('req.GET_VQUEUE', { index: 0 });
      ask('req.GET_CONFIG', { offset: 0, length: 20 });
      ask('req.GET_SHM', { index: 0 });
      for (const { bytes } of bus.frames) {
        expect(bytes.length).toBeLessThanOrEqual(size);
        expect(brokenRules(revision(name), bytes, bytes.length, { busMax: size })).toEqual([]);
      }
    }
  });

  it('MAN-1 MUST: every request of the revision is answered', () => {
    const { ask } = bench();
    const requests: [string, object][] = [
      ['GET_DEVICE_INFO', {}],
      ['GET_DEVICE_FEATURES', { blockIndex: 0, blockCount: 2 }],
      ['SET_DRIVER_FEATURES', { blockIndex: 0, blockCount: 1, features: [0] }],
      ['GET_CONFIG', { offset: 0, length: 4 }],
      ['SET_CONFIG', { generation: 0, offset: 0, length: 1, data: Uint8Array.of(1) }],
      ['GET_DEVICE_STATUS', {}],
      ['SET_DEVICE_STATUS', { status: 1 }],
      ['GET_VQUEUE', { index: 0 }],
      ['SET_VQUEUE', { index: 0, size: 8, flags: 0, ...areas }],
      ['RESET_VQUEUE', { index: 0 }],
      ['GET_SHM', { index: 0 }],
    ];
    for (const [message, body] of requests) {
      expect(ask(`req.${message}`, body).type).toBe(`res.${message}`);
    }
  });

  it('INF-1 MUST: the information is the same before, during and after use', () => {
    const { ask } = bench();
    const info = () => ask('req.GET_DEVICE_INFO').body;
    const before = info();
    ask('req.SET_DEVICE_STATUS', { status: 15 });
    expect(info()).toEqual(before);
    ask('req.SET_DEVICE_STATUS', { status: 0 });
    expect(info()).toEqual(before);
  });

  it('INF-2, INF-3 MUST: blocks for every feature, admin queues from 0 when there are none', () => {
    const { body } = bench();
    expect(body('req.GET_DEVICE_INFO')).toMatchObject({
      deviceId: 2,
      vendorId: 0x1234,
      featureBits: 64,
      configSize: 24,
      maxVirtqueues: 2,
      adminStart: 0,
      adminCount: 0,
    });
  });

  it('INF-3 MUST: admin queues are among the queues, behind the others', () => {
    const { body, model } = bench();
    model.info = { ...model.info, queuesMax: 5, adminStart: 2, adminCount: 3 };
    expect(body('req.GET_DEVICE_INFO')).toMatchObject({
      maxVirtqueues: 5,
      adminStart: 2,
      adminCount: 3,
    });
  });

  it('INF-4 MUST: a device without UUID says nil', () => {
    expect(bench().body('req.GET_DEVICE_INFO')['uuid']).toBe(NIL);
  });

  it('FEA-1 MUST: blocks beyond those of the device read as zero', () => {
    const { body } = bench();
    const read = (blockIndex: number) =>
      body('req.GET_DEVICE_FEATURES', { blockIndex, blockCount: 3 })['features'];
    expect(read(0)).toEqual([0x21, 3, 0]);
    expect(read(1)).toEqual([3, 0, 0]);
    expect(read(0xffff_fffe)).toEqual([0, 0, 0]);
  });

  it('FEA-6 MUST: later reads show what v1 and v2 say they do', () => {
    const { body, ask } = bench();
    const set = { blockIndex: 0, blockCount: 2, features: [1, 3] };
    ask('req.SET_DRIVER_FEATURES', set);
    const shown = () =>
      body('req.GET_DEVICE_FEATURES', { blockIndex: 0, blockCount: 2 })['features'];
    const expected = name === 'v1' ? [1, 3] : [0x21, 3];
    expect(shown()).toEqual(expected);
    ask('req.SET_DEVICE_STATUS', { status: 11 });
    expect(shown()).toEqual(expected);
    // A reset forgets what was acknowledged.
    ask('req.SET_DEVICE_STATUS', { status: 0 });
    expect(shown()).toEqual([0x21, 3]);
  });

  it('FEA-7 MUST: writing some blocks leaves the others', () => {
    const { model, ask } = bench();
    ask('req.SET_DRIVER_FEATURES', { blockIndex: 0, blockCount: 2, features: [5, 6] });
    ask('req.SET_DRIVER_FEATURES', { blockIndex: 1, blockCount: 1, features: [7] });
    expect(model.driverFeatures).toBe((7n << 32n) | 5n);
    ask('req.SET_DRIVER_FEATURES', { blockIndex: 3, blockCount: 0, features: [] });
    expect(model.driverFeatures).toBe((7n << 32n) | 5n);
  });

  it('CFG-5 MUST: a stale generation is refused, and ignored in the baseline of v2', () => {
    const { model, body } = bench();
    model.configGeneration = 4;
    const data = Uint8Array.of(9, 9);
    const write = body('req.SET_CONFIG', { generation: 3, offset: 2, length: 2, data });
    const applied = name === 'v2';
    expect(write).toMatchObject({ generation: 4, offset: 2, length: applied ? 2 : 0 });
    expect([...model.config.slice(2, 4)]).toEqual(applied ? [9, 9] : [2, 3]);
    const fresh = body('req.SET_CONFIG', { generation: 4, offset: 2, length: 2, data });
    expect(fresh['length']).toBe(2);
  });

  it('CFG-9 MUST: responses and EVENT_CONFIG have the current generation', () => {
    const { bus, model, body } = bench();
    model.configGeneration = 0xffff_fffe;
    expect(body('req.GET_CONFIG', { offset: 4, length: 2 })).toEqual({
      generation: 0xffff_fffe,
      offset: 4,
      length: 2,
      data: Uint8Array.of(4, 5),
    });
    const data = new Uint8Array(0);
    const write = { generation: 0, offset: 0, length: 0, data };
    expect(body('req.SET_CONFIG', write)['generation']).toBe(0xffff_fffe);
    model.transport!.notifyConfig();
    expect(bus.messages('toDriver').at(-1)!.body).toMatchObject({ generation: 0xffff_fffe });
  });

  it('CFG-10 MUST: a write is applied whole or not at all, and one of nothing is nothing', () => {
    const { model, body } = bench();
    const write = (offset: number, length: number) =>
      body('req.SET_CONFIG', { generation: 0, offset, length, data: new Uint8Array(length) });
    // Across the end, far beyond it, and none.
    for (const [offset, length] of [
      [20, 5],
      [24, 1],
      [0xffff_ffff, 1],
      [3, 0],
    ]) {
      expect(write(offset, length)).toMatchObject({ offset, length: 0, data: new Uint8Array(0) });
    }
    expect(model.log).toEqual([]);
    model.acceptsConfig = false;
    expect(write(0, 4)).toMatchObject({ length: 0 });
    model.acceptsConfig = true;
    expect(write(20, 4)).toMatchObject({ length: 4, data: new Uint8Array(4) });
  });

  it('CFG-15 MUST: an event for status alone has offset and length 0', () => {
    const { bus, model } = bench();
    model.status = STATUS.DEVICE_NEEDS_RESET | 15;
    model.transport!.notifyConfig();
    expect(bus.messages('toDriver')[0].body).toEqual({
      status: 79,
      generation: 0,
      offset: 0,
      length: 0,
      data: new Uint8Array(0),
    });
  });

  it('CFG-16 MUST NOT: what the driver writes causes no EVENT_CONFIG', () => {
    const { bus, ask } = bench();
    for (const status of [1, 3, 11, 15, 0]) ask('req.SET_DEVICE_STATUS', { status });
    ask('req.SET_CONFIG', { generation: 99, offset: 0, length: 1, data: Uint8Array.of(1) });
    expect(bus.messages('toDriver').filter(({ type }) => type.startsWith('req.'))).toEqual([]);
  });

  it('RST-2 MUST: status 0 resets the device and its queues at once', () => {
    const { model, ask, queue, setQueue } = bench();
    ask('req.SET_DEVICE_STATUS', { status: 11 });
    setQueue(0, 64);
    expect(queue(0)['size']).toBe(64);
    expect(ask('req.SET_DEVICE_STATUS', { status: 0 }).body).toEqual({ status: 0 });
    expect(queue(0)).toMatchObject({ maxSize: 256, size: 0, descriptorArea: 0n });
    expect(model.setups).toEqual([null, null]);
  });

  it('RST-3, RST-7 MUST: the status shown is the device’s, also while a reset goes on', () => {
    const { model, ask } = bench();
    ask('req.SET_DEVICE_STATUS', { status: 15 });
    model.resetStatus = 15;
    expect(ask('req.SET_DEVICE_STATUS', { status: 0 }).body).toEqual({ status: 15 });
    expect(ask('req.GET_DEVICE_STATUS').body).toEqual({ status: 15 });
    model.status = 0;
    expect(ask('req.GET_DEVICE_STATUS').body).toEqual({ status: 0 });
    model.acceptsFeatures = false;
    expect(ask('req.SET_DEVICE_STATUS', { status: 11 }).body).toEqual({ status: 3 });
  });

  it('VQ-2, VQ-6 MUST: sizes are true and parameters kept', () => {
    const { queue, setQueue } = bench();
    expect(queue(1)).toMatchObject({ index: 1, maxSize: 8, size: 0, flags: 0 });
    setQueue(1, 4);
    expect(queue(1)).toMatchObject({ maxSize: 8, size: 4, ...areas });
    expect(queue(0)).toMatchObject({ maxSize: 256, size: 0, deviceArea: 0n });
  });

  it('VQ-3 MUST: a queue that does not exist has only its index', () => {
    const { queue, setQueue } = bench();
    setQueue(5, 8);
    for (const index of [2, 5, 0xffff_ffff]) {
      const none = { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };
      expect(queue(index)).toMatchObject({ index, maxSize: 0, size: 0, flags: 0, ...none });
    }
  });

  it('VQ-14 MUST: RESET_VQUEUE resets the queue, where it may, and it can be set anew', () => {
    const { model, ask, queue, setQueue } = bench();
    setQueue(1, 4);
    ask('req.RESET_VQUEUE', { index: 9 });
    expect(model.log).toEqual(['queue 1 size 4']);
    ask('req.RESET_VQUEUE', { index: 1 });
    // v2: only with RING_RESET.
    expect(queue(1)['size']).toBe(byFlags ? 4 : 0);
    model.driverFeatures = F.RING_RESET;
    ask('req.RESET_VQUEUE', { index: 1 });
    expect(queue(1)).toMatchObject({ maxSize: 8, size: 0, flags: 0 });
    setQueue(1, 8);
    expect(queue(1)['size']).toBe(8);
    expect(model.setups[1]).toMatchObject({ size: 8 });
  });

  it('SHM-1 MUST: a region that there is not has length 0', () => {
    const { bus, body } = bench();
    expect(body('req.GET_SHM', { index: 3 })).toMatchObject({ index: 3, length: 0n, address: 0n });
    const bytes = bus.frames.at(-1)!.bytes;
    expect(toHex(bytes, 8)).toBe(`03000000${'00'.repeat(name === 'v2' ? 20 : 8)}`);
  });

  it('SHM-1 MUST: a region is told of by its length and its place', () => {
    const { body, bus } = bench(104, [{ shmid: 2, address: 0x4012_3000, length: 0x5000 }]);
    const answer = { index: 2, length: 0x5000n, address: 0x4012_3000n };
    expect(body('req.GET_SHM', { index: 2 })).toMatchObject(answer);
    const bytes = bus.frames.at(-1)!.bytes;
    const words = ['00500000', '00301240'];
    const wide = words.map((word) => `${word}00000000`);
    expect(toHex(bytes, 8)).toBe(
      `02000000${name === 'v2' ? `00000000${wide.join('')}` : words.join('')}`,
    );
  });

  it('SHM-1 MUST: one that has no room in the response is not told of', () => {
    const { body } = bench(104, [{ shmid: 0, address: 2 ** 32, length: 0x1000 }]);
    const length = name === 'v2' ? 0x1000n : 0n;
    expect(body('req.GET_SHM', { index: 0 })).toMatchObject({ length });
  });

  it('NTF-2 MUST: EVENT_AVAIL is handed on with its queue and offset', () => {
    const { model, give } = bench();
    const bytes = new Uint8Array(16);
    writeEventAvail(bytes, DEVICE, 0, 1, 0x8000_0005);
    expect(give(bytes)).toEqual([]);
    expect(model.log).toEqual([`available 1 ${0x8000_0005}`]);
  });

  it('ERR-6 MUST: a reset of the bus is a reset of the device', () => {
    const { bus, model, setQueue, queue } = bench();
    setQueue(0, 16);
    model.status = 15;
    bus.devices.get(DEVICE)!.reset();
    expect([model.status, model.log.at(-1), queue(0)['size']]).toEqual([0, 'status 0', 0]);
  });
});

describe('SET_VQUEUE in v2', () => {
  function bench() {
    const made = msgDeviceBench('v2');
    const set = (flags: number, more: Body = {}): LooseMessage =>
      made.ask('req.SET_VQUEUE', { index: 0, size: 64, flags, ...areas, ...more });
    const get = () => made.ask('req.GET_VQUEUE', { index: 0 }).body as Body;
    return { ...made, set, get };
  }

  it('VQ-9 MUST: illegal flags, reserved words and parameters change nothing', () => {
    const { model, set, get, bus, give } = bench();
    const before = get();
    const requests: [number, Body][] = [
      [QueueState.reserved, {}],
      [QueueState.enable | 0x40, {}],
      [QueueState.enable | 0x8000_0000, {}],
      [QueueState.enable, { index: 2 }],
      [QueueState.enable, { size: 512 }],
      [QueueState.enable, { size: 0 }],
      [QueueState.enable, { size: 3 }],
      [QueueState.enable, { descriptorArea: 8n }],
      [QueueState.enable, { deviceArea: 1n << 60n }],
      [QueueState.enable | QueueIgnore.size, {}],
    ];
    for (const [flags, more] of requests) {
      expect(set(flags >>> 0, more)).toMatchObject({ type: 'res.SET_VQUEUE', body: {} });
      expect(get()).toEqual(before);
    }
    const bytes = bus.encode({
      type: 'req.SET_VQUEUE',
      dev: DEVICE,
      token: 1,
      body: { index: 0, size: 64, flags: QueueState.enable, ...areas },
    });
    // The reserved word, offset 12 of the payload.
    bytes[8 + 12] = 1;
    expect(give(bytes)).toMatchObject([{ type: 'res.SET_VQUEUE' }]);
    expect(get()).toEqual(before);
    expect(model.log).toEqual([]);
  });

  it('VQ-9 MUST: an enabled queue is neither disabled nor changed', () => {
    const { model, set, get } = bench();
    set(QueueState.enable);
    const before = get();
    expect(before).toMatchObject({ size: 64, flags: 1 });
    set(QueueState.keepDisabled);
    set(QueueState.enable, { size: 32 });
    set(QueueState.keep, { descriptorArea: 0x8000n });
    expect(get()).toEqual(before);
    // The same again is nothing new to the model.
    set(QueueState.enable);
    set(QueueState.keep);
    expect(get()).toEqual(before);
    expect(model.log).toEqual(['queue 0 size 64']);
  });

  it('VQ-10 MUST: an ignored field stays, the others apply, the state comes last', () => {
    const { model, set, get } = bench();
    set(QueueState.keepDisabled);
    expect(get()).toMatchObject({ size: 64, flags: 0, ...areas });
    const other = { size: 8, descriptorArea: 0x10n, driverArea: 0x20n, deviceArea: 0x30n };
    set(QueueState.keep | QueueIgnore.size | QueueIgnore.driver, other);
    expect(get()).toMatchObject({
      size: 64,
      flags: 0,
      descriptorArea: 0x10n,
      driverArea: 0x2000n,
      deviceArea: 0x30n,
    });
    expect(model.log).toEqual([]);
    const { size, desc, driver, device } = QueueIgnore;
    set(QueueState.enable | size | desc | driver | device, {});
    expect(get()).toMatchObject({ size: 64, flags: 1, descriptorArea: 0x10n });
    expect(model.setups[0]).toMatchObject({
      size: 64,
      descriptorArea: 0x10,
      driverArea: 0x2000,
      deviceArea: 0x30,
    });
  });

  it('VQ-11 MUST: flags of GET_VQUEUE say enabled and nothing else', () => {
    const { set, get } = bench();
    expect(get()['flags']).toBe(0);
    set(QueueState.keepDisabled);
    expect(get()['flags']).toBe(0);
    set(QueueState.enable);
    expect(get()['flags']).toBe(1);
  });
});

describe('SET_VQUEUE before v2', () => {
  it.each(['rfc3', 'v1'] as const)('VQ-7 MUST: in %s it is obeyed after initialisation', (name) => {
    const { model, ask } = msgDeviceBench(name);
    ask('req.SET_DEVICE_STATUS', { status: 15 });
    ask('req.SET_VQUEUE', { index: 1, size: 8, flags: 0, ...areas });
    expect(model.setups[1]).toMatchObject({ index: 1, size: 8, descriptorArea: 0x1000 });
  });

  it.each(['rfc3', 'v1'] as const)('of %s that is repeated is no second set-up', (name) => {
    const { model, ask } = msgDeviceBench(name);
    const request = { index: 1, size: 8, flags: 0, ...areas };
    ask('req.SET_VQUEUE', request);
    ask('req.SET_VQUEUE', request);
    expect(model.log).toEqual(['queue 1 size 8']);
  });

  it.each([
    ['a size above the maximum', 0, { size: 512 }],
    ['a size of 0', 0, { size: 0 }],
    ['a size that is no power of 2', 0, { size: 96 }],
    ['a queue that does not exist', 9, {}],
    ['a descriptor area off its alignment', 0, { descriptorArea: 0x1008n }],
    ['a driver area off its alignment', 0, { driverArea: 0x2001n }],
    ['a device area off its alignment', 0, { deviceArea: 0x3002n }],
    ['an address beyond what a bus here has', 0, { deviceArea: 1n << 60n }],
  ])('with %s changes nothing and is answered', (_, index, more) => {
    const { model, ask } = msgDeviceBench('v1');
    const request = { index: 0, size: 16, flags: 0, ...areas };
    ask('req.SET_VQUEUE', request);
    model.log.length = 0;
    const changed = { ...request, index, size: 32, ...more };
    expect(ask('req.SET_VQUEUE', changed)).toMatchObject({ type: 'res.SET_VQUEUE', body: {} });
    expect(model.log).toEqual([]);
    expect(ask('req.GET_VQUEUE', { index: 0 }).body).toMatchObject({ size: 16, ...areas });
  });
});
