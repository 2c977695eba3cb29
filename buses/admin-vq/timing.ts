// Timing constants of commands: what they cost the driver. What they cost the device is that of any request.
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import type { Costs } from '../../platform/timing/index.ts';

export const adminTiming = [
  { name: 'admin.build', dimension: 'time', doc: 'The driver builds one administration command.' },
  { name: 'admin.read', dimension: 'time', doc: 'The driver reads what came of a command.' },
  {
    name: 'admin.timeout',
    dimension: 'time',
    doc: 'A command that is not answered within this time has failed.',
  },
] as const satisfies readonly TimingDefinition[];

export interface AdminTiming {
  readonly build: number;
  readonly read: number;
  readonly timeout: number;
}

/** Ids of the constants. */
export function adminTimingIds(costs: Costs): AdminTiming {
  return {
    build: costs.idOf('admin.build'),
    read: costs.idOf('admin.read'),
    timeout: costs.idOf('admin.timeout'),
  };
}
