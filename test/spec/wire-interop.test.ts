// Traps of the published texts and of mixed revisions, as arithmetic that must come out.
import { describe, expect, it } from 'vitest';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import {
  capacity,
  checkCarries,
  decodeLine,
  revision,
} from '../../platform/virtio/messages/index.ts';
import { fromHex, WireError } from '../../platform/wire/index.ts';

function errorOf(run: () => unknown): WireError | null {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  return null;
}

describe('message sizes', () => {
  it.each([
    // Reference A1: 8 + 40 bytes for the queue messages, 8 + 44 for the information of v2.
    ['rfc3', 44, 48, 'res.GET_VQUEUE'],
    ['v1', 44, 48, 'res.GET_VQUEUE'],
    ['v2', 52, 52, 'res.GET_DEVICE_INFO'],
  ] as const)('%s allows %i bytes but needs %i, for %s', (name, floor, needed, type) => {
    const info = revision(name);
    expect(info.rules.minMessageSize).toBe(floor);
    expect(info.largestRequired).toBe(needed);
    expect(info.largestRequiredType).toBe(type);
  });

  it.each(['rfc3', 'v1'] as const)('44 bytes, which %s allows, cannot carry its queues', (name) => {
    const error = errorOf(() => checkCarries(name, 44));
    expect(error?.code).toBe('SIZE');
    expect(error?.message).toMatch(/44 bytes.*res\.GET_VQUEUE \(48.*req\.SET_VQUEUE \(48/);
  });

  it('48 bytes cannot carry the device information of v2', () => {
    const error = errorOf(() => checkCarries('v2', 48));
    expect(error?.code).toBe('SIZE');
    expect(error?.message).toContain('res.GET_DEVICE_INFO (52 bytes)');
    expect(error?.message).not.toContain('VQUEUE');
  });

  it.each(REVISIONS)('65535 is the largest maximum of %s: 65536 is not expressible', (name) => {
    expect(errorOf(() => checkCarries(name, 65535))).toBeNull();
    expect(errorOf(() => checkCarries(name, 65536))?.code).toBe('RANGE');
    expect(errorOf(() => checkCarries(name, 48.5))?.code).toBe('RANGE');
    expect(revision(name).largestSize).toBe(65535);
  });

  it('rfc3 calls 274 bytes enough for 256 of configuration, which take 276', () => {
    const { codec, rules } = revision('rfc3');
    expect(rules.recommendedMax).toBe(274);
    const body = { generation: 0, offset: 0, length: 256, data: new Uint8Array(256) };
    const message = { type: 'res.GET_CONFIG', dev: 1, token: 1, body } as const;
    const target = new Uint8Array(300);
    expect(errorOf(() => codec.encode(message, target, 0, 274))?.code).toBe('SIZE');
    expect(codec.encode(message, target, 0, 276)).toBe(276);
  });

  it('a bitmap as long as msg_size can say is limited by the 16-bit count', () => {
    expect(capacity('v1', 65535).deviceSlots).toBe(65528);
  });

  it('a maximum below every message holds nothing', () => {
    expect(capacity('v1', 8)).toEqual({
      configBytes: 0,
      eventConfigBytes: 0,
      featureBlocks: 0,
      deviceSlots: 0,
    });
  });
});

// Reference A4, row by row.
describe.each([
  [44, 24, 20, 7, 240],
  [48, 28, 24, 8, 272],
  [52, 32, 28, 9, 304],
  [64, 44, 40, 12, 400],
  [96, 76, 72, 20, 656],
  [104, 84, 80, 22, 720],
  [128, 108, 104, 28, 912],
  [264, 244, 240, 62, 2000],
])('messages of %i bytes', (busMax, configBytes, eventConfigBytes, blocks, deviceSlots) => {
  it.each(REVISIONS)('hold what the table of inline capacity says, in %s', (name) => {
    expect(capacity(name, busMax)).toEqual({
      configBytes,
      eventConfigBytes,
      featureBlocks: blocks,
      deviceSlots,
    });
  });

  it.each(REVISIONS)('really hold it, and not one unit more, in %s', (name) => {
    const { codec } = revision(name);
    const target = new Uint8Array(512);
    const fits = (message: Parameters<typeof codec.encode>[0]) =>
      errorOf(() => codec.encode(message, target, 0, busMax)) === null;
    const config = (length: number) => {
      const body = { generation: 0, offset: 0, length, data: new Uint8Array(length) };
      return { type: 'res.GET_CONFIG', dev: 1, token: 1, body } as const;
    };
    const features = (blockCount: number) => {
      const body = { blockIndex: 0, blockCount, features: Array(blockCount).fill(0) };
      return { type: 'res.GET_DEVICE_FEATURES', dev: 1, token: 1, body } as const;
    };
    const devices = (count: number) => {
      const body = { offset: 0, count, nextOffset: 0, bitmap: new Uint8Array(count / 8) };
      return { type: 'res.GET_DEVICES', dev: 0, token: 1, body } as const;
    };
    expect([fits(config(configBytes)), fits(config(configBytes + 1))]).toEqual([true, false]);
    expect([fits(features(blocks)), fits(features(blocks + 1))]).toEqual([true, false]);
    expect([fits(devices(deviceSlots)), fits(devices(deviceSlots + 8))]).toEqual([true, false]);
  });
});

describe('a pair of unlike revisions', () => {
  const v1 = revision('v1').codec;
  const v2 = revision('v2').codec;

  it('v2 driver, v1 device: reads the count of GET_DEVICES as next_offset', () => {
    const bytes = new Uint8Array(16);
    const body = { offset: 0, count: 16, nextOffset: 0, bitmap: Uint8Array.of(0x25, 0) };
    const length = v1.encode({ type: 'res.GET_DEVICES', dev: 0, token: 1, body }, bytes);
    expect(v2.decode(bytes, length)).toMatchObject({
      body: { offset: 0, nextOffset: 16, count: 0, bitmap: new Uint8Array(0) },
    });
  });

  it('v1 driver, v2 device: reads next_offset as the count, and misses every device', () => {
    const bytes = new Uint8Array(16);
    const body = { offset: 0, count: 16, nextOffset: 0, bitmap: Uint8Array.of(0x25, 0) };
    const length = v2.encode({ type: 'res.GET_DEVICES', dev: 0, token: 1, body }, bytes);
    expect(v1.decode(bytes, length)).toMatchObject({
      body: { offset: 0, count: 0, nextOffset: 16, bitmap: new Uint8Array(0) },
    });
  });

  it('v1 driver, v2 device: SET_VQUEUE leaves its queue disabled', () => {
    const hex =
      '00 0a 05 00 3b 12 30 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 ' +
      '00 10 00 40 00 00 00 00 00 20 00 40 00 00 00 00 00 30 00 40 00 00 00 00';
    expect(decodeLine(hex, 'v1')).not.toContain('flags');
    expect(decodeLine(hex, 'v2')).toContain(' flags=0 ');
  });

  it('v2 driver, v1 device: the device information is too short to be understood', () => {
    const hex =
      '01 02 05 00 34 12 20 00 01 00 00 00 51 45 4d 55 40 00 00 00 0c 00 00 00 03 00 00 00 ' +
      '00 00 00 00';
    const bytes = fromHex(hex)!;
    expect(errorOf(() => v2.decode(bytes, bytes.length))?.code).toBe('SIZE');
  });

  it('v1 driver, v2 device: UUID bytes pass for the number of feature bits', () => {
    const bytes = new Uint8Array(52);
    const body = {
      deviceId: 2,
      vendorId: 0,
      uuid: 'c66028b5-2498-4aa1-9de7-77da6122abf0',
      featureBits: 64,
      configSize: 24,
      maxVirtqueues: 1,
      adminStart: 0,
      adminCount: 0,
    };
    const length = v2.encode({ type: 'res.GET_DEVICE_INFO', dev: 5, token: 1, body }, bytes);
    expect(v1.decode(bytes, length)).toMatchObject({ body: { featureBits: 0xb52860c6 } });
  });

  it('v2 driver, v1 device: a shared memory region has no length', () => {
    const bytes = new Uint8Array(32);
    const body = { index: 1, length: 0x1000n, address: 0x8000n };
    const length = v1.encode({ type: 'res.GET_SHM', dev: 5, token: 1, body }, bytes);
    expect(errorOf(() => v2.decode(bytes, length))?.code).toBe('SIZE');
  });
});
