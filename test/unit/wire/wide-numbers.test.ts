// The dialect with device numbers of 32 bits, which is in no draft: its header byte by byte, what it leaves
// to messages, and devices with such numbers behind a card.
import { describe, expect, it } from 'vitest';
import { MessageBacklog } from '../../../buses/common/index.ts';
import { ScenarioError } from '../../../platform/scenario/index.ts';
import {
  capacity,
  decodeLine,
  headerSizeFor,
  peekDevice,
  revision,
  writeEventAvail,
  writeEventUsed,
} from '../../../platform/virtio/messages/index.ts';
import { toHex } from '../../../platform/wire/index.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../../support/link-scenarios.ts';

const WIDE = headerSizeFor(32);
const { codec } = revision('v1', 32);

function hexOf(message: Parameters<typeof codec.encode>[0]): string {
  const bytes = new Uint8Array(64);
  return toHex(bytes, 0, codec.encode(message, bytes));
}

describe('the header', () => {
  it('has the upper half of the number after the size, and the payload at 10', () => {
    const message = { dev: 0x89abcdef, token: 0x1234, body: { offset: 1, length: 2 } };
    expect(hexOf({ type: 'req.GET_CONFIG', ...message })).toBe(
      ['00', '05', 'efcd', '3412', '1200', 'ab89', '01000000', '02000000'].join(''),
    );
    const text = 'req GET_CONFIG dev=2309737967 tok=4660 offset=1 length=2';
    const bytes = '0005 efcd 3412 1200 ab89 01000000 02000000';
    expect(decodeLine(bytes, 'v1', {}, 32)).toBe(text);
    // As a message of a draft it is another one, and two bytes longer than it needs to be.
    expect(decodeLine(bytes)).toMatch(/^req GET_CONFIG dev=52719 .* \[2 bytes of padding\]$/);
  });

  it('is that of the events that are written straight in bytes', () => {
    const bytes = new Uint8Array(32);
    const avail = writeEventAvail(bytes, 70_000, 0, 3, 9, WIDE);
    expect(toHex(bytes, 0, avail)).toBe('0041701100001200' + '0100' + '0300000009000000');
    expect(peekDevice(bytes, 0, WIDE)).toBe(70_000);
    const used = writeEventUsed(bytes, 2 ** 32 - 1, 0, 3, WIDE);
    expect(toHex(bytes, 0, used)).toBe('0042ffff00000e00' + 'ffff' + '03000000');
    expect(codec.decode(bytes, used)).toMatchObject({ dev: 2 ** 32 - 1, body: { index: 3 } });
  });

  it('is not that of a draft, which has no such numbers', () => {
    const message = { type: 'res.SET_VQUEUE', dev: 65_536, token: 1, body: {} } as const;
    expect(() => revision('v1').codec.encode(message, new Uint8Array(64))).toThrow(
      /cannot be 65536/,
    );
    expect(hexOf(message)).toBe('010a000001000a000100');
  });

  it('leaves two bytes less to what a message carries', () => {
    const draft = capacity('v1', 64);
    expect(capacity('v1', 64, 32)).toEqual({
      configBytes: draft.configBytes - 2,
      eventConfigBytes: draft.eventConfigBytes - 2,
      featureBlocks: draft.featureBlocks - 1,
      // And the offsets in a GET_DEVICES response are two bytes longer each.
      deviceSlots: draft.deviceSlots - 6 * 8,
    });
  });
});

it('bus messages tell of such numbers', () => {
  const bitmap = Uint8Array.of(0b101);
  const devices = { offset: 0x12340, count: 8, nextOffset: 0xfffffff8, bitmap };
  expect(hexOf({ type: 'res.GET_DEVICES', dev: 0, token: 1, body: devices })).toBe(
    '0302000001001500' + '0000' + '40230100' + '0800' + 'f8ffffff' + '05',
  );
  const body = { number: 0x12345, state: 2 };
  expect(hexOf({ type: 'req.EVENT_DEVICE', dev: 0, token: 0, body })).toBe(
    '0240000000001000' + '0000' + '45230100' + '0200',
  );
});

it('notifications of devices whose numbers differ above 16 bits are not merged', () => {
  const backlog = new MessageBacklog(64, WIDE);
  const bytes = new Uint8Array(64);
  const used = (device: number) => writeEventUsed(bytes, device, 0, 0, WIDE);
  backlog.push(bytes, used(5), -1);
  expect(backlog.merges(bytes, used(5 + 65_536))).toBe(false);
  backlog.push(bytes, used(5 + 65_536), -1);
  expect(backlog.merges(bytes, used(5))).toBe(true);
  expect(backlog.merges(bytes, used(5 + 65_536))).toBe(true);
});

describe('a bus', () => {
  const far = 2 ** 32 - 1;
  const wide = { deviceNumbers: '32bit', discovery: 'messages' };

  it.each(['ivshmem', 'mailbox', 'xen'])(
    'of type %s has a disk of such a number, which comes and goes',
    (type) => {
      const rig = linkRig({
        type,
        bus: { ...wide, ...(type === 'mailbox' ? { carveOut: '8MiB' } : {}) },
        devices: { disk0: disk(far, { addAt: '300ms' }), disk1: disk(65_536 + 7) },
      });
      expect(rig.run()).toBe('done');
      expect(rig.outcome.workloads[0].result).toMatchObject({ requests: 60, errors: 0 });
      expect(rig.violations).toEqual([]);
      expect(busCounters(rig, 'device')).toMatchObject({ EVENT_DEVICE: 1 });
    },
  );

  it('can have such numbers and data in band', () => {
    const bus = { ...wide, data: 'inBand' };
    const rig = linkRig({ type: 'ivshmem', bus, devices: { disk0: disk(far) } });
    expect(rig.run()).toBe('done');
    expect(rig.outcome.workloads[0].result).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('of the drafts refuses such a number', () => {
    const load = () => linkTopology({ type: 'ivshmem', devices: { disk0: disk(65_536) } });
    expect(load).toThrow(ScenarioError);
    expect(load).toThrow(/'disk0' would have number 65536 on bus0/);
    const tooMany = { disk0: disk(far, { count: 2 }) };
    const past = () => linkTopology({ type: 'ivshmem', bus: wide, devices: tooMany });
    expect(past).toThrow(/copy 'disk0-1' would have number 4294967296/);
  });

  it('says that they are in no draft', () => {
    const [{ beyondDrafts }] = linkTopology({ type: 'xen', bus: wide, workloads: [fio()] }).buses;
    expect(beyondDrafts).toEqual(['device numbers of 32 bits']);
  });
});
