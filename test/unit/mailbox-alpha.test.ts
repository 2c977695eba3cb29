// The messages of 2024 on a mailbox bus: their bytes, what is made up for the transports at both ends, one
// exchange at a time, and answers that do not come.
import { describe, expect, it } from 'vitest';
import {
  ALPHA_SIZE,
  type AlphaMessage,
  decodeAlpha,
  encodeAlpha,
  rangeOf,
} from '../../buses/mailbox/alpha/messages.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { fromHex, toHex } from '../../platform/wire/index.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../support/link-scenarios.ts';

const ALPHA = { dialect: 'alpha', maxMessageSize: '40B', carveOut: '4MiB' };

function hexOf(message: Omit<AlphaMessage, 'isResponse'> & { isResponse?: boolean }): string {
  const bytes = new Uint8Array(ALPHA_SIZE).fill(0xa5);
  encodeAlpha({ isResponse: false, ...message }, bytes);
  return toHex(bytes);
}

describe('the messages', () => {
  it('are 40 bytes: type, id, device and a payload of 36', () => {
    const device = 5;
    const rest = (used: number) => '00'.repeat(36 - used);
    expect(hexOf({ name: 'DEVICE_INFO', device, body: {} })).toBe(`00030500${rest(0)}`);
    const info = { version: 1, deviceId: 2, vendorId: 0x11223344 };
    expect(hexOf({ name: 'DEVICE_INFO', isResponse: true, device, body: info })).toBe(
      `01030500${'01000000'}${'02000000'}${'44332211'}${rest(12)}`,
    );
    const range = rangeOf(0x123456, 7);
    expect(hexOf({ name: 'GET_CONFIG', device, body: { range } })).toBe(
      `00060500${'563412'}07${rest(4)}`,
    );
    // As open-amp has it: an unused word between index and size, and addresses at 12.
    const areas = { descriptorArea: 0x1000n, driverArea: 0x2000n, deviceArea: 0x3000n };
    expect(hexOf({ name: 'SET_VQUEUE', device, body: { index: 1, size: 16, ...areas } })).toBe(
      [
        '000c0500',
        ...['01000000', '00000000', '10000000'],
        ...['0010000000000000', '0020000000000000', '0030000000000000'],
      ].join(''),
    );
    const avail = { index: 1, nextOffset: 2n, nextWrap: 1n };
    expect(hexOf({ name: 'EVENT_AVAIL', device, body: avail })).toBe(
      `00110500${'01000000'}${'0200000000000000'}${'0100000000000000'}${rest(20)}`,
    );
  });

  it('answer by their id alone: open-amp sends them with the type of the request', () => {
    const status = fromHex(`0009050008000000${'00'.repeat(32)}`)!;
    expect(decodeAlpha(status, 64, 'driver')).toEqual({
      ...{ name: 'GET_DEVICE_STATUS', isResponse: true, device: 5 },
      body: { status: 8 },
    });
    expect(decodeAlpha(status, 64, 'device')).toMatchObject({ isResponse: false, body: {} });
  });

  it('are none when short, of another id, or of the bus', () => {
    const bytes = new Uint8Array(ALPHA_SIZE);
    expect(decodeAlpha(bytes.fill(0x03, 1, 2), ALPHA_SIZE - 1, 'device')).toBeNull();
    expect(decodeAlpha(bytes.fill(0x20, 1, 2), ALPHA_SIZE, 'device')).toBeNull();
    // DISCONNECT of open-amp.
    expect(decodeAlpha(bytes.fill(0x02, 0, 2), ALPHA_SIZE, 'device')).toBeNull();
  });
});

describe('a bus', () => {
  it('serves a disk with four elements of 40 bytes', () => {
    const rig = linkRig({ type: 'mailbox', bus: ALPHA });
    expect(rig.run()).toBe('done');
    expect(rig.outcome.workloads[0].result).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    expect(busCounters(rig, 'driver')).toMatchObject({ alphaStrays: 0 });
  });

  it.each(['rfc3', 'v2'])('has transports that speak %s, and do not notice', (revision) => {
    const rig = linkRig({ type: 'mailbox', bus: { ...ALPHA, revision } });
    expect(rig.run()).toBe('done');
    expect(rig.outcome.workloads[0].result).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('has one exchange under way for all its devices', () => {
    const devices = { disk0: disk(0), disk1: disk(1), disk2: disk(2) };
    const workloads = ['disk0', 'disk1', 'disk2'].map((device) => fio({ device, operations: 5 }));
    const rig = linkRig({ type: 'mailbox', bus: ALPHA, devices, workloads });
    expect(rig.run()).toBe('done');
    const { alphaWaited, alphaStrays } = busCounters(rig, 'driver');
    expect([alphaWaited > 20, alphaStrays]).toEqual([true, 0]);
    expect(rig.violations).toEqual([]);
    expect(rig.outcome.workloads.every(({ result }) => result.errors === 0)).toBe(true);
  });

  it('gives up an answer that does not come, and its transport asks again', () => {
    const rig = linkRig({
      type: 'mailbox',
      bus: ALPHA,
      timing: { 'mailbox.requestTimeout': '10ms' },
      // A status is read twice: the read that follows the write is lost on its way back.
      faults: [{ on: 'bus0', drop: 'GET_DEVICE_STATUS', count: 1 }],
    });
    expect(rig.run()).toBe('done');
    expect(rig.outcome.workloads[0].result).toMatchObject({ requests: 60, errors: 0 });
  });
});

it.each([
  [{ maxMessageSize: '36B' }, /40 bytes do not fit into 36/],
  [{ discovery: 'messages' }, /has no bus messages/],
  [{ pingInterval: '1ms' }, /has no bus messages/],
  [{ data: 'inBand' }, /has no such messages/],
  [{ deviceNumbers: '32bit' }, /has no such messages/],
])('refuses %o', (more, message) => {
  const load = () => linkTopology({ type: 'mailbox', bus: { ...ALPHA, ...more } });
  expect(load).toThrow(ScenarioError);
  expect(load).toThrow(message);
});
