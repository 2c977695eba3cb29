// What a scenario may say of a console device: its ports and what happens to them.
import { z } from 'zod';
import type { DevicePlan, Finding } from '../../platform/contracts/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import { CONSOLE_PORTS_MAX } from '../../platform/virtio/index.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';

const port = () => count({ max: CONSOLE_PORTS_MAX - 1 });
const cells = () => count({ min: 1, max: 65535 });

export const consoleOptions = z.strictObject({
  queueSize: queueSize({ min: 8 }).default(64).describe('Largest size of each queue.'),
  ...commonOptions,
  ...inOrderOption,
  multiport: z
    .boolean()
    .default(true)
    .describe('Offer control queues and several ports (feature MULTIPORT).'),
  ports: count({ min: 1, max: CONSOLE_PORTS_MAX }).default(1).describe('Number of ports.'),
  names: z
    .array(z.string().max(64))
    .default([])
    .describe('Names of the ports from port 0 on; an empty one for a port without name.'),
  terminals: z.array(port()).default([0]).describe('Ports that the device calls console ports.'),
  cols: cells().default(80).describe('Columns of the terminal.'),
  rows: cells().default(25).describe('Rows of the terminal.'),
  resize: z
    .array(z.strictObject({ at: time(), cols: cells(), rows: cells() }))
    .default([])
    .describe('When the terminal changes its size.'),
  plug: z
    .array(z.strictObject({ at: time(), port: port() }))
    .default([])
    .describe('When a port is plugged in; it is not there before.'),
  unplug: z
    .array(z.strictObject({ at: time(), port: port() }))
    .default([])
    .describe('When a port is taken away.'),
  emergencyWrite: z
    .boolean()
    .default(true)
    .describe('Offer to take a character without queues (feature EMERG_WRITE).'),
});

export type ConsoleOptions = z.output<typeof consoleOptions>;

export function checkConsole({ options }: DevicePlan): readonly Finding[] {
  const { multiport, ports, names, terminals, plug, unplug } = options as ConsoleOptions;
  const findings: Finding[] = [];
  const expected = `ports 0 … ${ports - 1}`;
  if (!multiport && ports > 1) {
    const message = `${ports} ports need control queues`;
    findings.push({ field: 'ports', message, expected: 'multiport: true, or one port' });
  }
  if (names.length > ports) {
    findings.push({ field: 'names', message: 'there are more names than ports', expected });
  }
  if (terminals.some((index) => index >= ports)) {
    findings.push({ field: 'terminals', message: 'there is no such port', expected });
  }
  for (const [field, entries] of Object.entries({ plug, unplug })) {
    if (entries.every((entry) => entry.port < ports && multiport)) continue;
    findings.push({ field, message: `there is no such port to ${field}`, expected });
  }
  return findings;
}
