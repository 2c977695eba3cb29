// Types the rows of guests/index.ts.
import type { ZodObject, z } from 'zod';
import type {
  Driver,
  DriverDefinition,
  Workload,
  WorkloadDefinition,
  WorkloadEnvironment,
} from '../../platform/contracts/index.ts';
import type { DeviceTables } from './common-steps.ts';
import type { DriverSteps } from './steps.ts';

/** The row of a driver, with what scripts may do with its device. */
export interface DriverRow extends DriverDefinition, DeviceTables {
  readonly steps?: DriverSteps;
}

/** Types a workload's row: its options are those of its schema, its driver the one it needs. */
export function defineWorkload<Schema extends ZodObject, D extends Driver>(
  row: Omit<WorkloadDefinition, 'options' | 'create'> & {
    readonly options: Schema;
    create(environment: WorkloadEnvironment<z.output<Schema>, D>): Workload;
  },
): WorkloadDefinition {
  return row as unknown as WorkloadDefinition;
}
