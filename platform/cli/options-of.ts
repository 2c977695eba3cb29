// What a scenario may say of a type, as rows of a table. Read off the JSON Schema, so that this list,
// the editor and the loader cannot disagree.
import { scenarioSchema } from '../scenario/index.ts';
import { tables } from './tables.ts';

/** The parts of a JSON Schema that are of interest here. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
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

/** What people call the types of JSON. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true | false',
  array: 'list',
  object: 'mapping',
};

/** More allowed values than this are shown by the first ones and the last. */
const VALUES_SHOWN_MAX = 8;

export type TypedSection = 'devices' | 'buses' | 'workloads';

/** The keys of an entry of this type, but for `type` itself. */
export function optionsOf(section: TypedSection, type: string): OptionRow[] {
  const root = scenarioSchema(tables) as Schema;
  const whole = root.properties?.[section];
  const entry = whole?.items ?? whole?.additionalProperties;
  const variants = entry?.oneOf ?? entry?.anyOf ?? (entry === undefined ? [] : [entry]);
  const variant = variants.find(({ properties }) => properties?.['type']?.const === type);
  return Object.entries(variant?.properties ?? {})
    .filter(([name]) => name !== 'type')
    .map(([name, schema]) => ({
      name,
      values: valuesOf(schema),
      fallback: fallbackOf(schema, variant?.required?.includes(name) === true),
      doc: schema.description ?? '',
    }));
}

function fallbackOf({ default: value }: Schema, required: boolean): string {
  if (value !== undefined) return typeof value === 'string' ? value : JSON.stringify(value);
  return required ? 'required' : '';
}

function valuesOf(schema: Schema): string {
  const { anyOf, oneOf, const: only, enum: choices, pattern, type } = schema;
  const alternatives = anyOf ?? oneOf;
  if (alternatives !== undefined) return alternatives.map(valuesOf).join(' or ');
  if (only !== undefined) return String(only);
  if (choices !== undefined) return choicesText(choices.map(String));
  if (pattern !== undefined) return patternText(pattern);
  if (type === 'integer' || type === 'number') return rangeText(schema);
  return typeof type === 'string' ? (TYPE_WORDS[type] ?? type) : 'any';
}

function choicesText(choices: readonly string[]): string {
  if (choices.length <= VALUES_SHOWN_MAX) return choices.join(' | ');
  const last = choices[choices.length - 1];
  return [...choices.slice(0, VALUES_SHOWN_MAX - 2), '…', last].join(' | ');
}

/** Quantities are the only keys with a pattern that ends in units. */
function patternText(pattern: string): string {
  if (pattern.includes('|us|')) return 'time';
  if (pattern.includes('|KiB|')) return 'size';
  return pattern.includes('B/s') ? 'rate' : 'text';
}

function rangeText({ minimum, maximum, type }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} … ${maximum}`;
  if (minimum !== undefined) return `${type}, ${minimum} or more`;
  return maximum === undefined ? String(type) : `${type}, ${maximum} or less`;
}
