// The FIFOs of the PCI bus byte by byte against the reference: SPSC queues and the self-describing layout,
// and how the two sides of the latter find each other.
import { describe, expect, it } from 'vitest';
import {
  OwnRingMemory,
  type RingMemory,
  RingPair,
  type RingReader,
} from '../../buses/common/index.ts';
import { BarRingMemory } from '../../buses/pci/bar-ring-memory.ts';
import { PeerHandshake } from '../../buses/pci/peer-handshake.ts';
import {
  checkLayout,
  describedRings,
  HEADER_SIZE,
  LAYOUT_MAGIC,
  type LayoutHeader,
  layoutHeader,
  QEMU_LAYOUT,
  queueHead,
} from '../../buses/pci/self-describing.ts';
import { PcieBench } from '../support/pcie-bench.ts';

const WINDOW = 8192;
const MILLISECOND = 1_000_000_000;

describe('the layout header', () => {
  it('has its fields where the reference has them', () => {
    const offsets = layoutHeader.places.map(({ name, at, width }) => [name, at, width]);
    expect(offsets).toEqual([
      ['magic', 0, 2],
      ['length', 2, 2],
      ['version', 4, 2],
      ['features', 6, 2],
      ['notificationCount', 8, 1],
      ['notificationsPerDevice', 9, 1],
      ['elementCount', 10, 2],
      ['elementSize', 12, 2],
      ['unused', 14, 2],
      ['deviceNotifications', 16, 8],
      ['deviceHead', 24, 8],
      ['deviceElements', 32, 8],
      ['driverNotifications', 40, 8],
      ['driverHead', 48, 8],
      ['driverElements', 56, 8],
    ]);
    expect(HEADER_SIZE).toBe(64);
    expect(queueHead.places.map(({ name, at }) => [name, at])).toEqual([
      ['magic', 0],
      ['status', 2],
      ['tail', 4],
      ['head', 6],
    ]);
  });

  it('is that of QEMU by its bytes', () => {
    const bytes = new Uint8Array(HEADER_SIZE);
    layoutHeader.encode(QEMU_LAYOUT, bytes, 0);
    expect([...bytes.subarray(0, 16)]).toEqual([
      0x4f, 0x4c, 64, 0, 1, 0, 0, 0, 0, 0, 63, 0, 64, 0, 0, 0,
    ]);
    // Heads at 64 and 72, rings at 80 and 4112: 63 slots each, which end within 8 KiB.
    expect([bytes[24], bytes[48], bytes[32], bytes[56] | (bytes[57] << 8)]).toEqual([
      64, 72, 80, 4112,
    ]);
    expect(checkLayout(QEMU_LAYOUT, WINDOW)).toBe('valid');
    const { driver, device } = describedRings(QEMU_LAYOUT);
    expect(device).toMatchObject({ producerIndex: 68, consumerIndex: 78, firstSlot: 80 });
    expect(driver).toMatchObject({ producerIndex: 76, consumerIndex: 70, firstSlot: 4112 });
    expect(driver).toMatchObject({ slots: 63, slotSize: 64, indexBytes: 2, capacity: 62 });
  });

  it.each([
    ['without its magic', { magic: 0 }, 'absent'],
    ['with the magic the wrong way round', { magic: 0x4f4c }, 'absent'],
    ['of another length', { length: 60 }, 'invalid'],
    ['of another version', { version: 2 }, 'invalid'],
    ['with one element', { elementCount: 1 }, 'invalid'],
    ['with elements of no size', { elementSize: 0 }, 'invalid'],
    ['with two elements', { elementCount: 2 }, 'valid'],
    ['with a head inside the header', { deviceHead: 62n }, 'invalid'],
    ['with heads that overlap', { driverHead: 66n }, 'invalid'],
    ['with an odd head', { deviceHead: 8001n, driverHead: 64n }, 'invalid'],
    ['with rings that overlap', { driverElements: 4111n }, 'invalid'],
    ['with an odd ring behind all else', { driverElements: 4113n }, 'valid'],
    ['beyond the window', { driverElements: 4161n }, 'invalid'],
    ['far beyond it', { driverElements: 2n ** 63n }, 'invalid'],
    [
      'with notification words',
      {
        notificationCount: 1,
        notificationsPerDevice: 16,
        deviceNotifications: 8144n,
        driverNotifications: 8152n,
      },
      'valid',
    ],
    [
      'with words that are not aligned',
      {
        notificationCount: 1,
        notificationsPerDevice: 1,
        deviceNotifications: 8146n,
        driverNotifications: 8160n,
      },
      'invalid',
    ],
    ['with too many words', { notificationCount: 65, notificationsPerDevice: 1 }, 'invalid'],
    [
      'with an odd number of them per device',
      { notificationCount: 1, notificationsPerDevice: 3 },
      'invalid',
    ],
  ] as const)('%s is judged', (_, change, verdict) => {
    expect(checkLayout({ ...QEMU_LAYOUT, ...change } as LayoutHeader, WINDOW)).toBe(verdict);
  });
});

/** A host whose RAM holds one FIFO, with as many ways to it as wanted. */
function withWindow() {
  const { kernel, host: node } = new PcieBench();
  const base = node.memory.allocate(WINDOW, 4096);
  const memory = () => new OwnRingMemory(node, base, node.timing.lineLatency, 64);
  const byte = (at: number) => node.memory.readU8(base + at);
  const word = (at: number) => node.memory.readU16(base + at);
  const writeLayout = (change: object = {}) => {
    const bytes = new Uint8Array(HEADER_SIZE);
    layoutHeader.encode({ ...QEMU_LAYOUT, ...change }, bytes, 0);
    node.memory.copyIn(base, bytes, 0, HEADER_SIZE);
  };
  return { kernel, node, base, memory, byte, word, writeLayout };
}
type Window = ReturnType<typeof withWindow>;

/** One end of a FIFO with the layout of QEMU, and what it hears. */
function pairOn({ node, memory }: Window, side: 'driver' | 'device', doorbell: () => void) {
  const { driver, device } = describedRings(QEMU_LAYOUT);
  const frames: number[] = [];
  const problems: string[] = [];
  const pair = new RingPair({
    node,
    name: side,
    maxMessageSize: 64,
    client: {
      up: () => {},
      down: (reason) => problems.push(reason),
      frame: (bytes) => frames.push(bytes[0]),
    },
    sending: side === 'driver' ? driver : device,
    receiving: side === 'driver' ? device : driver,
    memory,
    fullRetry: MILLISECOND,
    doorbell: node.timing.messageEncode,
    ringDoorbell: doorbell,
  });
  pair.open();
  return { pair, frames, problems };
}

const frame = (first: number) => Uint8Array.of(first, 0, 0, 0, 0, 0, 8, 0);

describe('the rings of a self-describing FIFO', () => {
  it('move only the indexes that are their own', () => {
    const window = withWindow();
    const { kernel, byte, word } = window;
    const device = pairOn(window, 'device', () => {});
    const driver = pairOn(window, 'driver', () => device.pair.line.raise());
    kernel.runUntil(MILLISECOND);
    driver.pair.send(frame(0x11), 8);
    kernel.runUntil(2 * MILLISECOND);
    expect(device.frames).toEqual([0x11]);
    // Tail of the driver's head, head of the device's; the others are untouched.
    expect([word(76), word(70), word(68), word(78)]).toEqual([1, 1, 0, 0]);
    expect([byte(4112), byte(4113)]).toEqual([0x11, 0]);
    device.pair.send(frame(0x22), 8);
    kernel.runUntil(3 * MILLISECOND);
    driver.pair.line.raise();
    kernel.runUntil(4 * MILLISECOND);
    expect(driver.frames).toEqual([0x22]);
    expect([word(76), word(70), word(68), word(78)]).toEqual([1, 1, 1, 1]);
    expect(byte(80)).toBe(0x22);
  });

  it('hold 62 messages, then wait; and go round at 63', () => {
    const window = withWindow();
    const { kernel, word } = window;
    const device = pairOn(window, 'device', () => {});
    const driver = pairOn(window, 'driver', () => {});
    for (let i = 0; i < 70; i++) driver.pair.send(frame(i), 8);
    kernel.runUntil(MILLISECOND / 2);
    expect([word(76), driver.pair.statistics()['ringFull']]).toEqual([62, 1]);
    device.pair.line.raise();
    kernel.runUntil(MILLISECOND * 3);
    device.pair.line.raise();
    kernel.runUntil(MILLISECOND * 6);
    expect(device.frames).toEqual(Array.from({ length: 70 }, (_, i) => i));
    expect([word(76), word(70)]).toEqual([7, 7]);
  });

  it('are broken by an index that cannot be', () => {
    const window = withWindow();
    const { kernel, node, base } = window;
    const device = pairOn(window, 'device', () => {});
    kernel.runUntil(MILLISECOND);
    node.memory.writeU16(base + 76, 63);
    device.pair.line.raise();
    kernel.runUntil(2 * MILLISECOND);
    expect([device.problems, device.frames]).toEqual([["a ring's index is 63"], []]);
  });
});

/** One side of the handshake, and what came of it. */
function sideOn(window: Window, side: 'driver' | 'device', interval: number) {
  const heard: string[] = [];
  const handshake = new PeerHandshake({
    node: window.node,
    name: side,
    side,
    memory: window.memory(),
    windowSize: WINDOW,
    interval,
    looksMax: side === 'driver' ? 300 : 1000,
    announced: () => heard.push('announced'),
    up: () => heard.push('up'),
    restarted: () => heard.push('restarted'),
    failed: (reason) => heard.push(reason),
  });
  return { handshake, heard };
}

const STATUS = { driver: 74, device: 66 } as const;

describe('the handshake', () => {
  it('brings both sides from INIT over READY to RUN', () => {
    const window = withWindow();
    const { kernel, word } = window;
    const device = sideOn(window, 'device', 100 * MILLISECOND);
    const driver = sideOn(window, 'driver', 1050 * MILLISECOND);
    const states = () => [word(STATUS.device), word(STATUS.driver)];
    device.handshake.start();
    driver.handshake.start();
    kernel.runUntil(500 * MILLISECOND);
    // The driver has not seen the layout, and is not to be seen.
    expect([states(), word(72)]).toEqual([[0, 0], 0]);
    window.writeLayout();
    kernel.runUntil(1060 * MILLISECOND);
    expect([states(), word(72)]).toEqual([[0, 1], 0x514f]);
    kernel.runUntil(1110 * MILLISECOND);
    expect([states(), device.heard]).toEqual([
      [2, 1],
      ['announced', 'up'],
    ]);
    kernel.runUntil(2200 * MILLISECOND);
    expect([states(), driver.heard]).toEqual([
      [2, 2],
      ['announced', 'up'],
    ]);
    expect([device.handshake.isRunning, driver.handshake.isRunning]).toEqual([true, true]);
  });

  it('begins anew when the peer does', () => {
    const window = withWindow();
    const { kernel, word } = window;
    window.writeLayout();
    const device = sideOn(window, 'device', MILLISECOND);
    const driver = sideOn(window, 'driver', MILLISECOND);
    device.handshake.start();
    driver.handshake.start();
    kernel.runUntil(10 * MILLISECOND);
    driver.handshake.stop();
    kernel.runUntil(11 * MILLISECOND);
    expect(word(STATUS.driver)).toBe(3);
    driver.handshake.start();
    // The doorbell that goes with INIT.
    device.handshake.look();
    kernel.runUntil(20 * MILLISECOND);
    expect(device.heard).toEqual(['announced', 'up', 'restarted', 'announced', 'up']);
    expect([word(STATUS.device), word(STATUS.driver)]).toEqual([2, 2]);
    expect([word(76), word(78)]).toEqual([0, 0]);
  });

  it('fails on a layout that makes no sense', () => {
    const window = withWindow();
    window.writeLayout({ version: 7 });
    const driver = sideOn(window, 'driver', MILLISECOND);
    driver.handshake.start();
    window.kernel.runUntil(5 * MILLISECOND);
    expect(driver.heard).toEqual(['the layout of a FIFO makes no sense']);
  });

  it('gives up a peer that never comes, after 300 looks', () => {
    const window = withWindow();
    window.writeLayout();
    const driver = sideOn(window, 'driver', MILLISECOND);
    driver.handshake.start();
    window.kernel.runUntil(299 * MILLISECOND);
    expect(driver.heard).toEqual(['announced']);
    window.kernel.runUntil(310 * MILLISECOND);
    expect(driver.heard).toEqual(['announced', 'the peer never came']);
    expect(window.word(STATUS.driver)).toBe(4);
  });

  it('takes nothing for a peer that has not its magic', () => {
    const window = withWindow();
    window.writeLayout();
    window.node.memory.writeU16(window.base + 66, 1);
    const driver = sideOn(window, 'driver', MILLISECOND);
    driver.handshake.start();
    window.kernel.runUntil(20 * MILLISECOND);
    expect([driver.heard, window.word(STATUS.driver)]).toEqual([['announced'], 0]);
    expect(LAYOUT_MAGIC).toBe(0x4c4f);
  });
});

describe('rings in a BAR', () => {
  it('are read in loads as wide as the core makes them', () => {
    const loadsFor = (loadWidth: number, offset: number, length: number) => {
      const bench = new PcieBench().start();
      bench.bars[0].set(Array.from({ length: 256 }, (_, i) => i));
      const base = bench.barAddress(0);
      const { host: node, port } = bench;
      const memory: RingMemory = new BarRingMemory({ node, port, base, loadWidth, readMax: 64 });
      let bytes = new Uint8Array(0);
      const reader: RingReader = {
        ringRead: (_, read) => {
          bytes = read.slice(0, length);
        },
        ringRefused: () => {},
      };
      bench.onCore(() => memory.read(offset, length, reader, 0, -1));
      bench.run();
      expect([...bytes]).toEqual(Array.from({ length }, (_, i) => offset + i));
      return port.loads;
    };
    expect(loadsFor(8, 0x80, 64)).toBe(8);
    expect(loadsFor(64, 0x80, 64)).toBe(1);
    // A slot of the self-describing layout lies over two lines.
    expect(loadsFor(64, 80, 64)).toBe(2);
    expect(loadsFor(4, 0x40, 4)).toBe(1);
  });

  it('are written a line at a time', () => {
    const bench = new PcieBench().start();
    const base = bench.barAddress(0);
    const { host: node, port } = bench;
    const memory = new BarRingMemory({ node, port, base, loadWidth: 8, readMax: 64 });
    const before = port.stores;
    memory.write(0x80, new Uint8Array(64).fill(7), 64);
    memory.write(80, new Uint8Array(64).fill(9), 64);
    bench.run();
    expect(port.stores - before).toBe(3);
    expect([...bench.bars[0].subarray(76, 84)]).toEqual([0, 0, 0, 0, 9, 9, 9, 9]);
  });
});
