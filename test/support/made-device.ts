// A device model as the tables make it, without a bus and without a scenario.
import { tables } from '../../platform/cli/tables.ts';
import type { Device } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';

/** Makes a device of a type, with options as a scenario has them. */
export function makeDevice(node: Node, type: string, options: object): Device {
  const row = tables.devices[type];
  const plan = { name: `${type}0`, index: 0, type, bus: 0, number: 0 };
  return row.create({
    node,
    plan: { ...plan, options: row.options.parse(options) } as never,
    network: null,
    resolve: (path) => path,
  });
}
