// The timing constants of the platform itself, and the table that joins them with those of buses,
// devices and workloads. Values come from profiles; only names and meanings are here.
import type { Tables, TimingDefinition } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import { DEVICE_FETCH } from './device-fetch.ts';

/** What a CPU and the memory of a node cost, whatever runs on them, and how devices fetch. */
export const PLATFORM_TIMING: readonly TimingDefinition[] = [
  { name: 'cpu.irqEntry', dimension: 'time', doc: 'An interrupt is taken until its handler runs.' },
  { name: 'cpu.workSwitch', dimension: 'time', doc: 'A blocked thread is woken until it runs.' },
  { name: 'cpu.messageEncode', dimension: 'time', doc: 'Building one virtio-msg message.' },
  { name: 'cpu.messageHandle', dimension: 'time', doc: 'Decoding and dispatching one message.' },
  { name: 'cpu.ringAdd', dimension: 'time', doc: 'The driver puts one chain in a ring.' },
  { name: 'cpu.ringReap', dimension: 'time', doc: 'The driver takes one used element.' },
  {
    name: 'cpu.platformBarrier',
    dimension: 'time',
    doc: 'A memory barrier fit for hardware, where the driver has one fit for other cores otherwise.',
  },
  {
    name: 'cpu.submit',
    dimension: 'time',
    doc: 'A request from workload through block layer to driver.',
  },
  { name: 'cpu.complete', dimension: 'time', doc: 'A completion from driver to workload.' },
  {
    name: 'cpu.deviceStep',
    dimension: 'time',
    doc: 'Device software acts on one DMA completion or step.',
  },
  {
    name: 'cpu.statusPoll',
    dimension: 'time',
    doc: 'Between two looks at a device that is being suspended or resumed.',
  },
  { name: 'cpu.copyRate', dimension: 'rate', doc: 'A CPU copies bytes within its own memory.' },
  {
    name: 'memory.lineLatency',
    dimension: 'time',
    doc: "One way of a coherent access to another node's shared memory, request or reply.",
  },
  {
    name: 'memory.bandwidth',
    dimension: 'rate',
    doc: 'Bytes between two nodes through shared memory.',
  },
  {
    name: 'memory.line',
    dimension: 'size',
    limits: { min: 0, max: 4096, powerOfTwo: true },
    doc: 'Coherent memory moves blocks of this size, each once in one go; 0B: bytes as they lie.',
  },
  ...Object.entries(DEVICE_FETCH).map(([name, parameter]) => ({
    name: `device.${name}`,
    ...parameter,
  })),
];

/**
 * Joins the platform's constants with those of every row of the tables, in that order and without
 * duplicates. Two rows may share a constant when they declare it alike.
 */
export function constantTable(tables: Tables): readonly TimingDefinition[] {
  const byName = new Map<string, TimingDefinition>();
  const add = (definition: TimingDefinition) => {
    const known = byName.get(definition.name);
    assert(
      known === undefined || known.dimension === definition.dimension,
      `timing constant ${definition.name} is declared in two dimensions`,
    );
    if (known === undefined) byName.set(definition.name, definition);
  };
  for (const definition of PLATFORM_TIMING) add(definition);
  for (const table of [tables.buses, tables.devices, tables.workloads]) {
    for (const row of Object.values(table)) for (const definition of row.timing) add(definition);
  }
  return [...byName.values()];
}
