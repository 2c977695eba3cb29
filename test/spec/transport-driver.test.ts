// The rules that bind a driver, as far as its transport keeps them: tokens, time-outs, what it makes of
// each response, and how it reads and writes the configuration.
import { describe, expect, it } from 'vitest';
import type { DriverTransport } from '../../platform/contracts/index.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import {
  brokenRules,
  peekToken,
  revision,
  setToken,
  writeEventUsed,
  writeHeader,
} from '../../platform/virtio/messages/index.ts';
import { RETRIES_MAX } from '../../platform/virtio/transport/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { DEVICE, transportPair } from '../support/transport-bench.ts';

const setup = {
  index: 1,
  size: 8,
  descriptorArea: 0x1000,
  driverArea: 0x2000,
  deviceArea: 0x3000,
};

/** Each operation that makes requests, with its kind of reply and the requests it makes. */
const OPERATIONS: [string, (t: DriverTransport) => void, string, string][] = [
  ['getInfo', (t) => t.getInfo(), 'reply.info', 'GET_DEVICE_INFO'],
  ['getFeatures', (t) => t.getFeatures(), 'reply.features', 'GET_DEVICE_FEATURES'],
  ['setFeatures', (t) => t.setFeatures(3n << 32n), 'reply.featuresSet', 'SET_DRIVER_FEATURES'],
  ['getStatus', (t) => t.getStatus(), 'reply.status', 'GET_DEVICE_STATUS'],
  ['setStatus', (t) => t.setStatus(3), 'reply.status', 'SET_DEVICE_STATUS'],
  ['getConfig', (t) => t.getConfig(2, 4), 'reply.config', 'GET_CONFIG'],
  ['setConfig', (t) => t.setConfig(2, Uint8Array.of(9)), 'reply.configSet', 'SET_CONFIG'],
  ['getQueue', (t) => t.getQueue(1), 'reply.queue', 'GET_VQUEUE'],
  ['setQueue', (t) => t.setQueue(setup), 'reply.queueSet', 'SET_VQUEUE'],
  ['resetQueue', (t) => t.resetQueue(1), 'reply.queueReset', 'RESET_VQUEUE'],
];

describe.each(REVISIONS)('a driver’s transport in %s', (name) => {
  /** A pair that is online and knows its device. */
  function online(more: Parameters<typeof transportPair>[0] = {}) {
    const pair = transportPair({ revision: name, ...more });
    pair.bus.driver.start();
    pair.ask((transport) => transport.getInfo());
    pair.bus.frames.length = 0;
    pair.listener.log.length = 0;
    return pair;
  }

  it.each(OPERATIONS)('MAN-2 MUST: %s is asked and understood', (_, start, reply, request) => {
    const { ask, requests, bus } = online();
    expect(ask(start).type).toBe(reply);
    expect(requests()).toEqual([request]);
    const { bytes } = bus.frames[0];
    expect(brokenRules(revision(name), bytes, bytes.length, { busMax: 104 })).toEqual([]);
  });

  it('HDR-4 MUST: every message names the device it is for', () => {
    const { ask, bus, transport, kernel } = online();
    for (const [, start] of OPERATIONS) ask(start);
    transport.notify(0, 0);
    kernel.runUntil(Infinity);
    const numbers = bus.messages('toDevice').map(({ dev }) => dev);
    expect(numbers).toEqual(Array(OPERATIONS.length + 1).fill(DEVICE));
  });

  it('TOK-1 MUST: tokens are never 0 and differ from request to request', () => {
    const { ask, bus } = online();
    let last = 0;
    // Only in rfc3 does the rule hold; there the tokens go round once.
    const requests = name === 'rfc3' ? 65_600 : 100;
    for (let i = 0; i < requests; i++) {
      ask((transport) => transport.getStatus());
      const token = peekToken(bus.frames[0].bytes);
      if (token === 0 || token === last) expect.fail(`token ${token} after ${last}`);
      last = token;
      bus.frames.length = 0;
    }
  });

  it('TOK-1 MUST: a request that is repeated has a token of its own', () => {
    const { ask, bus } = online();
    let lost = 1;
    bus.script = ({ bytes }) => (lost-- > 0 ? [] : [{ bytes, delay: 0 }]);
    expect(ask((transport) => transport.getStatus()).type).toBe('reply.status');
    const tokens = bus.messages('toDevice').map(({ token }) => token);
    expect(new Set(tokens).size).toBe(2);
  });

  it('TOK-2 MUST: the event of a driver has token 0', () => {
    const { transport, bus } = online();
    transport.notify(1, 5);
    expect(toHex(bus.frames[0].bytes)).toBe('0041070000001000' + '01000000' + '05000000');
  });

  it('TOK-4 SHOULD: a response that answers nothing is dropped, and causes no traffic', () => {
    const { kernel, transport, bus, listener, ask } = online();
    const status = (token: number) =>
      bus.encode({ type: 'res.GET_DEVICE_STATUS', dev: DEVICE, token, body: { status: 99 } });
    // Nothing is under way; then another token than that awaited, then the right one twice.
    bus.inject('toDriver', status(1));
    bus.script = ({ bytes, direction }) =>
      direction === 'toDevice'
        ? [{ bytes, delay: 0 }]
        : [
            { bytes: status((peekToken(bytes) + 1) & 0xffff), delay: 0 },
            { bytes, delay: 1000 },
            { bytes, delay: 2000 },
          ];
    expect(ask((t) => t.getStatus())).toEqual({ type: 'reply.status', status: 0 });
    kernel.runUntil(Infinity);
    expect(transport.strays).toBe(3);
    expect(listener.log).toEqual(['reply.status']);
    expect(bus.frames.length).toBe(2);
  });

  it('TOK-4 SHOULD: a late response is not taken for that of the repeated request', () => {
    const { transport, bus, model, ask } = online();
    let first = true;
    bus.script = ({ bytes, direction, at }) => {
      if (direction === 'toDevice') return [{ bytes, delay: 0 }];
      const delay = first ? bus.requestTimeout : 0;
      first = false;
      model.status = at > 0 ? 5 : 0;
      return [{ bytes, delay }];
    };
    // The first answer, of status 0, comes after the second of status 5.
    expect(ask((t) => t.getStatus())).toEqual({ type: 'reply.status', status: 5 });
    expect(transport.strays).toBe(1);
  });

  it('TOK-5, TOK-6 MUST: a bus may rewrite tokens on the way, if it puts them back', () => {
    const { ask, bus } = online();
    const original = new Map<number, number>();
    const seen: number[] = [];
    let next = 0;
    bus.script = ({ bytes, direction }) => {
      const copy = bytes.slice();
      if (direction === 'toDevice') {
        original.set(next, peekToken(bytes));
        setToken(copy, next++);
      } else {
        seen.push(peekToken(bytes));
        setToken(copy, original.get(peekToken(bytes))!);
      }
      return [{ bytes: copy, delay: 0 }];
    };
    for (const [, start, reply] of OPERATIONS) expect(ask(start).type).toBe(reply);
    // Zero among them: nothing rests on their values.
    expect(seen).toEqual(Array.from(OPERATIONS, (_, i) => i));
  });

  it('ERR-2, ERR-7 MUST: a request without response is repeated, then fails, once', () => {
    const { kernel, node, bus, listener, transport } = online();
    bus.script = () => [];
    const start = kernel.now;
    transport.getStatus();
    kernel.runUntil(Infinity);
    expect(listener.log).toEqual(['failed: no response in time']);
    expect(bus.frames.length).toBe(1 + RETRIES_MAX);
    expect(kernel.now - start).toBe((1 + RETRIES_MAX) * bus.requestTimeout);
    expect(node.violations.described.map(({ code }) => code)).toEqual(['TIMEOUT']);
  });

  it('ERR-3 MUST: what is malformed is discarded without traffic, and the request goes on', () => {
    const { kernel, node, bus, ask } = online();
    const malformed: Uint8Array[] = [
      Uint8Array.of(1, 7),
      Uint8Array.of(1, 7, DEVICE, 0, 1, 0, 99, 0),
      Uint8Array.of(1, 0x3e, DEVICE, 0, 1, 0, 8, 0),
      Uint8Array.of(0, 0x40, DEVICE, 0, 0, 0, 12, 0, 1, 0, 0, 0),
    ];
    bus.script = ({ bytes, direction }) =>
      direction === 'toDevice'
        ? [{ bytes, delay: 0 }]
        : [...malformed.map((frame) => ({ bytes: frame, delay: 0 })), { bytes, delay: 500 }];
    expect(ask((t) => t.getStatus()).type).toBe('reply.status');
    kernel.runUntil(Infinity);
    expect(bus.frames.length).toBe(2);
    const codes = new Set(node.violations.described.map(({ code }) => code));
    expect([...codes]).toEqual(['MALFORMED_MESSAGE']);
  });

  it('PAR-10 MUST: what the revision does not have is not acted upon', () => {
    const { kernel, node, bus, listener } = online();
    const frames: Uint8Array[] = [0x43, 0x7f, 0xc5].map((id) => {
      const bytes = new Uint8Array(12);
      writeHeader(bytes, 0, 0, id, DEVICE, 0, 12);
      return bytes;
    });
    // A request of the driver's own kind, coming back at it.
    frames.push(bus.encode({ type: 'req.GET_DEVICE_STATUS', dev: DEVICE, token: 1, body: {} }));
    for (const bytes of frames) bus.inject('toDriver', bytes);
    kernel.runUntil(Infinity);
    expect(listener.log).toEqual([]);
    expect(bus.frames).toEqual([]);
    expect(node.violations.count).toBe(4);
  });

  it('PAR-10 MUST: a response cut short is none', () => {
    const { bus, ask } = online();
    let cuts = 2;
    bus.script = ({ bytes, direction }) => {
      if (direction === 'toDevice' || cuts-- <= 0) return [{ bytes, delay: 0 }];
      const cut = bytes.slice(0, bytes.length - 4);
      cut[6] -= 4;
      return [{ bytes: cut, delay: 0 }];
    };
    expect(ask((t) => t.getQueue(0))).toMatchObject({ type: 'reply.queue', sizeMax: 256 });
    expect(bus.messages('toDevice').length).toBe(3);
  });

  it('PAR-2, FEA-9 MUST: features travel in as many messages as their blocks need', () => {
    const maxMessageSize = revision(name).largestRequired;
    const pair = transportPair({ revision: name, maxMessageSize });
    const { model, bus, ask } = pair;
    model.info = { ...model.info, featureBlocks: 20 };
    model.features = (1n << 639n) | (3n << 320n) | 5n;
    bus.driver.start();
    ask((t) => t.getInfo());
    expect(ask((t) => t.getFeatures())).toEqual({
      type: 'reply.features',
      features: model.features,
    });
    ask((t) => t.setFeatures((1n << 639n) | 1n));
    expect(model.driverFeatures).toBe((1n << 639n) | 1n);
    for (const { bytes } of bus.frames) expect(bytes.length).toBeLessThanOrEqual(maxMessageSize);
    // 20 blocks, 8 or 9 in a message: three requests each.
    expect(pair.requests().slice(1)).toEqual([
      ...Array(3).fill('GET_DEVICE_FEATURES'),
      ...Array(3).fill('SET_DRIVER_FEATURES'),
    ]);
  });

  it('FEA-9 MUST: blocks beyond all that virtio has are not asked for', () => {
    const { model, bus, ask, requests } = transportPair({ revision: name });
    model.info = { ...model.info, featureBlocks: 2 ** 27 - 1 };
    bus.driver.start();
    ask((t) => t.getInfo());
    expect(ask((t) => t.getFeatures())).toMatchObject({ features: model.features });
    expect(requests().length).toBeLessThan(8);
  });

  it('FEA-9 MUST: blocks from another index than asked for are not taken', () => {
    const { bus, ask } = online();
    bus.script = ({ bytes, direction }) => {
      const copy = bytes.slice();
      if (direction === 'toDriver') copy[8] = 1;
      return [{ bytes: copy, delay: 0 }];
    };
    expect(ask((t) => t.getFeatures()).type).toBe('reply.failed');
  });

  it('CFG-6 MUST: a write has the latest generation, in the baseline of v2 a 0', () => {
    const { model, bus, ask, kernel, device } = online();
    const written = () =>
      (bus.messages('toDevice').at(-1)!.body as { generation: number }).generation;
    model.configGeneration = 6;
    ask((t) => t.getConfig(0, 4));
    ask((t) => t.setConfig(0, Uint8Array.of(1)));
    expect(written()).toBe(name === 'v2' ? 0 : 6);
    // Heard of by an event.
    model.configGeneration = 9;
    device.notifyConfig();
    kernel.runUntil(Infinity);
    expect(ask((t) => t.setConfig(0, Uint8Array.of(1)))).toMatchObject({ applied: true });
    expect(written()).toBe(name === 'v2' ? 0 : 9);
  });

  it('CFG-7 SHOULD: after a refusal a read brings the generation that lets the write pass', () => {
    const { model, ask } = online();
    ask((t) => t.getConfig(0, 4));
    model.configGeneration = 2;
    const write = () => ask((t) => t.setConfig(0, Uint8Array.of(1)));
    expect(write()).toMatchObject({ applied: name === 'v2' });
    // The refusal itself tells the generation; reading is what a driver does to see the values.
    ask((t) => t.getConfig(0, 4));
    expect(write()).toMatchObject({ applied: true });
  });

  it('CFG-11 MUST: only an equal length means that a write was applied', () => {
    const { model, bus, ask } = online();
    model.acceptsConfig = false;
    expect(ask((t) => t.setConfig(0, new Uint8Array(4)))).toMatchObject({ applied: false });
    const data = new Uint8Array(2);
    bus.script = ({ bytes, direction }) => {
      if (direction === 'toDevice') return [{ bytes, delay: 0 }];
      const body = { generation: 0, offset: 0, length: 2, data };
      const token = peekToken(bytes);
      const half = bus.encode({ type: 'res.SET_CONFIG', dev: DEVICE, token, body });
      return [{ bytes: half, delay: 0 }];
    };
    expect(ask((t) => t.setConfig(0, new Uint8Array(4)))).toMatchObject({ applied: false });
  });

  it('CFG-9 MUST: bytes of two generations are not mixed: the read starts over', () => {
    // A message of 32 bytes holds 12 of configuration, so that 24 take two.
    const { model, bus, ask, requests } = transportPair({ revision: name, maxMessageSize: 32 });
    bus.driver.start();
    model.config.fill(1);
    let changed = false;
    bus.script = ({ bytes, direction }) => {
      // After the first response the device changes everything.
      if (direction === 'toDriver' && !changed) {
        changed = true;
        model.configGeneration++;
        model.config.fill(2);
      }
      return [{ bytes, delay: 0 }];
    };
    const data = new Uint8Array(24).fill(2);
    expect(ask((t) => t.getConfig(0, 24))).toEqual({ type: 'reply.config', data });
    // Two of which the second is of another generation, and two more.
    expect(requests()).toEqual(Array(4).fill('GET_CONFIG'));
  });

  it('CFG-9 MUST: a configuration that never stands still fails in the end', () => {
    const { model, bus, ask } = transportPair({ revision: name, maxMessageSize: 32 });
    bus.driver.start();
    bus.script = ({ bytes }) => {
      model.configGeneration++;
      return [{ bytes, delay: 0 }];
    };
    expect(ask((t) => t.getConfig(0, 24)).type).toBe('reply.failed');
  });

  it('RST-1, RST-4 MUST: status 0 resets; the driver looks until the device shows 0', () => {
    const { kernel, model, ask, requests, bus } = online();
    model.status = model.resetStatus = 15;
    let looks = 0;
    bus.script = ({ bytes, direction }) => {
      // The device is through with its reset after the third look.
      if (direction === 'toDevice' && bytes[1] === 7 && ++looks === 3) model.status = 0;
      return [{ bytes, delay: 0 }];
    };
    const start = kernel.now;
    expect(ask((t) => t.setStatus(0))).toEqual({ type: 'reply.status', status: 0 });
    expect(requests()).toEqual(['SET_DEVICE_STATUS', ...Array(3).fill('GET_DEVICE_STATUS')]);
    expect(kernel.now - start).toBeGreaterThan(3 * bus.statusPollInterval);
  });

  it('VQ-8 MUST: a queue is enabled by legal flags, with everything reserved 0', () => {
    const { ask, bus } = online();
    ask((t) => t.setQueue(setup));
    const { bytes } = bus.frames[0];
    const flags = name === 'v2' ? '01000000' : '00000000';
    const addresses = '0010000000000000' + '0020000000000000' + '0030000000000000';
    expect(toHex(bytes, 8)).toBe(`01000000${flags}08000000` + '00000000' + addresses);
  });

  it('NTF-2 MUST: EVENT_AVAIL has queue and offset', () => {
    const { kernel, transport, model } = online();
    transport.notify(1, 0x8000_0007);
    kernel.runUntil(Infinity);
    expect(model.log.at(-1)).toBe(`available 1 ${0x8000_0007}`);
  });

  it('NTF-7 MUST: EVENT_USED reaches the driver whatever else is under way', () => {
    const { kernel, transport, bus, listener, device } = online();
    transport.getStatus();
    device.notifyUsed(1);
    device.notifyConfig();
    kernel.runUntil(Infinity);
    expect(listener.log.toSorted()).toEqual(['config 0', 'reply.status', 'used 1']);
    const event = new Uint8Array(12);
    writeEventUsed(event, DEVICE, 0xffff, 0);
    bus.inject('toDriver', event);
    kernel.runUntil(Infinity);
    expect(listener.log.at(-1)).toBe('used 0');
  });
});
