// What may be written where a JSON Schema stands, in words: for listings and for the generated pages.
import { quantityPattern } from '../timing/index.ts';

/** The parts of a JSON Schema that say what a value may be. */
export interface ValueSchema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly anyOf?: readonly ValueSchema[];
  readonly oneOf?: readonly ValueSchema[];
}

/** How a value is shown that stands in a scenario as it is. */
export type Literal = (value: unknown) => string;

const DIMENSIONS = ['time', 'size', 'rate'] as const;
/** More allowed values than this are shown by the first three and the last. */
const CHOICES_SHOWN_MAX = 6;

/** Says what may be written: `1 … 64`, `a time`, `split, packed`. */
export function valueText(schema: ValueSchema, literal: Literal = String): string {
  const { const: only, enum: choices, type, pattern } = schema;
  if (only !== undefined) return literal(only);
  if (choices !== undefined) return choicesText(choices, literal);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) {
    return alternatives.map((each) => valueText(each, literal)).join(' or ');
  }
  const dimension = DIMENSIONS.find((each) => pattern === quantityPattern(each));
  if (dimension !== undefined) return `a ${dimension}`;
  if (type === 'boolean') return choicesText([true, false], literal);
  if (type === 'integer' || type === 'number') return rangeText(schema);
  if (type === 'array') return 'a list';
  if (type === 'object') return 'a mapping';
  const { maxLength } = schema;
  return maxLength === undefined ? 'a text' : `a text of at most ${maxLength} characters`;
}

function rangeText({ minimum, maximum }: ValueSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} … ${maximum}`;
  return minimum === undefined ? 'a number' : `a number from ${minimum}`;
}

function choicesText(values: readonly unknown[], literal: Literal): string {
  if (values.length <= CHOICES_SHOWN_MAX) return values.map(literal).join(', ');
  // Long lists of powers of two read better by their ends.
  const [first, second, third] = values.map(literal);
  return `${first}, ${second}, ${third} … ${literal(values.at(-1))}`;
}
