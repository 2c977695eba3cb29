// Replication: an entry with `count: 3` becomes three entries, with `{i}` in texts replaced.
import { COPIES_MAX } from './schema.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** One node, bus, device or workload after replication, still as plain data. */
export interface Entry {
  /** `disk0`, or `disk0-17` for a copy. */
  readonly name: string;
  /** The name as written in the file. */
  readonly base: string;
  /** Index of the copy, or null when the entry has no `count`. */
  readonly copy: number | null;
  readonly path: Path;
  /** Values with `{i}` replaced. Copies without any `{i}` share one object. */
  readonly raw: unknown;
}

const INDEX = '{i}';

/** Path to the first text that contains `{i}`, or null. */
function findIndexUse(value: unknown, path: Path): Path | null {
  if (typeof value === 'string') return value.includes(INDEX) ? path : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, inner] of Object.entries(value)) {
    const found = findIndexUse(inner, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== null) return found;
  }
  return null;
}

function substitute(value: unknown, index: number): unknown {
  if (value === INDEX) return index;
  if (typeof value === 'string') return value.replaceAll(INDEX, String(index));
  if (Array.isArray(value)) return value.map((inner) => substitute(inner, index));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, substitute(inner, index)]),
  );
}

function copyCount(source: YamlSource, path: Path, raw: unknown): number | null {
  const count = (raw as { count?: unknown } | null | undefined)?.count;
  if (count === undefined) return null;
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= COPIES_MAX) {
    return count;
  }
  source.report({
    code: typeof count === 'number' ? 'OUT_OF_RANGE' : 'BAD_VALUE',
    path: [...path, 'count'],
    at: 'value',
    message: `count cannot be ${typeof count === 'object' ? 'a mapping or list' : String(count)}`,
    expected: `a whole number from 1 to ${COPIES_MAX}`,
  });
  return 1;
}

/** Makes the copies of one entry; a single one when it has no `count`. */
export function expandCopies(source: YamlSource, path: Path, base: string, raw: unknown): Entry[] {
  const count = copyCount(source, path, raw);
  const use = findIndexUse(raw, path);
  if (count === null) {
    if (use !== null) {
      source.report({
        code: 'BAD_VALUE',
        path: use,
        at: 'value',
        message: '{i} has no meaning in an entry without count',
        expected: 'a count beside it, or a plain text',
      });
    }
    return [{ name: base, base, copy: null, path, raw }];
  }
  return Array.from({ length: count }, (_, index) => ({
    name: `${base}-${index}`,
    base,
    copy: index,
    path,
    raw: use === null ? raw : substitute(raw, index),
  }));
}
