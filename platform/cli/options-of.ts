// What a scenario may say of a type, as rows of a table. Read off the JSON Schema, so that this list,
// the editor and the loader cannot disagree.
import { scenarioSchema, type ValueSchema, valueText } from '../scenario/index.ts';
import { tables } from './tables.ts';

/** The parts of a JSON Schema that are of interest here. */
interface Schema extends ValueSchema {
  readonly default?: unknown;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
}

/** A key of an entry, and what may be written there. */
export interface OptionRow {
  readonly name: string;
  readonly values: string;
  /** Written as in a scenario; `required` when it cannot be left out, empty when there is none. */
  readonly fallback: string;
  readonly doc: string;
}

export type TypedSection = 'devices' | 'buses' | 'workloads';

/** The keys of an entry of this type, but for `type` itself. */
export function optionsOf(section: TypedSection, type: string): OptionRow[] {
  const root = scenarioSchema(tables) as Schema;
  const whole = root.properties?.[section];
  const entry = whole?.items ?? whole?.additionalProperties;
  const variants = entry?.oneOf ?? (entry === undefined ? [] : [entry]);
  const variant = variants.find(({ properties }) => properties?.['type']?.const === type);
  return Object.entries(variant?.properties ?? {})
    .filter(([name]) => name !== 'type')
    .map(([name, schema]) => ({
      name,
      values: valueText(schema),
      fallback: fallbackOf(schema, variant?.required?.includes(name) === true),
      doc: schema.description ?? '',
    }));
}

function fallbackOf({ default: value }: Schema, required: boolean): string {
  if (value !== undefined) return typeof value === 'string' ? value : JSON.stringify(value);
  return required ? 'required' : '';
}
