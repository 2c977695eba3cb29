// Turns what zod objects to into complaints in busbar's own words and codes.
import type { z } from 'zod';
import { type IssueDetail, partsOf } from './fields.ts';
import { nearestName } from './nearest.ts';
import type { Complaint, Path } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/** Which parse an issue comes from. */
export interface ParseContext {
  readonly schema: Schema;
  /** The value that was parsed, and where it stands in its file. */
  readonly value: unknown;
  readonly path: Path;
  /** Keys that are handled elsewhere but belong to the same mapping. */
  readonly otherKeys?: readonly string[];
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

const typeWord = (type: string): string => TYPE_WORDS[type] ?? type;

/** Keys that the mapping at `path` inside the parsed value may have. */
function keysAt({ schema, value }: ParseContext, path: readonly PropertyKey[]): readonly string[] {
  let current: Schema | undefined = schema;
  let inner = value;
  for (const step of path) {
    const { shape, element, valueType } = partsOf(current, inner);
    current = shape?.[String(step)] ?? element ?? valueType;
    inner = (inner as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return Object.keys(partsOf(current, inner).shape ?? {});
}

function showValue(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return String(value);
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys, context: ParseContext): Complaint[] {
  const inner = issue.path.length === 0 ? (context.otherKeys ?? []) : [];
  const known = [...inner, ...keysAt(context, issue.path)];
  return issue.keys.map((key) => ({
    code: 'UNKNOWN_KEY',
    path: [...context.path, ...issuePath(issue), key],
    at: 'key',
    message: `unknown key '${key}'`,
    expected: known.length === 0 ? 'no keys here' : `one of ${known.join(', ')}`,
    nearest: nearestName(key, known),
  }));
}

function issuePath(issue: Issue): Path {
  return issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
}

/** True for what YAML makes of `{i}` without quotes. */
function isBareIndex(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'i';
}

function describe(issue: Issue): Omit<Complaint, 'path' | 'at'> {
  if (isBareIndex(issue.input)) {
    const message = '{i} without quotes is a mapping';
    return { code: 'BAD_VALUE', message, expected: "quotes around it: '{i}'" };
  }
  const shown = showValue(issue.input);
  switch (issue.code) {
    case 'invalid_type':
      return {
        code: 'BAD_VALUE',
        message:
          issue.input === null
            ? 'there is nothing here'
            : `${shown} is not ${typeWord(issue.expected)}`,
        expected: typeWord(issue.expected),
      };
    case 'invalid_value': {
      const names = issue.values.map(String);
      return {
        code: 'BAD_VALUE',
        message: `${shown} is not possible here`,
        expected: names.length === 1 ? names[0] : `one of ${names.join(', ')}`,
        nearest: typeof issue.input === 'string' ? nearestName(issue.input, names) : null,
      };
    }
    case 'too_big':
      return {
        code: 'OUT_OF_RANGE',
        message: `${shown} is too large`,
        expected: `at most ${issue.maximum}`,
      };
    case 'too_small':
      return {
        code: 'OUT_OF_RANGE',
        message: `${shown} is too small`,
        expected: `at least ${issue.minimum}`,
      };
    case 'custom': {
      const detail = (issue.params ?? {}) as Partial<IssueDetail>;
      return {
        code: detail.code ?? 'BAD_VALUE',
        message: issue.message,
        expected: detail.expected ?? null,
        nearest: detail.nearest ?? null,
      };
    }
    default:
      return { code: 'BAD_VALUE', message: `${shown}: ${issue.message}` };
  }
}

/** Lists the complaints behind a failed parse. The parse must have run with `reportInput`. */
export function complaintsOf(error: z.core.$ZodError, context: ParseContext): Complaint[] {
  return error.issues.flatMap((issue): Complaint[] => {
    if (issue.code === 'unrecognized_keys') return unknownKeys(issue, context);
    const path = [...context.path, ...issuePath(issue)];
    const missing =
      issue.input === undefined &&
      (issue.code === 'invalid_type' || issue.code === 'invalid_value');
    if (!missing) return [{ ...describe(issue), path, at: 'value' }];
    const key = String(path.at(-1));
    const { expected = null } = describe(issue);
    // What is not there has no place of its own: the mapping that lacks it is shown by its key.
    return [
      {
        code: 'MISSING',
        path: path.slice(0, -1),
        at: 'key',
        message: `key '${key}' is missing`,
        expected: expected === null ? `'${key}'` : `'${key}' with ${expected}`,
      },
    ];
  });
}
