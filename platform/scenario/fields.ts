// Building blocks for the option schemas of buses, devices and workloads: quantities with units,
// counts, closed lists of names, input files. They parse to plain numbers and carry their kind, so
// that the loader can check files and `busbar check` can print values with their units.
import { z } from 'zod';
import type { Limits } from '../contracts/index.ts';
import {
  type Dimension,
  isWithin,
  limitsText,
  parseQuantity,
  quantityPattern,
  unitNames,
  writeQuantity,
} from '../timing/index.ts';
import { nearestName } from './nearest.ts';
import type { ScenarioErrorCode } from './problem.ts';

/** What a field is beyond its data type. */
export type FieldKind = Dimension | 'inputFile';

/** Kind by field schema. Clones made by `describe` and the like inherit it. */
const fieldKinds = z.registry<{ kind: FieldKind }>();

/** What a custom zod issue of ours carries in `params`. */
export interface IssueDetail {
  readonly code: ScenarioErrorCode;
  readonly expected: string | null;
  readonly nearest: string | null;
}

function quantity(dimension: Dimension, limits: Limits) {
  const text = z.string().meta({ pattern: quantityPattern(dimension) });
  const parsed = text.transform((written, context): number => {
    const { value, error } = parseQuantity(written, dimension);
    const complain = (message: string, detail: IssueDetail) => {
      context.addIssue({ code: 'custom', message, params: { ...detail } });
      return z.NEVER;
    };
    if (error !== null) {
      const nearest = error.unit ? nearestName(error.unit, unitNames(dimension)) : null;
      return complain(error.message, { code: error.code, expected: error.expected, nearest });
    }
    if (!isWithin(value, limits)) {
      const expected = limitsText(limits, (limit) => writeQuantity(limit, dimension));
      return complain(`${written} is out of range`, {
        code: 'OUT_OF_RANGE',
        expected,
        nearest: null,
      });
    }
    return value;
  });
  // A bare number must reach the unit check, not fail as "not a text".
  const schema = z.preprocess((raw) => (typeof raw === 'number' ? String(raw) : raw), parsed);
  return schema.register(fieldKinds, { kind: dimension });
}

/** A length of time, written `80us`; parses to ps. Limits are in ps. */
export const time = (limits: Limits = {}) => quantity('time', limits);

/** A number of bytes, written `4KiB`; parses to bytes. */
export const size = (limits: Limits = {}) => quantity('size', limits);

/** A speed of transfer, written `2GB/s`; parses to bytes/s. */
export const rate = (limits: Limits = {}) => quantity('rate', limits);

/** A whole number from `min` (default 0) to `max`. */
export const count = (bounds: { readonly min?: number; readonly max?: number } = {}) =>
  z
    .int()
    .min(bounds.min ?? 0)
    .max(bounds.max ?? Number.MAX_SAFE_INTEGER);

/** One of a closed list of names. */
export const oneOfNames = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names);

/** A file that must exist, relative to the folder of the scenario. Parses to the text as written. */
export const inputFile = () => z.string().min(1).register(fieldKinds, { kind: 'inputFile' });

/** Finds the kind of a field through its `optional`, `prefault`, `describe` and other wrappers. */
export function kindOfField(schema: z.core.$ZodType): FieldKind | null {
  for (let current: z.core.$ZodType | undefined = schema; current !== undefined; ) {
    const known = fieldKinds.get(current);
    if (known !== undefined) return known.kind;
    const definition = current._zod.def as { innerType?: z.core.$ZodType };
    current = definition.innerType;
  }
  return null;
}

/** What a schema is made of. */
export interface SchemaParts {
  /** Schemas of a mapping's keys, or of a list's entries, or of all values of a mapping of any keys. */
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
}

/** What may be seen of any schema. */
interface AnyDefinition extends SchemaParts {
  readonly type?: string;
  readonly innerType?: z.core.$ZodType;
  readonly out?: z.core.$ZodType;
  readonly discriminator?: string;
  readonly options?: readonly z.core.$ZodType[];
}

/**
 * Looks into a schema, through its `optional`, `default`, `preprocess` and other wrappers. Of a union of
 * mappings, the one that `value` chooses is looked into.
 */
export function partsOf(schema: z.core.$ZodType | undefined, value?: unknown): SchemaParts {
  let current = schema;
  for (;;) {
    const definition = (current?._zod.def ?? {}) as AnyDefinition;
    const inner =
      definition.innerType ??
      (definition.type === 'pipe' ? definition.out : chosenOf(definition, value));
    if (inner === undefined) return definition;
    current = inner;
  }
}

function chosenOf({ discriminator, options }: AnyDefinition, value: unknown) {
  if (discriminator === undefined || typeof value !== 'object' || value === null) return undefined;
  const name = (value as Readonly<Record<string, unknown>>)[discriminator];
  return options?.find((option) => {
    const names = partsOf(option).shape?.[discriminator]?._zod.values;
    return names?.has(name as string) === true;
  });
}
