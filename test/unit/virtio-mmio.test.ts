// The virtio-mmio baseline: its register table, the register block as a device model serves it, and what
// a guest pays for its accesses.

import { describe, expect, it } from 'vitest';
import { MmioDeviceTransport } from '../../buses/virtio-mmio/mmio-device.ts';
import { MAGIC, registers } from '../../buses/virtio-mmio/registers.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { SharedRegion } from '../../platform/contracts/index.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';
import { FakeDma } from '../support/fake-dma.ts';
import { makeDevice } from '../support/made-device.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const SCENARIO = `
name: mmio
profile: arm-neoverse-n1
timing: { mmio.exit: 1us, mmio.access: 0ns, mmio.emulate: 0ns }
nodes:
  guest: { kind: vm, cpus: 1, memory: 16MiB }
  host: { kind: host, cpus: 1, memory: 16MiB }
buses:
  mmio0: { type: virtio-mmio, driver: guest, device: host }
devices:
  disk0: { type: blk, bus: mmio0, number: 3, capacity: 1MiB }
workloads:
  - { type: fio, device: disk0, rw: randrw, depth: 4, operations: 200 }
until: { workloads: done, atMost: 1s }
`;

function rigOf(text: string): Rig {
  return new Rig(parseScenario({ text, file: 'mmio.yaml', folder: import.meta.dirname }, tables));
}

/** The register block of a disk, without a bus. */
function block(regions: readonly SharedRegion[] = []) {
  const { kernel, linux, storage } = testNodes();
  const objections: string[] = [];
  let interrupts = 0;
  const model = Object.assign(makeDevice(storage, 'blk', { capacity: '1MiB' }), { regions });
  const transport = new MmioDeviceTransport({
    model,
    dma: new FakeDma({ kernel, node: 1, memory: linux.memory }),
    mapRegion: () => 0x80_0000_5000,
    interrupt: () => interrupts++,
    objected: (text) => objections.push(text),
  });
  const at = (name: keyof typeof registers) => registers[name].at;
  return { model, transport, objections, at, interrupts: () => interrupts };
}

describe('the register table', () => {
  it('has each offset once, in order, within the window', () => {
    const offsets = Object.values(registers).map(({ at }) => at);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    expect(offsets.every((at) => at % 4 === 0 && at <= 0x100)).toBe(true);
  });
});

describe('the register block', () => {
  it('tells what the device is', () => {
    const { transport, model, at } = block();
    expect(transport.read(at('MagicValue'))).toBe(MAGIC);
    expect(Buffer.from(Uint32Array.of(MAGIC).buffer).toString('latin1')).toBe('virt');
    expect([transport.read(at('Version')), transport.read(at('DeviceID'))]).toEqual([2, 2]);
    transport.write(at('DeviceFeaturesSel'), 1);
    expect(BigInt(transport.read(at('DeviceFeatures')))).toBe(model.features >> 32n);
  });

  it('takes features, status and queues, and forgets them on reset', () => {
    const { transport, model, at } = block();
    for (const bit of [STATUS.ACKNOWLEDGE, STATUS.DRIVER]) {
      transport.write(at('Status'), transport.read(at('Status')) | bit);
    }
    transport.write(at('DriverFeaturesSel'), 1);
    transport.write(at('DriverFeatures'), Number((F.VERSION_1 | F.ACCESS_PLATFORM) >> 32n));
    transport.write(at('Status'), 0b1011);
    expect(model.status).toBe(0b1011);
    transport.write(at('QueueSel'), 0);
    transport.write(at('QueueSize'), 8);
    transport.write(at('QueueDescLow'), 0x4000_0000);
    transport.write(at('QueueDescHigh'), 1);
    transport.write(at('QueueDriverLow'), 0x4000_1000);
    transport.write(at('QueueDeviceLow'), 0x4000_2000);
    transport.write(at('QueueReady'), 1);
    expect(model.queueSetup(0)).toMatchObject({ size: 8, descriptorArea: 2 ** 32 + 0x4000_0000 });
    expect(transport.read(at('QueueReady'))).toBe(1);
    transport.write(at('Status'), 0);
    expect([model.status, transport.read(at('QueueReady'))]).toEqual([0, 0]);
    expect(model.queueSetup(0)).toBeNull();
  });

  it('tells of its shared memory regions by length and base', () => {
    const region = { shmid: 3, address: 0x4000_0000, length: 2 ** 33 + 0x1000 };
    const { transport, at } = block([region]);
    const words = (shmid: number) => {
      transport.write(at('SHMSel'), shmid);
      const names = ['SHMLenLow', 'SHMLenHigh', 'SHMBaseLow', 'SHMBaseHigh'] as const;
      return names.map((name) => transport.read(at(name)));
    };
    expect(words(3)).toEqual([0x1000, 2, 0x5000, 0x80]);
    expect(words(2)).toEqual(new Array(4).fill(0xffff_ffff));
  });

  it('has no shared memory region, whichever is selected', () => {
    const { transport, at, objections } = block();
    transport.write(at('SHMSel'), 3);
    const registers = ['SHMLenLow', 'SHMLenHigh', 'SHMBaseLow', 'SHMBaseHigh'] as const;
    for (const name of registers) expect(transport.read(at(name))).toBe(0xffff_ffff);
    expect(objections).toEqual([]);
  });

  it('holds interrupt bits until they are acknowledged', () => {
    const { transport, at, interrupts } = block();
    transport.notifyUsed();
    transport.notifyConfig();
    expect([transport.read(at('InterruptStatus')), interrupts()]).toEqual([3, 2]);
    transport.write(at('InterruptACK'), 1);
    expect(transport.read(at('InterruptStatus'))).toBe(2);
  });

  it('objects to accesses it does not know, and goes on', () => {
    const { transport, objections, at } = block();
    expect(transport.read(0x0c4)).toBe(0);
    transport.write(at('DeviceID'), 1);
    transport.write(0x1fc, 1);
    expect(objections.length).toBe(3);
  });
});

describe('a guest', () => {
  it('verifies its data, and pays two ways for each access that traps', () => {
    const rig = rigOf(SCENARIO);
    expect(rig.run()).toBe('done');
    expect([rig.result().errors, rig.result().requests, rig.violations]).toEqual([0, 200, []]);
    const [{ statistics }] = rig.outcome.buses;
    expect(statistics['exits']).toBeGreaterThan(50);
    // The core is held for both ways of each exit: 2 us.
    expect(rig.outcome.nodes[0].cpuLentPs).toBe(statistics['exits'] * 2_000_000);
  });

  it('traps for notifications as well without ioeventfd', () => {
    const exitsOf = (text: string) => {
      const rig = rigOf(text);
      rig.run();
      const { exits, kernelExits } = rig.outcome.buses[0].statistics;
      return { exits, kernelExits };
    };
    const trapped = exitsOf(SCENARIO.replace('device: host', 'device: host, ioeventfd: false'));
    expect([exitsOf(SCENARIO).kernelExits > 0, trapped.kernelExits]).toEqual([true, 0]);
  });

  it('must be a virtual machine', () => {
    const card = SCENARIO.replace('kind: vm', 'kind: card');
    expect(() => rigOf(card)).toThrow(ScenarioError);
  });
});
