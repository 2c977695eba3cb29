// Types the rows of guests/index.ts.
import type { ZodObject, z } from 'zod';
import type {
  Driver,
  Workload,
  WorkloadDefinition,
  WorkloadEnvironment,
} from '../../platform/contracts/index.ts';

/** Types a workload's row: its options are those of its schema, its driver the one it needs. */
export function defineWorkload<Schema extends ZodObject, D extends Driver>(
  row: Omit<WorkloadDefinition, 'options' | 'create'> & {
    readonly options: Schema;
    create(environment: WorkloadEnvironment<z.output<Schema>, D>): Workload;
  },
): WorkloadDefinition {
  return row as unknown as WorkloadDefinition;
}
