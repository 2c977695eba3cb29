// Workloads and their devices: each can use some types only.
import type { DevicePlan, Tables, WorkloadPlan } from '../contracts/index.ts';
import type { Path, YamlSource } from './yaml-source.ts';

export interface WorkloadDevicePlace {
  readonly plan: WorkloadPlan;
  /** Undefined when what is wrong with it was told already. */
  readonly device: DevicePlan | undefined;
  readonly path: Path;
  readonly tables: Tables;
}

/** Reports a workload on a device that it cannot use, and returns false. */
export function checkWorkloadDevice(
  source: YamlSource,
  { plan, device, path, tables }: WorkloadDevicePlace,
): boolean {
  const { drives } = tables.workloads[plan.type];
  if (device === undefined || drives === undefined || drives.includes(device.type)) return true;
  source.report({
    code: 'REFUSED',
    path: [...path, 'device'],
    at: 'value',
    message: `'${plan.type}' cannot use '${device.name}', which is of type ${device.type}`,
    expected: `a device of type ${drives.join(' or ')}`,
  });
  return false;
}
