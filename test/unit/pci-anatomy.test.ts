// The anatomy of requests over PCI Express: every picosecond is explained by a constant or a wait.
import { describe, expect, test } from 'vitest';
import { runScenario } from '../../platform/index.ts';

const REQUESTS = 40;

const scenario = (bus: string, depth: number) => `
name: small
nodes:
  host: { kind: vm, cpus: 2 }
  card: { kind: card }
buses:
  pci0: { driver: host, device: card, ${bus} }
devices:
  disk0: { type: blk, bus: pci0, number: 0, capacity: 1MiB }
workloads:
  - { type: fio, device: disk0, rw: randrw, depth: ${depth}, operations: ${REQUESTS} }
until: { workloads: done, atMost: 10s }
`;

const WAYS = [
  'type: pci',
  'type: pci, fifoPlace: host, interrupts: intx',
  'type: pci, interrupts: polling, pollInterval: 50us, tags: 2, iotlb: 4',
  'type: pci, switches: 1, sharedUplink: sw0, postedData: 1KiB, generation: 1, lanes: 1',
  'type: pci, fifoPlace: host, requestHeaders: 1, postedHeaders: 2, lanes: 1',
  'type: virtio-pci',
  'type: virtio-pci, interrupts: intx, mapping: perRequest',
  'type: virtio-pci, emulated: true',
  'type: admin-vq',
  'type: admin-vq, emulated: true',
];

describe.each(WAYS)('%s', (bus) => {
  test.each([1, 8])('the steps of each request tile its latency, depth %i', async (depth) => {
    const text = scenario(bus, depth);
    const result = await runScenario({ text }, { anatomy: true, workers: 0 });
    expect(result.passed).toBe(true);
    for (let number = 1; number <= REQUESTS; number++) {
      const { steps, latencyPs, unaccountedPs } = result.anatomy('disk0', number);
      expect(unaccountedPs).toBe(0);
      expect(steps.reduce((sum, { costPs }) => sum + costPs, 0)).toBe(latencyPs);
    }
  });
});

test('a message through a BAR costs the host a load for every eight bytes', async () => {
  const result = await runScenario({ text: scenario(WAYS[0], 1) }, { anatomy: true, workers: 0 });
  const { steps } = result.anatomy('disk0', 30);
  const loads = steps.filter(
    ({ constant, node }) => constant === 'pcie.coreAccess' && node === 'host',
  );
  // Index and slot of the EVENT_USED.
  expect(loads.length).toBe(1 + 8);
});
