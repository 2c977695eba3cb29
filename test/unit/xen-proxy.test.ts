// Xen's proxy for virtio-mmio: messages with the short header byte by byte, the rules of the ACCESS register,
// which accesses become which messages, and what a guest may not do with it.
import { describe, expect, it } from 'vitest';
import { MmioMessageProxy, registers as R } from '../../buses/virtio-mmio/index.ts';
import {
  ACCESS,
  ACCESS_DATA,
  accessValue,
  isBusy,
  MAGIC_NON_BLOCKING,
  VENDOR,
} from '../../buses/xen/access-register.ts';
import { ForeignMap } from '../../buses/xen/foreign-map.ts';
import { MmioWindow } from '../../buses/xen/mmio-window.ts';
import { SixByteFrames } from '../../buses/xen/six-byte-frames.ts';
import { Memory, RAM_BASE } from '../../platform/node/index.ts';
import {
  type LooseMessage,
  type RevisionInfo,
  revision,
  TRANSPORT_F,
} from '../../platform/virtio/messages/index.ts';
import { fromHex, toHex } from '../../platform/wire/index.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../support/link-scenarios.ts';
import { testNodes } from '../support/test-nodes.ts';

const MILLISECOND = 1_000_000_000;

describe('messages with the header of six bytes', () => {
  const frames = new SixByteFrames();
  const target = new Uint8Array(64);
  const shorten = (hex: string) => {
    const bytes = fromHex(hex)!;
    return toHex(target.slice(0, frames.shorten(bytes, bytes.length, target)));
  };
  /** The slot of a queue is longer than its message. */
  const lengthen = (hex: string, token: number) => {
    const slot = new Uint8Array(64);
    slot.set(fromHex(hex)!);
    return toHex(target.slice(0, Math.max(0, frames.lengthen(slot, 64, token, target))));
  };

  it('have no token, and say a size of two bytes less', () => {
    // The golden GET_CONFIG request and EVENT_USED of the reference.
    const request = '000505003712100000000000 06000000'.replaceAll(' ', '');
    expect(shorten(request)).toBe('000505000e000000000006000000');
    expect(lengthen('000505000e000000000006000000', 0x1237)).toBe(request);
    expect(shorten('0042050000000c0001000000')).toBe('004205000a0001000000');
  });

  it('have no reserved word among the addresses of a queue', () => {
    const areas = '001000400000000000200040000000000030004000000000';
    const long = `000a05003b123000 00000000 00000000 00010000 00000000 ${areas}`;
    const short = `000a05002a00 00000000 00000000 00010000 ${areas}`;
    expect(shorten(long.replaceAll(' ', ''))).toBe(short.replaceAll(' ', ''));
    expect(lengthen(short.replaceAll(' ', ''), 0x123b)).toBe(long.replaceAll(' ', ''));
    // The response repeats the request; the long one is empty.
    const response = `010a05002a00 00000000 00000000 00010000 ${areas}`.replaceAll(' ', '');
    expect(shorten('010a05003b120800')).toBe(response);
    expect(lengthen(response, 0x123b)).toBe('010a05003b120800');
  });

  it('have 44 bytes at the most, and 6 at the least', () => {
    for (const size of ['0500', '2d00', 'ffff']) expect(lengthen(`00050500${size}`, 1)).toBe('');
    expect(frames.lengthen(fromHex('00070500')!, 4, 1, target)).toBe(-1);
    // SET_VQUEUE has one size only.
    expect(lengthen('000a0500200000000000', 1)).toBe('');
  });
});

/** A proxy whose messages and interrupts are noted; responses are the test's. */
function proxyBench(
  options: {
    shortConfigReads?: boolean;
    featuresAgain?: boolean;
    revision?: RevisionInfo;
    transportFeatures?: number;
  } = {},
) {
  const { linux } = testNodes({});
  const { revision: spoken = revision('v1'), transportFeatures = 0 } = options;
  const { codec } = spoken;
  const sent: string[] = [];
  let interrupts = 0;
  let ready = true;
  const proxy: MmioMessageProxy = new MmioMessageProxy({
    node: linux,
    name: 'proxy',
    device: 5,
    revision: spoken,
    transportFeatures,
    maxMessageSize: 64,
    magic: MAGIC_NON_BLOCKING,
    vendor: VENDOR,
    featuresAgain: options.featuresAgain ?? false,
    send: (bytes, length) => {
      const message = codec.decode(bytes, length) as LooseMessage;
      sent.push(codec.text(message as never).replace(/ tok=\d+/, ''));
    },
    interrupt: () => interrupts++,
    completed: (value) => window.completed(value),
  });
  const window: MmioWindow = new MmioWindow(proxy, {
    isReady: () => ready,
    shortConfigReads: options.shortConfigReads ?? false,
  });
  const answer = (message: object) => {
    const bytes = new Uint8Array(64);
    const body = { dev: 5, token: 0, body: {}, ...message };
    proxy.message(bytes, codec.encode(body as never, bytes, 0, 64));
  };
  const load = (offset: number, size = 4) =>
    window.write(ACCESS, accessValue({ write: false, size, offset }));
  const store = (offset: number, value: number, size = 4) => {
    window.write(ACCESS_DATA, value);
    return window.write(ACCESS, accessValue({ write: true, size, offset }));
  };
  const isFree = () => !isBusy(window.read(ACCESS)!);
  const setReady = (value: boolean) => {
    ready = value;
  };
  const raised = () => interrupts;
  return { linux, codec, proxy, window, sent, answer, load, store, isFree, setReady, raised };
}

describe('the window', () => {
  it('has a magic of its own, and few registers that are read directly', () => {
    const { window, sent } = proxyBench();
    expect(window.read(R.MagicValue.at)).toBe(0x626e6d76);
    expect([window.read(R.Version.at), window.read(R.VendorID.at)]).toEqual([2, 0x58656e20]);
    expect([window.read(R.InterruptStatus.at), window.read(ACCESS_DATA)]).toEqual([0, 0]);
    for (const { at } of [R.DeviceID, R.Status, R.QueueReady, R.Config]) {
      expect(window.read(at)).toBeNull();
      expect(window.write(at, 1)).toBe(false);
    }
    expect(sent).toEqual([]);
  });

  it('serves one access at a time: others abort, and its data stays', () => {
    const { window, load, store, isFree, answer, sent } = proxyBench();
    expect([load(R.DeviceID.at), isFree()]).toEqual([true, false]);
    expect([load(R.Status.at), store(R.Status.at, 0)]).toEqual([false, false]);
    expect(window.write(ACCESS_DATA, 7)).toBe(false);
    answer({
      type: 'res.GET_DEVICE_INFO',
      body: {
        ...{ deviceId: 2, vendorId: 0, featureBits: 64, configSize: 8, maxVirtqueues: 1 },
        ...{ adminStart: 0, adminCount: 0 },
      },
    });
    expect([isFree(), window.read(ACCESS_DATA), sent]).toEqual([
      true,
      2,
      ['req GET_DEVICE_INFO dev=5'],
    ]);
  });

  it('aborts accesses that have no such size, are not aligned, or lie beyond it', () => {
    const { load, isFree, sent } = proxyBench();
    const refused = [
      [R.Config.at, 8],
      [R.Config.at + 1, 2],
      [R.Config.at + 2, 4],
      [0x200, 1],
    ] as const;
    for (const [offset, size] of refused) expect(load(offset, size)).toBe(false);
    expect([isFree(), sent]).toEqual([true, []]);
  });

  it('is busy while nobody is connected or the queue is full', () => {
    const { load, isFree, setReady } = proxyBench();
    setReady(false);
    expect([isFree(), load(R.QueueReady.at)]).toEqual([false, false]);
    setReady(true);
    expect([isFree(), load(R.QueueReady.at)]).toEqual([true, true]);
  });

  it('loses words of the configuration, and those only, with the known defect', () => {
    const read = (size: number, data: number[]) => {
      const bench = proxyBench({ shortConfigReads: true });
      bench.load(R.Config.at, size);
      const body = { generation: 1, offset: 0, length: size, data: Uint8Array.from(data) };
      bench.answer({ type: 'res.GET_CONFIG', body });
      return bench.window.read(ACCESS_DATA);
    };
    expect([read(4, [1, 2, 3, 4]), read(2, [1, 2]), read(1, [1])]).toEqual([0, 0x201, 1]);
  });
});

describe('the proxy', () => {
  it('keeps what the device need not know, until a queue is made ready', () => {
    const { store, answer, sent, load, window } = proxyBench();
    store(R.QueueSel.at, 1);
    answer({ type: 'res.GET_VQUEUE', body: queue(1, 256) });
    load(R.QueueSizeMax.at);
    expect(window.read(ACCESS_DATA)).toBe(256);
    store(R.QueueSize.at, 64);
    store(R.QueueDescLow.at, 0x1000);
    store(R.QueueDescHigh.at, 1);
    store(R.QueueDriverLow.at, 0x2000);
    store(R.QueueDeviceLow.at, 0x3000);
    store(R.QueueReady.at, 1);
    expect(sent).toEqual([
      'req GET_VQUEUE dev=5 index=1',
      expect.stringContaining('req SET_VQUEUE dev=5 index=1'),
    ]);
    expect(sent[1]).toMatch(/size=64 .*100001000.*2000.*3000/);
    answer({ type: 'res.SET_VQUEUE' });
    load(R.QueueReady.at);
    expect(window.read(ACCESS_DATA)).toBe(1);
    store(R.QueueReady.at, 0);
    expect(sent[2]).toBe('req RESET_VQUEUE dev=5 index=1');
  });

  it('sends the features before the status that agrees on them, and is busy for both', () => {
    const { codec, store, answer, sent, isFree } = proxyBench();
    store(R.DriverFeatures.at, 0x20);
    store(R.DriverFeaturesSel.at, 1);
    store(R.DriverFeatures.at, 3);
    store(R.Status.at, 11);
    const body = { blockIndex: 0, blockCount: 2, features: [0x20, 3] };
    const features = { type: 'req.SET_DRIVER_FEATURES', dev: 5, token: 0, body };
    const text = codec.text(features as never).replace(/ tok=\d+/, '');
    expect(sent).toEqual([
      text,
      'req SET_DEVICE_STATUS dev=5 status=ACKNOWLEDGE|DRIVER|FEATURES_OK',
    ]);
    answer({ type: 'res.SET_DRIVER_FEATURES' });
    expect(isFree()).toBe(false);
    answer({ type: 'res.SET_DEVICE_STATUS', body: { status: 11 } });
    expect(isFree()).toBe(true);
    store(R.Status.at, 15);
    expect(sent).toHaveLength(3);
  });

  it('sends them again with each status, with the known defect', () => {
    const { store, answer, sent } = proxyBench({ featuresAgain: true });
    for (const status of [11, 15]) {
      store(R.Status.at, status);
      answer({ type: 'res.SET_DRIVER_FEATURES' });
      answer({ type: 'res.SET_DEVICE_STATUS', body: { status } });
    }
    expect(sent.filter((text) => text.includes('SET_DRIVER_FEATURES'))).toHaveLength(2);
  });

  it.each([
    ['v1', 0, '', 'generation=7'],
    ['v2', 0, 'flags=ENABLE', 'generation=0'],
    ['v2', TRANSPORT_F.STRICT_CONFIG_GENERATION, 'flags=ENABLE', 'generation=7'],
  ] as const)('enables queues and writes configuration as %s with features %d has it', (...row) => {
    const [name, transportFeatures, enabling, generation] = row;
    const bench = proxyBench({ revision: revision(name), transportFeatures });
    const { store, load, answer, sent } = bench;
    store(R.QueueSize.at, 64);
    store(R.QueueReady.at, 1);
    answer({ type: 'res.SET_VQUEUE' });
    load(R.ConfigGeneration.at);
    const body = { generation: 7, offset: 0, length: 0, data: new Uint8Array(0) };
    answer({ type: 'res.GET_CONFIG', body });
    store(R.Config.at, 0xff, 1);
    expect(sent[0]).toMatch(/^req SET_VQUEUE .*size=64/);
    expect(sent[0].includes('flags=')).toBe(enabling !== '');
    expect(sent[0]).toContain(enabling);
    expect(sent[2]).toMatch(/^req SET_CONFIG /);
    expect(sent[2]).toContain(generation);
  });

  it('tells of events by InterruptStatus, until they are acknowledged', () => {
    const { window, answer, raised } = proxyBench();
    answer({ type: 'req.EVENT_USED', body: { index: 0 } });
    answer({
      type: 'req.EVENT_CONFIG',
      body: { status: 15, generation: 1, offset: 0, length: 0, data: new Uint8Array(0) },
    });
    expect([raised(), window.read(R.InterruptStatus.at)]).toEqual([2, 3]);
    window.write(R.InterruptACK.at, 1);
    expect(window.read(R.InterruptStatus.at)).toBe(2);
  });

  it('drops and reports responses that nobody waits for, and accesses to no register', () => {
    const { linux, load, answer, isFree } = proxyBench();
    load(R.Status.at);
    answer({ type: 'res.GET_VQUEUE', body: queue(0, 16) });
    expect(isFree()).toBe(false);
    answer({ type: 'res.GET_DEVICE_STATUS', body: { status: 0 } });
    expect([isFree(), load(0x008c), load(R.QueueSel.at)]).toEqual([true, true, true]);
    expect(linux.violations.described.map(({ text }) => text)).toEqual([
      'proxy: res.GET_VQUEUE was not asked for',
      'proxy: read at 0x08c',
      'proxy: read at 0x030',
    ]);
  });
});

function queue(index: number, maxSize: number) {
  const areas = { descriptorArea: 0n, driverArea: 0n, deviceArea: 0n };
  return { index, maxSize, size: 0, flags: 0, ...areas };
}

describe('foreign mappings', () => {
  it('are of frames that the guest has, for the domain with the privilege', () => {
    const memory = new Memory(64 * 4096);
    const map = new ForeignMap(memory, 2);
    const first = RAM_BASE / 4096;
    expect([map.map(first, 3), map.denial]).toEqual([false, 'the domain may not map this guest']);
    expect([map.map(first + 64, 2), map.denial]).toEqual([false, 'the guest has no such frame']);
    expect([map.translate(first, 2, 0, 8), map.denial]).toEqual([-1, 'the frame is not mapped']);
    expect([map.map(first, 2), map.translate(first, 2, 16, 8)]).toEqual([true, RAM_BASE + 16]);
    expect([map.translate(first, 2, 4090, 8), map.denial]).toEqual([
      -1,
      'the access is outside the page',
    ]);
    expect(map.translate(first, 3, 0, 8)).toBe(-1);
  });
});

describe('a guest behind the proxy', () => {
  const proxied = { type: 'xen', bus: { frontEnd: 'mmio' } };

  it('has its disk without a message of its own, at a few traps a request', () => {
    const rig = linkRig(proxied);
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    const { exits, busyLooks, messages } = busCounters(rig, 'driver');
    expect(exits).toBeGreaterThan(60 * 4);
    // Notifications go out for requests that find the queue idle.
    expect([busyLooks > 20, messages > 30]).toEqual([true, true]);
  });

  it('waits at a busy window for a device domain that is late', () => {
    const rig = linkRig(proxied);
    let held = 1;
    rig.filter = ({ at, packet }) => !(packet.kind === 10 && at < 5 * MILLISECOND && held-- > 0);
    rig.runUntil(20 * MILLISECOND);
    expect(rig.outcome.workloads[0].driverState).not.toBe('live');
    expect(busCounters(rig, 'driver')['busyLooks']).toBeGreaterThan(100);
    expect(rig.violations).toEqual([]);
  });

  it.each([
    [{ devices: { disk0: disk(0), disk1: disk(1) } }, 'a proxy has one device, not 2'],
    [{ bus: { revision: 'v2' } }, 'messages of v2 are too long for a proxy'],
    [{ bus: { discovery: 'messages' } }, 'a proxy sends no bus messages'],
    [{ bus: { pingInterval: '1ms' } }, 'a proxy sends no bus messages'],
    [{ bus: { grants: 'copy' } }, 'a proxy has no grants: frames are mapped'],
    [{ device: { restarts: [{ at: '1ms', for: '1ms' }] } }, 'a proxy does not tell its guest'],
  ])('is refused what it does not have: %j', (more, message) => {
    const bus = { frontEnd: 'mmio', ...(more as { bus?: object }).bus };
    expect(() => linkTopology({ type: 'xen', workloads: [fio()], ...more, bus })).toThrow(message);
  });
});
