// Rules of virtio 1.4 for regions of shared memory, and for persistent memory, which is one.
import { describe, expect, it } from 'vitest';
import { FunctionRegions, regionsOf } from '../../buses/virtio-pci/function-regions.ts';
import { structureCapability } from '../../buses/virtio-pci/structures.ts';
import { tables } from '../../platform/cli/tables.ts';
import { ConfigSpace } from '../../platform/pcie/index.ts';
import { parseScenario } from '../../platform/scenario/index.ts';
import { pmemConfig, STATUS } from '../../platform/virtio/index.ts';
import { contractTopology, listeningTables } from '../contract/cases.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { FakeModel } from '../support/fake-model.ts';
import { RegionBench } from '../support/region-bench.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const bus = 'ffa with notifications';

describe('a region of shared memory', () => {
  it('SMR-1 MUST NOT: whatever is stored there, the device goes on as before', () => {
    const bench = new RegionBench({ bus });
    expect(bench.rig.run()).toBe('done');
    const { address, length } = bench.region;
    const before = [bench.model.status, bench.model.configGeneration, bench.statuses.length];
    const noise = Array.from({ length: 4096 }, (_, i) => (i * 167 + 13) % 256);
    for (let at = 0; at < length; at += 4096) {
      expect(bench.map.store(address + at, Uint8Array.from(noise), 0, 4096)).toBe(true);
    }
    bench.runFor(1_000_000_000);
    expect(bench.bytesAt(length - 4096, 4096)).toEqual(noise);
    const after = [bench.model.status, bench.model.configGeneration, bench.statuses.length];
    expect([after, bench.rig.violations]).toEqual([before, []]);
  });
});

describe('the capabilities for regions', () => {
  const model = new FakeModel();
  model.regions = [
    { shmid: 3, address: 0x4000_0000, length: 0x1000 },
    { shmid: 0, address: 0x4010_0000, length: 0x5001 },
    { shmid: 7, address: 0x4020_0000, length: 0x2000 },
  ];
  const regions = new FunctionRegions(testNodes().storage, model);
  const identity = {
    ...{ vendorId: 0x1af4, deviceId: 0x105b, revision: 1, classCode: 0 },
    ...{ subsystemVendorId: 0, subsystemId: 0 },
  };
  const { capabilities } = regions;
  const bars = regions.bar(2);
  const config = new ConfigSpace({ identity, bars, capabilities });
  const fields = capabilities.map(({ body }) => structureCapability.decode(body, 0, body.length));

  it('SMR-2 MUST: each lies within its BAR, from a page on, apart from the others', () => {
    expect(bars).toMatchObject([{ index: 2, size: 0x10000 }]);
    const places = fields.map(({ offset, size }) => [offset, size]);
    expect(places).toEqual([
      [0, 0x1000],
      [0x1000, 0x5001],
      [0x7000, 0x2000],
    ]);
    const [bar] = bars;
    for (const [offset, size] of places) expect(offset + size).toBeLessThanOrEqual(bar.size);
  });

  it('SMR-3 MUST: their ids are those of the regions, each once', () => {
    expect(fields.map(({ id }) => id)).toEqual([3, 0, 7]);
  });

  it('are understood by the driver, who leaves out what lies beyond the BAR', () => {
    const found = (size: number) =>
      regionsOf({
        ...{ vendorId: 0, deviceId: 0, revision: 0 },
        bars: new Map([[2, { address: 0x10_0000, size }]]),
        capabilities: capabilities.map((capability) => {
          const offset = config.placeOf(capability);
          const bytes = Uint8Array.from({ length: 24 }, (_, i) => config.read(offset + i, 1));
          return { id: capability.id, offset, bytes };
        }),
      } as Parameters<typeof regionsOf>[0]);
    expect([...found(0x10000)]).toEqual([
      [3, { address: 0x10_0000, length: 0x1000 }],
      [0, { address: 0x10_1000, length: 0x5001 }],
      [7, { address: 0x10_7000, length: 0x2000 }],
    ]);
    expect([...found(0x8000).keys()]).toEqual([3, 0]);
  });

  it('leave bytes between the regions to nobody', () => {
    expect(regions.claims(0x6000, 1)).toBe(true);
    expect([regions.claims(0x6001, 1), regions.claims(0xfff, 2)]).toEqual([false, false]);
  });
});

describe('persistent memory', () => {
  const bench = () => {
    const made = new DeviceBench('pmem', { options: { size: '64KiB' } });
    expect(made.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
    return made;
  };

  it('PMD-1 MUST: the memory is the region of id 0', () => {
    expect(bench().device.regions).toMatchObject([{ shmid: 0, length: 65536 }]);
  });

  it('PMD-2 SHOULD: start and size are 0', () => {
    const { device } = bench();
    const bytes = new Uint8Array(device.info.configSize);
    device.readConfig(0, bytes, 0, bytes.length);
    expect(pmemConfig.decode(bytes, 0, bytes.length)).toEqual({ start: 0n, size: 0n });
  });

  it('PMD-4 MUST: the driver asks for the region of id 0, and reads no configuration', () => {
    const listening = listeningTables();
    const rig = new Rig(contractTopology({ bus, device: 'pmem' }), { tables: listening.tables });
    expect(rig.run()).toBe('done');
    const asked = listening.operations.filter((line) => /^get(Region|Config)/.test(line));
    expect(asked).toEqual(['getRegion [0]']);
  });

  it('PMD-6 MUST: what was written before a flush survives resets and failures of the power', () => {
    // Every block that is read is compared with what it must be: fio knows what was flushed.
    const carriers = {
      ffa: { type: 'ffa', events: 'poll', pollInterval: '50us' },
      mmio: { type: 'virtio-mmio' },
      xen: { type: 'xen', grants: 'copy' },
      pci: { type: 'pci' },
    };
    const failures = [2, 4, 6, 8].map((time) => ({ at: `${time}ms`, for: '50us' }));
    for (const [name, carrier] of Object.entries(carriers)) {
      const scenario = {
        name: 'flushes',
        nodes: {
          linux: { kind: 'vm', cpus: 2, memory: '16MiB' },
          storage: { kind: 'partition', cpus: 1, memory: '16MiB' },
        },
        buses: { bus0: { driver: 'linux', device: 'storage', ...carrier } },
        devices: {
          mem: { type: 'pmem', bus: 'bus0', number: 0, size: '64KiB', powerLoss: failures },
        },
        workloads: [
          {
            type: 'fio',
            device: 'mem',
            rw: 'randrw',
            depth: 8,
            duration: '9ms',
            flushEvery: 30,
            thinkTime: '20us',
          },
        ],
        until: { workloads: 'done', atMost: '1s' },
      };
      const input = { text: JSON.stringify(scenario), file: 'flushes.yaml', folder: '/' };
      const rig = new Rig(parseScenario(input, tables));
      expect(rig.run()).toBe('done');
      const { failure, verified, operations, extra } = rig.result();
      expect([name, failure, rig.violations, extra!['recoveries']]).toEqual([name, null, [], 4]);
      expect(verified).toBeGreaterThan(100);
      const { read, write, flush } = operations!;
      expect([read.errors, write.errors]).toEqual([0, 0]);
      // What could not be promised is said, once for each failure at the most.
      expect(flush.errors).toBeGreaterThan(0);
      expect(flush.errors).toBeLessThanOrEqual(failures.length);
    }
  });

  it('PMD-7 MUST: a flush returns 0, whatever fails returns -1', () => {
    const dut = bench();
    expect([...dut.request(0, [le([0, 4])], [4])[0].bytes]).toEqual(le([0, 4]));
    expect([...dut.request(0, [le([1, 4])], [4])[0].bytes]).toEqual(le([0xffff_ffff, 4]));
  });
});
