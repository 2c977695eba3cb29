// Workloads and their devices: each can use some types only.
import type { DevicePlan, Tables, WorkloadPlan } from '../contracts/index.ts';
import type { Path, YamlSource } from './yaml-source.ts';

export interface WorkloadDevicePlace {
  readonly plan: WorkloadPlan;
  readonly device: DevicePlan;
  readonly path: Path;
  readonly tables: Tables;
}

/** Reports a workload on a device that it cannot use. */
export function checkWorkloadDevice(
  source: YamlSource,
  { plan, device, path, tables }: WorkloadDevicePlace,
): void {
  const { drives } = tables.workloads[plan.type];
  if (drives === undefined || drives.includes(device.type)) return;
  source.report({
    code: 'REFUSED',
    path: [...path, 'device'],
    at: 'value',
    message: `'${plan.type}' cannot use '${device.name}', which is of type ${device.type}`,
    expected: `a device of type ${drives.join(' or ')}`,
  });
}
