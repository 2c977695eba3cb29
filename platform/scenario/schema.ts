// The frame of a scenario file: the keys that every scenario, node, bus, device, workload and fault
// has whatever its type. What a type adds comes from its definition.
import { z } from 'zod';
import { REVISIONS } from '../contracts/index.ts';
import { count, oneOfNames, rate, size, time } from './fields.ts';

export const COPIES_MAX = 65_536;
/** Largest device number of the buses that have 32 bits for it. */
export const DEVICE_NUMBER_MAX = 2 ** 32 - 1;
const PAGE = 4096;
const MEMORY_MAX = 2 ** 40;

const NODE_KINDS = ['vm', 'partition', 'host', 'card', 'mcu'] as const;
const WORLDS = ['normal', 'secure'] as const;
const NETWORK_TYPES = ['switch', 'wire'] as const;
export const FAULT_ACTIONS = ['drop', 'delay', 'omit', 'shrink'] as const;

const copies = () =>
  count({ min: 1, max: COPIES_MAX })
    .optional()
    .describe('Makes this many copies, named NAME-0, NAME-1, …; {i} in a text becomes the index.');

export const nodeFrame = z.strictObject({
  kind: oneOfNames(NODE_KINDS).describe('What the node is.'),
  world: oneOfNames(WORLDS)
    .optional()
    .describe('Security world; secure by default for a partition, otherwise normal.'),
  cpus: count({ min: 1, max: 1024 }).default(1).describe('Number of CPUs.'),
  memory: size({ min: PAGE, max: MEMORY_MAX, multipleOf: PAGE })
    .prefault('64MiB')
    .describe('RAM, in whole pages of 4KiB.'),
  placement: count({ max: 1023 })
    .optional()
    .describe('Worker group that hosts the node; chosen by busbar when left out.'),
  restarts: z
    .array(
      z.strictObject({
        at: time({ min: 1 }).describe('When the node stops, whatever it is doing.'),
        for: time({ min: 1 }).describe('How long it takes until its software runs again.'),
      }),
    )
    .optional()
    .describe('Crashes from which the node comes back, e.g. [{ at: 3ms, for: 2ms }].'),
  count: copies(),
});

export const busFrame = z.strictObject({
  type: z.string().describe('Type of bus.'),
  driver: z.string().describe('Node with the driver side.'),
  device: z.string().describe('Node with the device side.'),
  revision: oneOfNames(REVISIONS).default('v1').describe('Revision of virtio-msg spoken on it.'),
  count: copies(),
});

export const networkFrame = z.strictObject({
  type: oneOfNames(NETWORK_TYPES).describe(
    'A learning switch with a cable to each device, or a cable between two devices.',
  ),
  rate: rate({ min: 1000 }).prefault('1Gbit/s').describe('Speed of each cable, each way.'),
  latency: time({ min: 1 }).prefault('1us').describe('From one end of a cable to the other.'),
  buffer: size({ min: 1 })
    .prefault('128KiB')
    .describe('Frames that may wait at each port of the switch; more are dropped.'),
  lossPerMillion: count({ max: 1_000_000 })
    .default(0)
    .describe('Frames of a million that each cable loses.'),
  placement: count({ max: 1023 }).optional().describe('Worker group that hosts the switch.'),
  count: copies(),
});

export const deviceFrame = z.strictObject({
  type: z.string().describe('Type of device.'),
  bus: z.string().describe('Bus that carries the device.'),
  number: count({ max: DEVICE_NUMBER_MAX }).describe(
    'Device number on the bus, up to 65535 on most. Copies on one bus take consecutive numbers from it.',
  ),
  addAt: time({ min: 1 })
    .optional()
    .describe('When the device is plugged in; without it, it is there from the beginning.'),
  removeAt: time({ min: 1 })
    .optional()
    .describe('When the device is pulled out, whatever it is doing.'),
  count: copies(),
});

export const workloadFrame = z.strictObject({
  type: z.string().describe('Type of workload.'),
  device: z.string().describe('Device it uses; the name of a replicated device means every copy.'),
  name: z.string().optional().describe('Name in the report; TYPE.DEVICE when left out.'),
  count: copies(),
});

const message = () =>
  z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'messages are named in capitals, e.g. EVENT_USED')
    .optional();

export const faultFrame = z.strictObject({
  at: time().prefault('0ps').describe('Instant from which the rule is armed.'),
  on: z.string().describe('Bus it acts on; the name of a replicated bus means every copy.'),
  drop: message().describe('Message that is lost.'),
  delay: message().describe('Message that arrives late, by `by`.'),
  omit: message().describe('Message or step that its sender leaves out.'),
  shrink: message().describe('Sharing message that announces and shares `pages` fewer pages.'),
  by: time({ min: 1 }).optional().describe('Extra delay, with `delay` only.'),
  pages: count({ min: 1 }).optional().describe('Pages left out, with `shrink` only; 1 by default.'),
  count: z
    .preprocess(
      // Written as a word, because a very large number would hide the intent.
      (raw) => (raw === 'always' ? Number.MAX_SAFE_INTEGER : raw),
      count({ min: 1 }),
    )
    .default(1)
    .describe('How often the rule acts, once by default: a number or `always`.'),
});

const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** The top level. Entries of nodes, buses, devices and workloads are checked one by one. */
export const scenarioFrame = z.strictObject({
  name: z.string().min(1).describe('Short name of the scenario.'),
  description: z.string().default('').describe('What the scenario shows.'),
  seed: count().default(1).describe('Seed of every random stream.'),
  profile: z
    .string()
    .default('arm-neoverse-n1')
    .describe('Timing profile: the name of a shipped one or a YAML file beside the scenario.'),
  timing: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Timing constants that differ from the profile, e.g. `ffa.worldSwitch: 2us`.'),
  nodes: z.record(z.string(), z.unknown()).describe('Simulated machines by name.'),
  buses: z.record(z.string(), z.unknown()).default({}).describe('Buses by name.'),
  networks: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Ethernets by name, for devices with the option `network`.'),
  devices: z.record(z.string(), z.unknown()).default({}).describe('Devices by name.'),
  workloads: z.array(z.unknown()).default([]).describe('What uses the devices.'),
  faults: z.array(z.unknown()).default([]).describe('What goes wrong, and when.'),
  until: z
    .strictObject({
      workloads: oneOfNames(['done']).optional().describe('End when every workload is done.'),
      atMost: time({ min: 1 }).prefault('10s').describe('End at this instant at the latest.'),
    })
    .prefault({ workloads: 'done' })
    .describe('When the run ends; by default when every workload is done.'),
  expect: z
    .array(z.string())
    .default([])
    .describe('What must hold at the end, e.g. `disk0.latency.p99 < 80us`.'),
  sweep: z
    .record(z.string(), z.array(scalar).min(1))
    .default({})
    .describe(
      'Values by path, e.g. `devices.disk0.queueSize: [64, 256]`; `busbar run` runs the file without them.',
    ),
});

/** Keys of the top level that are a file's own affair, such as a place for anchors. */
export const OWN_KEYS = '^x-';

/** The top level without keys of its own. */
export function withoutOwnKeys(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  const own = new RegExp(OWN_KEYS);
  return Object.fromEntries(Object.entries(data).filter(([key]) => !own.test(key)));
}
