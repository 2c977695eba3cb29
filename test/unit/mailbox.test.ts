// The mailbox bus: the shared area byte by byte, signals that wait for their turn, the boot of the smaller
// core, and the bounds of the carve-out.
import { describe, expect, it } from 'vitest';
import { slotOffset } from '../../buses/common/ring-layout.ts';
import { MailboxDeviceLink } from '../../buses/mailbox/device-link.ts';
import { MailboxDriverLink } from '../../buses/mailbox/driver-link.ts';
import { MessageUnit } from '../../buses/mailbox/message-unit.ts';
import { FLAG_CLEAR, FLAG_SET } from '../../buses/mailbox/packets.ts';
import {
  areaDefinition,
  CARVE_OUT_ADDRESS,
  definesArea,
  sharedArea,
} from '../../buses/mailbox/shared-area.ts';
import { Kernel, type Packet } from '../../platform/kernel/index.ts';
import { Node, RAM_BASE } from '../../platform/node/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import {
  busCounters,
  disk,
  fio,
  linkRig,
  linkRigWithNodes,
  linkTopology,
} from '../support/link-scenarios.ts';
import { MessageRing, numbered, tokenOf } from '../support/message-ring-bench.ts';

const MILLISECOND = 1_000_000_000;
const options = (more: Readonly<Record<string, unknown>>) =>
  linkTopology({ type: 'mailbox', bus: more }).buses[0].options;
const areaOf = (more: Readonly<Record<string, unknown>>) => sharedArea(options(more) as never);

describe('the shared area', () => {
  it('has the offsets of open-amp with four elements of 40 bytes', () => {
    // 40 bytes carry no message of any revision here; the layout does not care.
    const area = sharedArea({ maxMessageSize: 40, elements: 4, quirks: [] } as never);
    expect(area).toMatchObject({
      deviceHead: 56,
      deviceData: 64,
      driverHead: 224,
      driverData: 232,
      size: 392,
    });
    const { toDevice, toDriver } = area;
    // w_idx is at 4, r_idx at 6 of a head, and each side writes its own head only.
    expect([toDevice.producerIndex, toDevice.consumerIndex]).toEqual([228, 62]);
    expect([toDriver.producerIndex, toDriver.consumerIndex]).toEqual([60, 230]);
    expect([toDevice.capacity, toDevice.indexBytes]).toEqual([3, 2]);
    expect([0, 1, 3, 4].map((index) => slotOffset(toDevice, index))).toEqual([232, 272, 352, 232]);
    expect(toHex(areaDefinition(area))).toBe(
      '4d3c2b1a' +
        '01000000' +
        '00000000' +
        '01000000' +
        '2800040028000400' +
        ['e0', 'e8', '38', '40'].map((byte) => `${byte}00000000000000`).join(''),
    );
  });

  it('is taken only by who means the same area', () => {
    const area = areaOf({});
    const bytes = areaDefinition(area);
    expect(definesArea(bytes, area)).toBe(true);
    expect(definesArea(bytes, areaOf({ elements: 8 }))).toBe(false);
    for (const at of [0, 4, 16, 24]) {
      const spoilt = bytes.slice();
      spoilt[at] ^= 1;
      expect(definesArea(spoilt, area)).toBe(false);
    }
  });

  it('has elements that overlap, with the defect of the library', () => {
    const { toDevice } = areaOf({ quirks: ['shortStride'] });
    expect(slotOffset(toDevice, 1) - slotOffset(toDevice, 0)).toBe(4);
    expect(toDevice.slotSize).toBe(64);
  });
});

describe('a static queue in memory', () => {
  function queue() {
    const area = areaOf({});
    const ring = new MessageRing({ layout: area.toDevice, size: area.size, deaf: true });
    ring.sender.open();
    ring.receiver.open();
    ring.run();
    const indexes = () =>
      [area.driverHead + 4, area.deviceHead + 6].map((at) =>
        ring.nodes.linux.memory.readU16(ring.base + at),
      );
    return { ring, indexes };
  }

  it('takes three messages of four elements, and wraps', () => {
    const { ring, indexes } = queue();
    const send = (first: number, count: number) => {
      for (let token = first; token < first + count; token++) ring.sender.send(numbered(token), 8);
      ring.run();
    };
    send(1, 5);
    expect([indexes(), ring.sender.fullWaits > 0]).toEqual([[3, 0], true]);
    for (let round = 0; round < 3; round++) {
      ring.receiver.rung();
      ring.run();
    }
    expect(ring.frames.map(tokenOf)).toEqual([1, 2, 3, 4, 5]);
    expect(indexes()).toEqual([1, 1]);
  });

  it('leaves the heads of either side to that side', () => {
    const { ring } = queue();
    const area = areaOf({});
    ring.sender.send(numbered(1), 8);
    ring.run();
    ring.receiver.rung();
    ring.run();
    // Own index, and nothing of what the other queue will use: the upper and the lower half of a head.
    expect(ring.hex(area.driverHead, 8)).toBe('0000000001000000');
    expect(ring.hex(area.deviceHead, 8)).toBe('0000000000000100');
  });
});

describe('a flag of the message unit', () => {
  it('lets a signal wait for the one before, and loses none', () => {
    let set = 0;
    const unit = new MessageUnit(() => set++);
    for (let i = 0; i < 4; i++) unit.signal();
    expect([set, unit.isSet, unit.waited]).toEqual([1, true, 3]);
    for (const left of [true, true, true, false]) {
      expect(unit.cleared()).toBe(left);
      unit.sendOwed();
    }
    unit.sendOwed();
    expect([set, unit.isSet]).toEqual([4, false]);
  });
});

describe('a disk behind a mailbox', () => {
  it.each(['one', 'all'])('works with messages taken at an interrupt: %s', (perInterrupt) => {
    const disks = { disk0: disk(0), disk1: disk(1), disk2: disk(2) };
    const rig = linkRig({
      type: 'mailbox',
      bus: { perInterrupt, carveOut: '4MiB' },
      devices: disks,
      workloads: Object.keys(disks).map((device) => fio({ device })),
    });
    let flags = 0;
    rig.filter = ({ packet }) => {
      if (packet.kind === FLAG_SET) flags++;
      if (packet.kind === FLAG_CLEAR) flags--;
      // A flag is never set twice: one each way at most.
      expect(flags).toBeLessThanOrEqual(2);
      return true;
    };
    expect(rig.run()).toBe('done');
    for (const i of [0, 1, 2]) expect(rig.result(i)).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    const { ringReceived, wakings } = busCounters(rig, 'device');
    if (perInterrupt === 'one') expect(wakings).toBe(ringReceived);
    else expect(wakings).toBeLessThanOrEqual(ringReceived + 1);
  });

  it('comes up when the smaller core has booted, however late', () => {
    const rig = linkRig({ type: 'mailbox', bus: { readyAfter: '40ms', carveOut: '4MiB' } });
    rig.runUntil(40 * MILLISECOND);
    expect(busCounters(rig, 'driver')['ringMessages']).toBe(0);
    expect(rig.run()).toBe('done');
    expect(rig.result().errors).toBe(0);
  });

  it('waits for a shared area that is not set up', () => {
    const { rig, driver } = linkRigWithNodes({
      type: 'mailbox',
      bus: { readyAfter: '1ms', carveOut: '4MiB' },
    });
    // The carve-out is the first thing that the larger core takes; the first byte is that of the magic.
    const magic = driver.memory.readU32(driver.memory.base);
    expect(magic).toBe(0x1a2b3c4d);
    driver.memory.writeU32(driver.memory.base, 0);
    rig.runUntil(25 * MILLISECOND);
    expect(rig.outcome.workloads[0].driverState).toBe('offline');
    driver.memory.writeU32(driver.memory.base, magic);
    expect(rig.run()).toBe('done');
    expect([rig.result().errors, rig.violations]).toEqual([0, []]);
  });

  it('gets no more than the carve-out', () => {
    const rig = linkRig({ type: 'mailbox', bus: { carveOut: '16KiB' }, until: { atMost: '50ms' } });
    rig.run();
    expect(rig.outcome.workloads[0].downReason).toBe('the carve-out has no room left');
    const problems = (more: Readonly<Record<string, unknown>>) => {
      try {
        linkTopology({ type: 'mailbox', bus: more });
      } catch (error) {
        if (error instanceof ScenarioError) return error.problems.map(({ code }) => code);
        throw error;
      }
      return [];
    };
    expect(problems({ carveOut: '8KiB' })).toEqual([]);
    expect(problems({ carveOut: '8KiB', elements: 64 })).toEqual(['REFUSED']);
    expect(problems({ maxMessageSize: '40B' })).toEqual(['REFUSED']);
  });

  it('reaches the carve-out and nothing else', () => {
    const topology = linkTopology({ type: 'mailbox' });
    const kernel = new Kernel(2);
    const [larger, smaller] = topology.nodes.map((plan) => {
      const costs = new Costs(topology.profile);
      return new Node({ plan, kernel, costs, seed: 1, engine: 'compiled' });
    });
    const [plan] = topology.buses;
    const client = { up() {}, down() {}, frame() {} };
    const environment = (node: Node) => ({ node, plan: plan as never, faults: [] });
    const driver = new MailboxDriverLink(environment(larger), client);
    const device = new MailboxDeviceLink(environment(smaller), client);
    const place = (link: { receive(packet: Packet): void }) => ({
      deliver() {},
      receive: (packet: Packet) => link.receive(packet),
    });
    kernel.bindPort(plan.driverPort, larger.add(place(driver)));
    kernel.bindPort(plan.devicePort, smaller.add(place(device)));
    const log: string[] = [];
    const reader = {
      readDone: (tag: number, bytes: Uint8Array) => log.push(`${tag}: ${toHex(bytes.slice(0, 4))}`),
      refused: (tag: number) => log.push(`${tag}: refused`),
    };
    const end = CARVE_OUT_ADDRESS + 2 ** 20;
    [CARVE_OUT_ADDRESS, end - 16, end, CARVE_OUT_ADDRESS - 16, RAM_BASE].forEach((address, tag) => {
      device.dma.readSegment(address, 16);
      device.dma.read(reader, tag);
      kernel.runUntil(kernel.now + MILLISECOND);
    });
    // The magic, zeroes, and nothing more: not even the RAM that the carve-out is a part of.
    expect(log).toEqual(['0: 4d3c2b1a', '1: 00000000', '2: refused', '3: refused', '4: refused']);
  });
});
