// Devices that share memory with their driver: only on buses that can carry that.
import type { DevicePlan, Tables, Topology } from '../contracts/index.ts';
import type { Path, YamlSource } from './yaml-source.ts';

export interface RegionsPlace {
  readonly plan: DevicePlan;
  readonly topology: Topology;
  readonly path: Path;
  readonly tables: Tables;
}

/** Reports a device with regions of shared memory on a bus that has no way to them. */
export function checkRegions(
  source: YamlSource,
  { plan, topology, path, tables }: RegionsPlace,
): void {
  if (tables.devices[plan.type].sharesMemory !== true) return;
  const { name, type, options } = topology.buses[plan.bus];
  const { regionsRefused } = tables.buses[type];
  const why = regionsRefused === undefined ? `${type} has no regions` : regionsRefused(options);
  if (why === null) return;
  const able = Object.values(tables.buses).filter((row) => row.regionsRefused !== undefined);
  source.report({
    code: 'REFUSED',
    path: [...path, 'bus'],
    at: 'value',
    message: `bus '${name}' carries no shared memory regions, which '${plan.type}' has: ${why}`,
    expected: `a bus of type ${able.map((row) => row.type).join(', ')}`,
  });
}
