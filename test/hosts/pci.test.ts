// Cards behind PCI Express run alike on any number of worker threads: messages, registers, DMA, interrupts
// and a card that is pulled out and put back.
import { beforeAll, describe, expect, it } from 'vitest';
import { linkTopology } from '../support/link-scenarios.ts';
import { compile, lasting, run } from './scenarios.ts';

beforeAll(compile);

/** A disk and an entropy source, each kept busy. */
const busy = {
  devices: {
    disk0: { type: 'blk', bus: 'bus0', number: 0, capacity: '1MiB' },
    rng0: { type: 'rng', bus: 'bus0', number: 1 },
  },
  workloads: [
    { type: 'fio', device: 'disk0', rw: 'randrw', depth: 8, operations: 120 },
    { type: 'entropy', device: 'rng0', depth: 2, operations: 40 },
  ],
};

describe.each([
  ['pci', {}],
  ['pci', { fifoPlace: 'host', interrupts: 'intx', fifos: 2, tags: 2 }],
  ['pci', { fifoLayout: 'selfDescribing', switches: 1, sharedUplink: 'switch0' }],
  ['pci', { fifoPlace: 'host', postedHeaders: 2, requestHeaders: 1 }],
  ['virtio-pci', {}],
  ['virtio-pci', { interrupts: 'intx', iommu: false }],
  ['virtio-pci', { emulated: true }],
  ['admin-vq', {}],
  ['admin-vq', { emulated: true }],
] as const)('%s %o', (type, bus) => {
  it('gives the same on 0, 1 and 2 worker threads', async () => {
    const topology = linkTopology({ type, bus, ...busy });
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    expect(reference.workloads?.map(({ errors, verified }) => [errors, verified > 0])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(reference.violations).toBe(0);
    for (const workers of [1, 2]) {
      const outcome = await run(topology, { workers });
      expect(outcome.workers).toBe(workers);
      expect(lasting(topology, outcome)).toEqual(reference);
    }
  });
});

describe.each(['virtio-pci', 'virtio-ccw'])('devices that come and go on %s', (type) => {
  it('do so alike on 2 worker threads', async () => {
    const topology = linkTopology({
      type,
      devices: {
        disk0: { ...busy.devices.disk0, removeAt: '102ms' },
        rng0: { ...busy.devices.rng0, addAt: '1ms' },
      },
      workloads: [
        { type: 'fio', device: 'disk0', rw: 'randrw', operations: 100_000, thinkTime: '1ms' },
        { type: 'entropy', device: 'rng0', operations: 10 },
      ],
    });
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    expect(reference.workloads?.[1].verified).toBe(10);
    expect(reference.workloads?.[0].failure).toBe('the device was removed');
    expect(lasting(topology, await run(topology, { workers: 2 }))).toEqual(reference);
  });
});

describe('a card that is pulled out and put back', () => {
  it('gives the same on 2 worker threads', async () => {
    const bus = { removeAt: '5ms', insertAt: '6ms' };
    const workloads = [{ type: 'entropy', device: 'rng0', operations: 100_000, thinkTime: '50us' }];
    const { devices } = busy;
    const until = { atMost: '120ms' };
    const topology = linkTopology({ type: 'pci', bus, devices, workloads, until });
    const reference = lasting(topology, await run(topology, { workers: 0 }));
    expect(reference.buses?.['bus0'].device['resets']).toBe(1);
    const outcome = await run(topology, { workers: 2 });
    expect(lasting(topology, outcome)).toEqual(reference);
  });
});
