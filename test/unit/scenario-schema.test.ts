// The JSON Schema of scenario files: it accepts what the loader accepts, refuses the usual slips,
// and documents every key.
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { scenarioSchema, scenarioSchemaText } from '../../platform/scenario/index.ts';
import { tables } from './scenario-tables.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const schema = scenarioSchema(tables) as Schema;

const typeOf = (value: unknown) => {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

function fitsMapping(rule: Schema, value: Record<string, unknown>): boolean {
  if (rule.required?.some((key) => !(key in value))) return false;
  return Object.entries(value).every(([key, inner]) => {
    const known = rule.properties?.[key];
    if (known !== undefined) return fits(known, inner);
    const others = rule.additionalProperties ?? true;
    return typeof others === 'boolean' ? others : fits(others, inner);
  });
}

/** The part of JSON Schema that ours uses. */
function fits(rule: Schema, value: unknown): boolean {
  if (rule.anyOf !== undefined && !rule.anyOf.some((each) => fits(each, value))) return false;
  if (rule.oneOf !== undefined && rule.oneOf.filter((each) => fits(each, value)).length !== 1) {
    return false;
  }
  const type = typeOf(value);
  const types = [rule.type ?? type].flat();
  if (!types.includes(type) && !(type === 'integer' && types.includes('number'))) return false;
  if (rule.const !== undefined && rule.const !== value) return false;
  if (rule.enum !== undefined && !rule.enum.includes(value)) return false;
  if (typeof value === 'string' && rule.pattern && !new RegExp(rule.pattern).test(value))
    return false;
  if (typeof value === 'string' && value.length < (rule.minLength ?? 0)) return false;
  if (typeof value === 'number' && value < (rule.minimum ?? value)) return false;
  if (typeof value === 'number' && value > (rule.maximum ?? value)) return false;
  if (Array.isArray(value)) return value.every((each) => fits(rule.items ?? {}, each));
  return type !== 'object' || fitsMapping(rule, value as Record<string, unknown>);
}

const GOOD = `name: good
timing: { ffa.worldSwitch: 2us }
nodes:
  linux: { kind: vm, memory: 16MiB, count: 2, placement: '{i}' }
buses:
  ffa0: { type: ffa, driver: linux-0, device: linux-1, messages: direct }
devices:
  disk0: { type: blk, bus: ffa0, number: 0, capacity: 2MiB }
  disks: { type: blk, bus: ffa0, number: '{i}', count: 4 }
workloads:
  - { type: fio, device: disk0, rw: read }
faults:
  - { at: 3ms, on: ffa0, drop: EVENT_USED, count: always }
until: { workloads: done, atMost: 1s }
expect: [violations == 0]
sweep:
  devices.disk0.queueSize: [64, 256]
`;

test('it accepts a good scenario', () => {
  expect(fits(schema, parse(GOOD))).toBe(true);
});

test.each([
  ['unknown key', 'name: good', 'nam: good'],
  ['bare size', '16MiB', '16'],
  ['unit of another dimension', '16MiB', '16ms'],
  ['unknown type', 'type: blk, bus: ffa0, number: 0', 'type: blq, bus: ffa0, number: 0'],
  ['option of another type', 'messages: direct', 'capacity: 1MiB'],
  ['value outside a list', 'messages: direct', 'messages: dircet'],
  ['number above its limit', 'number: 0', 'number: 4294967296'],
  ['missing required option', ', rw: read', ''],
  ['unknown message', 'EVENT_USED', 'EVENT_UESD'],
  ['unknown timing constant', 'ffa.worldSwitch', 'ffa.wordSwitch'],
])('it refuses: %s', (_, from, to) => {
  expect(GOOD).toContain(from);
  expect(fits(schema, parse(GOOD.replace(from, to)))).toBe(false);
});

/** Paths of properties without a description. */
function undocumented(rule: Schema, path: string): string[] {
  const own = Object.entries(rule.properties ?? {}).flatMap(([key, inner]) => {
    const here = `${path}.${key}`;
    return [...(inner.description ? [] : [here]), ...undocumented(inner, here)];
  });
  const inner = [...(rule.oneOf ?? []), ...(rule.anyOf ?? []), ...(rule.items ? [rule.items] : [])];
  if (typeof rule.additionalProperties === 'object') inner.push(rule.additionalProperties);
  return [...own, ...inner.flatMap((each) => undocumented(each, path))];
}

test('every key is documented', () => {
  expect(undocumented(schema, '')).toEqual([]);
});

test('defaults of quantities are written with their unit', () => {
  const nodes = schema.properties?.nodes.additionalProperties as Schema;
  expect(nodes.properties?.memory.default).toBe('64MiB');
  const devices = schema.properties?.devices.additionalProperties as Schema;
  // The stand-in gives this default as a plain number of bytes, as definitions may.
  expect(devices.oneOf?.[0].properties?.cache.default).toBe('32KiB');
});

test('the text of the file is stable and ends with a newline', () => {
  expect(scenarioSchemaText(tables)).toBe(scenarioSchemaText(tables));
  expect(scenarioSchemaText(tables).endsWith('}\n')).toBe(true);
});

test('a table without rows still gives a schema', () => {
  const empty = scenarioSchema({ buses: {}, devices: {}, workloads: {} }) as Schema;
  expect(fits(empty, { name: 'x', nodes: { a: { kind: 'vm' } } })).toBe(true);
});
