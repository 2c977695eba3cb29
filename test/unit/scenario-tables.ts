// Small stand-ins for the real tables of buses, devices and workloads, for the loader's own tests.
import { z } from 'zod';
import type { Definition, Tables } from '../../platform/contracts/definitions.ts';
import type { BusPlan } from '../../platform/contracts/topology.ts';
import { count, inputFile, oneOfNames, size, time } from '../../platform/scenario/index.ts';

const ffa: Definition<BusPlan> = {
  type: 'ffa',
  doc: 'FF-A partitions.',
  spec: 'stand-in',
  options: z.object({
    messages: oneOfNames(['direct', 'indirect', 'fifo'])
      .default('direct')
      .describe('Message path.'),
    events: oneOfNames(['poll', 'notification']).default('notification').describe('Event path.'),
    timeout: time({ min: 1 }).prefault('5s').describe('Request timeout.'),
  }),
  timing: [
    { name: 'ffa.worldSwitch', dimension: 'time', doc: 'One way.' },
    { name: 'ffa.spmcRoute', dimension: 'time', doc: 'Routing.' },
  ],
  messages: ['EVENT_USED', 'EVENT_AVAIL', 'AREA_SHARE'],
  check(plan, topology) {
    if (topology.nodes[plan.driver].kind !== 'mcu') return [];
    return [{ field: 'driver', message: 'a mcu speaks no FF-A', expected: 'a vm or a partition' }];
  },
};

const blk: Definition = {
  type: 'blk',
  doc: 'Block device.',
  spec: 'stand-in',
  options: z.object({
    image: inputFile().optional().describe('Contents of the disk.'),
    capacity: size({ min: 512, multipleOf: 512 }).prefault('1MiB').describe('Size of the disk.'),
    cache: size().default(32768).describe('Bytes of write cache.'),
    queues: count({ min: 1, max: 64 }).default(1).describe('Number of queues.'),
    queueSize: count({ min: 2, max: 32768 }).default(256).describe('Entries of each queue.'),
    ring: oneOfNames(['split', 'packed']).default('split').describe('Layout of the ring.'),
  }),
  timing: [{ name: 'blk.mediaRate', dimension: 'rate', doc: 'Media.' }],
};

const fio: Definition = {
  type: 'fio',
  doc: 'Reads and writes.',
  spec: 'stand-in',
  options: z.object({
    rw: oneOfNames(['read', 'write', 'randread', 'randrw']).describe('Pattern.'),
    blockSize: size({ min: 512 }).prefault('4KiB').describe('Bytes of one operation.'),
    depth: count({ min: 1 }).default(1).describe('Operations in flight.'),
    operations: count({ min: 1 }).optional().describe('Operations in all.'),
    verify: z.boolean().default(true).describe('Check what was read.'),
  }),
  timing: [],
};

export const tables: Tables = { buses: { ffa }, devices: { blk }, workloads: { fio } };
