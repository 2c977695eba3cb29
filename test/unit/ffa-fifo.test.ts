// The FIFOs of an FF-A bus: their layout byte by byte, both sides of them on one memory, full and empty
// rings, wrap-around, and starting over. Layout as in the reference, B1 (VFFAFIFO).
import { describe, expect, it } from 'vitest';
import { DeviceFifo } from '../../buses/ffa/device-fifo.ts';
import { DriverFifo } from '../../buses/ffa/driver-fifo.ts';
import {
  FIFO,
  FIFO_CAPACITY,
  FIFO_DEPTH,
  FIFO_MESSAGE_SIZE,
  FIFO_PAGES,
  FIFO_RING_SIZE,
} from '../../buses/ffa/fifo-layout.ts';
import { ffaTimingIds } from '../../buses/ffa/timing.ts';
import type { DmaPort } from '../../platform/contracts/index.ts';
import { writeEventAvail } from '../../platform/virtio/messages/index.ts';
import { FakeDma } from '../support/fake-dma.ts';
import { testNodes } from '../support/test-nodes.ts';

const MILLISECOND = 1_000_000_000;

/** The device's port: bus address 0 is the FIFOs' first byte. */
function based(port: FakeDma, base: number): DmaPort {
  return {
    readSegment: (address, length) => port.readSegment(base + address, length),
    writeSegment: (address, source, offset, length) =>
      port.writeSegment(base + address, source, offset, length),
    read: (client, tag) => port.read(client, tag),
    write: (client, tag) => port.write(client, tag),
  };
}

/** Both sides of a pair of FIFOs. Notifications reach the other side at once, unless it is deaf. */
function fifos() {
  const { kernel, linux, storage } = testNodes();
  const atDriver: number[] = [];
  const atDevice: number[] = [];
  const state = { deaf: false, toDevice: 0, toDriver: 0 };
  const queueOf = (bytes: Uint8Array) => bytes[8] | (bytes[9] << 8);
  const driver: DriverFifo = new DriverFifo({
    node: linux,
    timing: ffaTimingIds(linux.costs),
    notify: () => {
      state.toDevice++;
      if (!state.deaf) device.notified();
    },
    received: (bytes) => atDriver.push(queueOf(bytes)),
  });
  const port = new FakeDma({ kernel, node: 1, memory: linux.memory, latency: 100_000 });
  const device: DeviceFifo = new DeviceFifo({
    node: storage,
    name: 'ffa0',
    timing: ffaTimingIds(storage.costs),
    dma: based(port, driver.address),
    notify: () => {
      state.toDriver++;
      if (!state.deaf) driver.notified();
    },
    received: (bytes) => atDevice.push(queueOf(bytes)),
  });
  driver.format();
  device.configure();
  const frame = new Uint8Array(16);
  const send = (side: { send(bytes: Uint8Array, length: number): void }, queue: number) =>
    side.send(frame, writeEventAvail(frame, 3, 0, queue, 0));
  let until = 0;
  const run = () => kernel.runUntil((until += MILLISECOND));
  const u16 = (offset: number) => linux.memory.readU16(driver.address + offset);
  return { linux, driver, device, atDriver, atDevice, state, send, run, u16 };
}

describe('the layout of a FIFO', () => {
  it('has magic, sizes and the offset of the second ring where they belong', () => {
    const { linux, driver, u16 } = fifos();
    const bytes = new Uint8Array(8);
    for (const ring of [0, FIFO_RING_SIZE]) {
      linux.memory.copyOut(driver.address + ring, bytes, 0, 8);
      expect(Buffer.from(bytes).toString('latin1')).toBe('VFFAFIFO');
      expect([u16(ring + 0x08), u16(ring + 0x10), u16(ring + 0x12)]).toEqual([0, 128, 30]);
      expect([u16(ring + 0x40), u16(ring + 0x80)]).toEqual([0, 0]);
    }
    expect(linux.memory.readU32(driver.address + 0x18)).toBe(4032);
    expect(linux.memory.readU32(driver.address + 4032 + 0x18)).toBe(0);
    expect([FIFO_RING_SIZE, FIFO_PAGES]).toEqual([4032, 2]);
  });

  it('has a message in a zero-filled slot of 128 bytes, and then the index', () => {
    const { linux, driver, state, send, run, u16 } = fifos();
    state.deaf = true;
    linux.memory.fill(driver.address + FIFO.slots, FIFO_MESSAGE_SIZE, 0xa5);
    send(driver, 7);
    run();
    expect([u16(FIFO.readIndex), u16(FIFO.writeIndex), state.toDevice]).toEqual([0, 1, 1]);
    const slot = new Uint8Array(FIFO_MESSAGE_SIZE);
    linux.memory.copyOut(driver.address + 0xc0, slot, 0, FIFO_MESSAGE_SIZE);
    const message = '00410300000010000700000000000000';
    expect(Buffer.from(slot).toString('hex')).toBe(message.padEnd(2 * FIFO_MESSAGE_SIZE, '0'));
  });
});

describe('messages through FIFOs', () => {
  it('arrive in order, both ways, over many wraps of the rings', () => {
    const { driver, device, atDriver, atDevice, send, run } = fifos();
    const sent = Array.from({ length: 5 * FIFO_DEPTH }, (_, i) => i);
    for (const queue of sent) {
      send(driver, queue);
      send(device, queue);
      if (queue % 7 === 0) run();
    }
    run();
    expect(atDevice).toEqual(sent);
    expect(atDriver).toEqual(sent);
    expect([driver.sent, device.sent]).toEqual([sent.length, sent.length]);
  });

  it('fill a ring with 29, and wait for room without being lost', () => {
    const { driver, device, atDevice, state, send, run, u16 } = fifos();
    state.deaf = true;
    const sent = Array.from({ length: FIFO_CAPACITY + 5 }, (_, i) => i);
    for (const queue of sent) send(driver, queue);
    run();
    expect([u16(FIFO.writeIndex), driver.sent, driver.full > 0]).toEqual([29, 29, true]);
    expect(atDevice).toEqual([]);
    state.deaf = false;
    device.notified();
    run();
    expect(atDevice).toEqual(sent);
    expect(u16(FIFO.readIndex)).toBe(u16(FIFO.writeIndex));
  });

  it('wait for room on the device side as well', () => {
    const { driver, device, atDriver, state, send, run } = fifos();
    state.deaf = true;
    const sent = Array.from({ length: FIFO_CAPACITY + 5 }, (_, i) => i);
    for (const queue of sent) send(device, queue);
    run();
    expect([device.sent, device.full > 0, atDriver.length]).toEqual([29, true, 0]);
    state.deaf = false;
    driver.notified();
    run();
    expect(atDriver).toEqual(sent);
  });

  it('begin anew when the driver formats them and the device is configured again', () => {
    const { driver, device, atDevice, send, run, u16 } = fifos();
    for (const queue of [1, 2, 3]) send(driver, queue);
    run();
    device.reset();
    driver.format();
    device.configure();
    send(driver, 4);
    run();
    expect(atDevice).toEqual([1, 2, 3, 4]);
    expect([u16(FIFO.readIndex), u16(FIFO.writeIndex)]).toEqual([1, 1]);
  });
});
