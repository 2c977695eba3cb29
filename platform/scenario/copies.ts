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
  /** Keys of the entry whose values contain `{i}`. */
  readonly indexedKeys: readonly string[];
  /** Already reported as a whole; its values are not to be looked at. */
  readonly broken: boolean;
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

/** The `count` of an entry; null without one, or when it is wrong (which its frame reports). */
function copyCount(raw: unknown): number | null {
  const count = (raw as { count?: unknown } | null | undefined)?.count;
  const fits = typeof count === 'number' && Number.isInteger(count) && count >= 1;
  return fits && count <= COPIES_MAX ? count : null;
}

/** Makes the copies of one entry; a single one when it has no `count`. */
export function expandCopies(source: YamlSource, path: Path, base: string, raw: unknown): Entry[] {
  const count = copyCount(raw);
  const use = findIndexUse(raw, path);
  if (count === null) {
    const counted = typeof raw === 'object' && raw !== null && 'count' in raw;
    const broken = use !== null && !counted;
    if (broken) {
      source.report({
        code: 'BAD_VALUE',
        path: use,
        at: 'value',
        message: '{i} has no meaning in an entry without count',
        expected: 'a count beside it, or a plain text',
      });
    }
    return [{ name: base, base, copy: null, path, raw, indexedKeys: [], broken }];
  }
  const indexedKeys = Object.entries(raw as object)
    .filter(([, value]) => findIndexUse(value, []) !== null)
    .map(([key]) => key);
  return Array.from({ length: count }, (_, index) => ({
    name: `${base}-${index}`,
    base,
    copy: index,
    path,
    raw: use === null ? raw : substitute(raw, index),
    indexedKeys,
    broken: false,
  }));
}
