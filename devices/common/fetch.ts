// What a device's queues read ahead: the profile's values, or those that the scenario gives a device.
import { z } from 'zod';
import { count, size } from '../../platform/scenario/fields.ts';
import { type Costs, DEVICE_FETCH } from '../../platform/timing/index.ts';

type Parameter = keyof typeof DEVICE_FETCH;

/** A value for each parameter; sizes in bytes. What they mean is said in DEVICE_FETCH. */
export type FetchPlan = Readonly<Record<Parameter, number>>;

const PARAMETERS = Object.keys(DEVICE_FETCH) as Parameter[];

function field(parameter: Parameter) {
  const { dimension, limits, doc } = DEVICE_FETCH[parameter];
  const schema: z.ZodType<number> = dimension === 'count' ? count(limits) : size(limits);
  return schema.optional().describe(doc);
}

const fields = Object.fromEntries(PARAMETERS.map((parameter) => [parameter, field(parameter)]));

/** The option by which a device has values of its own. */
export const fetchOption = z
  .strictObject(fields as Record<Parameter, ReturnType<typeof field>>)
  .optional()
  .describe('What its queues read ahead, where that is not as the profile says.');

export type FetchOptions = NonNullable<z.output<typeof fetchOption>>;

/** The profile's values, with a device's own in their place. */
export function fetchPlan(costs: Costs, own: FetchOptions = {}): FetchPlan {
  const values = PARAMETERS.map((parameter) => [
    parameter,
    own[parameter] ?? costs.value(costs.idOf(`device.${parameter}`)),
  ]);
  return Object.fromEntries(values) as FetchPlan;
}
