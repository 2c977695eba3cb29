// Bytes of whole messages as the reference's section A6 prints them, with what they mean. The
// tests encode and decode each in every revision named.
import type { Revision } from '../../platform/contracts/topology.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { NIL_UUID } from '../../platform/wire/index.ts';

export interface GoldenVector {
  readonly title: string;
  readonly revisions: readonly Revision[];
  readonly hex: string;
  readonly message: {
    readonly type: string;
    readonly dev: number;
    readonly token: number;
    readonly body: object;
  };
  readonly line: string;
}

const all = REVISIONS;
const older = ['rfc3', 'v1'] as const;
const v2 = ['v2'] as const;

const info = {
  deviceId: 1,
  vendorId: 0x554d4551,
  uuid: NIL_UUID,
  featureBits: 64,
  configSize: 12,
  maxVirtqueues: 3,
  adminStart: 0,
  adminCount: 0,
};
const queue = {
  index: 0,
  flags: 0,
  size: 256,
  descriptorArea: 0x4000_1000n,
  driverArea: 0x4000_2000n,
  deviceArea: 0x4000_3000n,
};
const noAreas = { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };

export const goldenVectors: readonly GoldenVector[] = [
  {
    title: 'GET_DEVICE_INFO request',
    revisions: all,
    hex: '00 02 05 00 34 12 08 00',
    message: { type: 'req.GET_DEVICE_INFO', dev: 5, token: 0x1234, body: {} },
    line: 'req GET_DEVICE_INFO dev=5 tok=4660',
  },
  {
    title: 'GET_DEVICE_INFO response',
    revisions: older,
    hex:
      '01 02 05 00 34 12 20 00 01 00 00 00 51 45 4d 55 40 00 00 00 0c 00 00 00 03 00 00 00 ' +
      '00 00 00 00',
    message: { type: 'res.GET_DEVICE_INFO', dev: 5, token: 0x1234, body: info },
    line:
      'res GET_DEVICE_INFO dev=5 tok=4660 deviceId=1 vendorId=0x554d4551 featureBits=64 ' +
      'configSize=12 maxVirtqueues=3 adminStart=0 adminCount=0',
  },
  {
    title: 'GET_DEVICE_INFO response',
    revisions: v2,
    hex:
      '01 02 05 00 34 12 34 00 01 00 00 00 51 45 4d 55 00 00 00 00 00 00 00 00 00 00 00 00 ' +
      '00 00 00 00 02 00 00 00 0c 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00',
    message: { type: 'res.GET_DEVICE_INFO', dev: 5, token: 0x1234, body: info },
    line:
      `res GET_DEVICE_INFO dev=5 tok=4660 deviceId=1 vendorId=0x554d4551 uuid=${NIL_UUID} ` +
      'featureBlocks=2 configSize=12 maxVirtqueues=3 adminStart=0 adminCount=0',
  },
  {
    title: 'GET_DEVICE_FEATURES request, blocks 0 and 1',
    revisions: all,
    hex: '00 03 05 00 35 12 10 00 00 00 00 00 02 00 00 00',
    message: {
      type: 'req.GET_DEVICE_FEATURES',
      dev: 5,
      token: 0x1235,
      body: { blockIndex: 0, blockCount: 2 },
    },
    line: 'req GET_DEVICE_FEATURES dev=5 tok=4661 blockIndex=0 blockCount=2',
  },
  {
    title: 'GET_DEVICE_FEATURES response, VERSION_1 and ACCESS_PLATFORM',
    revisions: all,
    hex: '01 03 05 00 35 12 18 00 00 00 00 00 02 00 00 00 00 00 00 00 03 00 00 00',
    message: {
      type: 'res.GET_DEVICE_FEATURES',
      dev: 5,
      token: 0x1235,
      body: { blockIndex: 0, blockCount: 2, features: [0, 3] },
    },
    line:
      'res GET_DEVICE_FEATURES dev=5 tok=4661 blockIndex=0 blockCount=2 ' +
      'features=0x00000000,0x00000003',
  },
  {
    title: 'SET_DRIVER_FEATURES response',
    revisions: all,
    hex: '01 04 05 00 36 12 08 00',
    message: { type: 'res.SET_DRIVER_FEATURES', dev: 5, token: 0x1236, body: {} },
    line: 'res SET_DRIVER_FEATURES dev=5 tok=4662',
  },
  {
    title: 'GET_CONFIG request, offset 0, length 6',
    revisions: all,
    hex: '00 05 05 00 37 12 10 00 00 00 00 00 06 00 00 00',
    message: { type: 'req.GET_CONFIG', dev: 5, token: 0x1237, body: { offset: 0, length: 6 } },
    line: 'req GET_CONFIG dev=5 tok=4663 offset=0 length=6',
  },
  {
    title: 'GET_CONFIG response, generation 7',
    revisions: all,
    hex: '01 05 05 00 37 12 1a 00 07 00 00 00 00 00 00 00 06 00 00 00 52 54 00 12 34 56',
    message: {
      type: 'res.GET_CONFIG',
      dev: 5,
      token: 0x1237,
      body: {
        generation: 7,
        offset: 0,
        length: 6,
        data: Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56),
      },
    },
    line: 'res GET_CONFIG dev=5 tok=4663 generation=7 offset=0 length=6 data=525400123456',
  },
  {
    title: 'SET_CONFIG response, not applied',
    revisions: all,
    hex: '01 06 05 00 38 12 14 00 08 00 00 00 00 00 00 00 00 00 00 00',
    message: {
      type: 'res.SET_CONFIG',
      dev: 5,
      token: 0x1238,
      body: { generation: 8, offset: 0, length: 0, data: new Uint8Array(0) },
    },
    line: 'res SET_CONFIG dev=5 tok=4664 generation=8 offset=0 length=0',
  },
  {
    title: 'SET_DEVICE_STATUS request, ACKNOWLEDGE and DRIVER',
    revisions: all,
    hex: '00 08 05 00 39 12 0c 00 03 00 00 00',
    message: { type: 'req.SET_DEVICE_STATUS', dev: 5, token: 0x1239, body: { status: 3 } },
    line: 'req SET_DEVICE_STATUS dev=5 tok=4665 status=ACKNOWLEDGE|DRIVER',
  },
  {
    title: 'GET_VQUEUE response, not configured',
    revisions: older,
    hex:
      '01 09 05 00 3a 12 30 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ' +
      '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    message: {
      type: 'res.GET_VQUEUE',
      dev: 5,
      token: 0x123a,
      body: { index: 0, maxSize: 256, size: 0, flags: 0, ...noAreas },
    },
    line:
      'res GET_VQUEUE dev=5 tok=4666 index=0 maxSize=256 size=0 ' +
      'descriptorArea=0x0 driverArea=0x0 deviceArea=0x0',
  },
  {
    title: 'GET_VQUEUE response, not configured',
    revisions: v2,
    hex:
      '01 09 05 00 3a 12 30 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ' +
      '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    message: {
      type: 'res.GET_VQUEUE',
      dev: 5,
      token: 0x123a,
      body: { index: 0, maxSize: 256, size: 0, flags: 0, ...noAreas },
    },
    line:
      'res GET_VQUEUE dev=5 tok=4666 index=0 maxSize=256 size=0 flags=0 ' +
      'descriptorArea=0x0 driverArea=0x0 deviceArea=0x0',
  },
  {
    title: 'SET_VQUEUE request',
    revisions: older,
    hex:
      '00 0a 05 00 3b 12 30 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 ' +
      '00 10 00 40 00 00 00 00 00 20 00 40 00 00 00 00 00 30 00 40 00 00 00 00',
    message: { type: 'req.SET_VQUEUE', dev: 5, token: 0x123b, body: queue },
    line:
      'req SET_VQUEUE dev=5 tok=4667 index=0 size=256 descriptorArea=0x40001000 ' +
      'driverArea=0x40002000 deviceArea=0x40003000',
  },
  {
    title: 'SET_VQUEUE request, enabling',
    revisions: v2,
    hex:
      '00 0a 05 00 3b 12 30 00 00 00 00 00 01 00 00 00 00 01 00 00 00 00 00 00 ' +
      '00 10 00 40 00 00 00 00 00 20 00 40 00 00 00 00 00 30 00 40 00 00 00 00',
    message: { type: 'req.SET_VQUEUE', dev: 5, token: 0x123b, body: { ...queue, flags: 1 } },
    line:
      'req SET_VQUEUE dev=5 tok=4667 index=0 flags=ENABLE size=256 descriptorArea=0x40001000 ' +
      'driverArea=0x40002000 deviceArea=0x40003000',
  },
  {
    title: 'EVENT_AVAIL queue 1',
    revisions: all,
    hex: '00 41 05 00 00 00 10 00 01 00 00 00 00 00 00 00',
    message: { type: 'req.EVENT_AVAIL', dev: 5, token: 0, body: { index: 1, nextOffset: 0 } },
    line: 'req EVENT_AVAIL dev=5 tok=0 index=1 nextOffset=0',
  },
  {
    title: 'EVENT_USED queue 1',
    revisions: all,
    hex: '00 42 05 00 00 00 0c 00 01 00 00 00',
    message: { type: 'req.EVENT_USED', dev: 5, token: 0, body: { index: 1 } },
    line: 'req EVENT_USED dev=5 tok=0 index=1',
  },
  {
    title: 'EVENT_CONFIG status 0x0f, generation 8, generic',
    revisions: all,
    hex: '00 40 05 00 00 00 18 00 0f 00 00 00 08 00 00 00 00 00 00 00 00 00 00 00',
    message: {
      type: 'req.EVENT_CONFIG',
      dev: 5,
      token: 0,
      body: { status: 15, generation: 8, offset: 0, length: 0, data: new Uint8Array(0) },
    },
    line:
      'req EVENT_CONFIG dev=5 tok=0 status=ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK ' +
      'generation=8 offset=0 length=0',
  },
  {
    title: 'GET_DEVICES request',
    revisions: all,
    hex: '02 02 00 00 01 01 0c 00 00 00 10 00',
    message: { type: 'req.GET_DEVICES', dev: 0, token: 0x0101, body: { offset: 0, count: 16 } },
    line: 'req GET_DEVICES dev=0 tok=257 offset=0 count=16',
  },
  {
    title: 'GET_DEVICES response, devices 0, 2 and 5',
    revisions: older,
    hex: '03 02 00 00 01 01 10 00 00 00 10 00 00 00 25 00',
    message: {
      type: 'res.GET_DEVICES',
      dev: 0,
      token: 0x0101,
      body: { offset: 0, count: 16, nextOffset: 0, bitmap: Uint8Array.of(0x25, 0) },
    },
    line: 'res GET_DEVICES dev=0 tok=257 offset=0 count=16 nextOffset=0 bitmap=2500',
  },
  {
    title: 'GET_DEVICES response, devices 0, 2 and 5',
    revisions: v2,
    hex: '03 02 00 00 01 01 10 00 00 00 00 00 10 00 25 00',
    message: {
      type: 'res.GET_DEVICES',
      dev: 0,
      token: 0x0101,
      body: { offset: 0, count: 16, nextOffset: 0, bitmap: Uint8Array.of(0x25, 0) },
    },
    line: 'res GET_DEVICES dev=0 tok=257 offset=0 nextOffset=0 count=16 bitmap=2500',
  },
  {
    title: 'PING request',
    revisions: all,
    hex: '02 03 00 00 02 01 0c 00 ef be ad de',
    message: { type: 'req.PING', dev: 0, token: 0x0102, body: { data: 0xdeadbeef } },
    line: 'req PING dev=0 tok=258 data=0xdeadbeef',
  },
  {
    title: 'EVENT_DEVICE device 2, state 1',
    revisions: older,
    hex: '02 40 00 00 00 00 0c 00 02 00 01 00',
    message: { type: 'req.EVENT_DEVICE', dev: 0, token: 0, body: { number: 2, state: 1 } },
    line: 'req EVENT_DEVICE dev=0 tok=0 number=2 state=READY',
  },
  {
    title: 'EVENT_DEVICE device 2, state 1',
    revisions: v2,
    hex: '02 40 00 00 00 00 0c 00 02 00 01 00',
    message: { type: 'req.EVENT_DEVICE', dev: 0, token: 0, body: { number: 2, state: 1 } },
    line: 'req EVENT_DEVICE dev=0 tok=0 number=2 state=ADDED',
  },
];
