// Expectations: `path op value` over the JSON report, e.g. `disk0.latency.p99 < 80us`. Parsed when
// the scenario is loaded, so that a slip is found before the run, and evaluated after it.
import {
  type Dimension,
  describeDimension,
  dimensionOfUnit,
  parseQuantity,
  unitNames,
} from '../timing/index.ts';
import { nearestName } from './nearest.ts';
import type { ScenarioErrorCode } from './problem.ts';

const OPERATORS = ['==', '!=', '<=', '>=', '<', '>'] as const;
export type Operator = (typeof OPERATORS)[number];

type Scalar = number | string | boolean;

/** A parsed expectation. */
export interface Expectation {
  readonly text: string;
  readonly path: readonly string[];
  readonly operator: Operator;
  /** The right-hand side as written. */
  readonly written: string;
  /** In the unit of the report: see `reportValue`. */
  readonly value: Scalar;
}

/** Why an expectation cannot be parsed; `offset` is the character where it goes wrong. */
export interface ExpectationError {
  readonly code: ScenarioErrorCode;
  readonly message: string;
  readonly expected: string;
  readonly nearest: string | null;
  readonly offset: number;
}

export type ExpectationResult =
  | { readonly expectation: Expectation; readonly error: null }
  | { readonly expectation: null; readonly error: ExpectationError };

/** What an expectation gave. `actual` is null when the report has no such value. */
export interface ExpectationOutcome {
  readonly text: string;
  readonly passed: boolean;
  readonly actual: Scalar | null;
  /** Why there is nothing to compare, in words; null when there is. */
  readonly missing: string | null;
  /** Operator and value as written, e.g. `< 80us`. */
  readonly expected: string;
}

const SECTIONS = ['devices', 'buses', 'networks', 'nodes', 'workloads'] as const;
const GRAMMAR = /^(\s*)([A-Za-z][\w-]*(?:\.[\w-]+)*)(\s*)(==|!=|<=|>=|<|>)(\s*)(\S.*?)\s*$/;
const QUANTITY = /^\d+(?:\.\d+)? ?([A-Za-zµ/]+)$/;

/** Report fields carry their unit in their name; latencies are ns, simulated time is ps. */
function timeInReportUnit(ps: number, field: string): number {
  if (field.endsWith('Ps')) return ps;
  if (field.endsWith('Us')) return ps / 1e6;
  if (field.endsWith('Seconds')) return ps / 1e12;
  return ps / 1e3;
}

/** What kind of quantity a field of the report is; null when its name does not tell. */
function dimensionOfField(path: readonly string[]): Dimension | null {
  const field = path[path.length - 1];
  if (path.includes('latency') || /(?:Ps|Us|Seconds)$/.test(field)) return 'time';
  if (/^bytes$|Bytes$/.test(field)) return 'size';
  return field === 'throughput' ? 'rate' : null;
}

function failed(
  error: Omit<ExpectationError, 'nearest'> & { nearest?: string | null },
): ExpectationResult {
  return { expectation: null, error: { nearest: null, ...error } };
}

const VALUE_HELP = 'a number, a quantity such as 80us, a share such as 50%, true, false or "text"';

type ValueResult =
  | { readonly value: Scalar }
  | { readonly error: Omit<ExpectationError, 'offset'> };

/** Refuses `latency.p99 < 4KiB`, which would always hold, and `latency.p99 < 400`: of what? */
function checkDimension(written: string, path: readonly string[]): ValueResult | null {
  const wanted = dimensionOfField(path);
  const unit = QUANTITY.exec(written)?.[1];
  const bare = unit === undefined && /^[\d.]+$/.test(written) && Number(written) !== 0;
  const given = unit === undefined ? null : dimensionOfUnit(unit);
  const needsUnit = bare && path.includes('latency');
  if (wanted === null || (!needsUnit && (given === null || given === wanted))) return null;
  const message = needsUnit
    ? `'${written}' has no unit`
    : `'${written}' is no value for a ${wanted} such as ${path.join('.')}`;
  const expected = describeDimension(wanted);
  return { error: { code: 'BAD_UNIT', message, expected, nearest: null } };
}

function parseValue(written: string, path: readonly string[]): ValueResult {
  const mismatch = checkDimension(written, path);
  if (mismatch !== null) return mismatch;
  if (written === 'true' || written === 'false') return { value: written === 'true' };
  if (/^"[^"]*"$/.test(written)) return { value: written.slice(1, -1) };
  if (/^-?\d+(?:\.\d+)?$/.test(written)) return { value: Number(written) };
  if (/^\d+(?:\.\d+)?%$/.test(written)) return { value: Number(written.slice(0, -1)) / 100 };
  const unit = QUANTITY.exec(written)?.[1];
  if (unit === undefined) {
    const message = `'${written}' is not a value`;
    return { error: { code: 'BAD_VALUE', message, expected: VALUE_HELP, nearest: null } };
  }
  const dimension = dimensionOfUnit(unit);
  if (dimension === null) {
    const units = (['time', 'size', 'rate'] as const).flatMap((each) => unitNames(each));
    const expected = `one of ${units.join(', ')}`;
    const message = `'${unit}' is not a unit`;
    return { error: { code: 'BAD_UNIT', message, expected, nearest: nearestName(unit, units) } };
  }
  const { value, error } = parseQuantity(written, dimension);
  if (error !== null) return { error: { ...error, nearest: null } };
  return { value: dimension === 'time' ? timeInReportUnit(value, path[path.length - 1]) : value };
}

/** Parses one expectation. */
export function parseExpectation(text: string): ExpectationResult {
  const parts = GRAMMAR.exec(text);
  if (parts === null) {
    const message = `'${text}' is not an expectation`;
    const expected = `PATH OPERATOR VALUE, e.g. disk0.errors == 0; operators: ${OPERATORS.join(' ')}`;
    return failed({ code: 'BAD_VALUE', message, expected, offset: 0 });
  }
  const [, space, dotted, afterPath, operator, afterOperator, written] = parts;
  const path = dotted.split('.');
  const result = parseValue(written, path);
  if ('error' in result) {
    const before = [space, dotted, afterPath, operator, afterOperator];
    return failed({ ...result.error, offset: before.join('').length });
  }
  const { value } = result;
  if (typeof value !== 'number' && operator !== '==' && operator !== '!=') {
    const message = `'${operator}' needs a number on its right`;
    const offset = space.length + dotted.length + afterPath.length;
    return failed({ code: 'BAD_VALUE', message, expected: '== or !=', offset });
  }
  const expectation = { text, path, operator: operator as Operator, written, value };
  return { expectation, error: null };
}

function descend(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** The values that a path stands for: one, or one per copy of a replicated name. */
function valuesAt(report: unknown, path: readonly string[]): readonly unknown[] {
  const inSection = (SECTIONS as readonly string[]).includes(path[0]);
  const direct = descend(report, path);
  if (direct !== undefined && !inSection) return [direct];
  const [section, name, ...rest] = inSection ? path : ['devices', ...path];
  const entries = descend(report, [section]);
  if (typeof entries !== 'object' || entries === null || name === undefined) return [];
  const one = descend(entries, [name]);
  if (one !== undefined) return [descend(one, rest)];
  const isCopy = (key: string) =>
    key.startsWith(`${name}-`) && /^\d+$/.test(key.slice(name.length + 1));
  const copies = Object.keys(entries).filter(isCopy);
  return copies.map((key) => descend(entries, [key, ...rest]));
}

function holds(actual: Scalar, operator: Operator, value: Scalar): boolean {
  if (operator === '==') return actual === value;
  if (operator === '!=') return actual !== value;
  if (typeof actual !== 'number' || typeof value !== 'number') return false;
  if (operator === '<') return actual < value;
  if (operator === '<=') return actual <= value;
  return operator === '>' ? actual > value : actual >= value;
}

const isScalar = (value: unknown): value is Scalar =>
  typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean';

const NOT_THERE = 'not in the report';

/** Why a place of the report holds no value that could be compared. */
function whyMissing(actual: unknown, path: readonly string[]): string {
  if (actual !== null) return NOT_THERE;
  return path.includes('latency') ? 'no request has completed' : 'has no value';
}

/**
 * Evaluates an expectation against the JSON report. The name of a replicated entry stands for every
 * copy: all must pass, and `actual` is that of the first that does not. A value that is missing fails
 * whatever the operator: the latency of no request is neither below a bound nor above it.
 */
export function evaluateExpectation(expectation: Expectation, report: unknown): ExpectationOutcome {
  const { text, path, operator, written, value } = expectation;
  const expected = `${operator} ${written}`;
  const values = valuesAt(report, path);
  const outcome = (passed: boolean, actual: Scalar | null, missing: string | null = null) => ({
    text,
    passed,
    actual,
    missing,
    expected,
  });
  if (values.length === 0) return outcome(false, null, NOT_THERE);
  for (const actual of values) {
    if (!isScalar(actual)) return outcome(false, null, whyMissing(actual, path));
    if (!holds(actual, operator, value)) return outcome(false, actual);
  }
  return outcome(true, values[0] as Scalar);
}
