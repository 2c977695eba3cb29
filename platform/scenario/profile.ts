// Timing profiles: YAML files with one row per constant (value, kind of evidence, source), and the
// overrides a scenario makes.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type {
  ConstantDimension,
  ProfilePlan,
  TimingConstant,
  TimingDefinition,
} from '../contracts/index.ts';
import { assert } from '../errors.ts';
import {
  isWithin,
  limitsText,
  parseCount,
  parseQuantity,
  type QuantityResult,
  unitNames,
  writeQuantity,
} from '../timing/index.ts';
import { oneOfNames } from './fields.ts';
import { faultOfFile } from './input-file.ts';
import { nearestName } from './nearest.ts';
import { parseWith } from './typed-entry.ts';
import { type Path, YamlSource } from './yaml-source.ts';

const row = z.strictObject({
  // A bare number must reach the unit check, not fail as "not a text".
  value: z.preprocess((raw) => (typeof raw === 'number' ? String(raw) : raw), z.string()),
  kind: oneOfNames(['measured', 'specified', 'guess']),
  source: z.string().min(1),
});

const profileFrame = z.strictObject({
  name: z.string().min(1),
  description: z.string().min(1),
  constants: z.record(z.string(), z.unknown()),
});

/** What `busbar list profiles` shows. */
export interface ProfileSummary {
  readonly name: string;
  readonly description: string;
  readonly file: string;
}

/** The folder of the shipped profiles, from the sources or from the compiled tree beside them. */
function profileFolder(): string {
  const places = ['../profiles/', '../../../platform/profiles/'];
  const folders = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = folders.find((folder) =>
    statSync(folder, { throwIfNoEntry: false })?.isDirectory(),
  );
  assert(found !== undefined, 'the folder of timing profiles is not installed');
  return found;
}

/** Names of the shipped profiles, sorted. */
export function profileNames(): readonly string[] {
  return readdirSync(profileFolder())
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** Reads names and descriptions of the shipped profiles. */
export function listProfiles(): readonly ProfileSummary[] {
  return profileNames().map((name) => {
    const file = resolve(profileFolder(), `${name}.yaml`);
    const source = new YamlSource(file, readFileSync(file, 'utf8'));
    const frame = parseWith(source, profileFrame, { path: [], value: source.data });
    source.throwProblems();
    assert(frame !== null, 'a profile without problems has a frame');
    return { name, description: frame.description, file };
  });
}

/** Reads a quantity of any dimension. */
function parseConstant(text: string, dimension: ConstantDimension): QuantityResult {
  return dimension === 'count' ? parseCount(text) : parseQuantity(text, dimension);
}

/** What is wrong with a value that a constant can't have, or null. */
function outOfLimits({ name, dimension, limits = {} }: TimingDefinition, value: number) {
  if (dimension === 'rate' && value === 0) return { message: `${name} cannot be zero` };
  if (isWithin(value, limits)) return null;
  const write = (limit: number) =>
    dimension === 'count' ? String(limit) : writeQuantity(limit, dimension);
  return { message: `${name} is out of range`, expected: limitsText(limits, write) };
}

/** Reads a quantity at a path; null, and a report, when it is not one. */
function readQuantity(
  source: YamlSource,
  definition: TimingDefinition,
  place: { readonly path: Path; readonly value: unknown },
): number | null {
  const text = typeof place.value === 'number' ? String(place.value) : place.value;
  const { dimension } = definition;
  if (typeof text !== 'string') {
    const message = `${definition.name} needs one ${dimension}`;
    source.report({ code: 'BAD_VALUE', path: place.path, at: 'value', message });
    return null;
  }
  const { value, error } = parseConstant(text, dimension);
  if (error === null) {
    const problem = outOfLimits(definition, value);
    if (problem === null) return value;
    source.report({ code: 'OUT_OF_RANGE', path: place.path, at: 'value', ...problem });
    return null;
  }
  const units = dimension === 'count' ? [] : unitNames(dimension);
  const nearest = error.unit ? nearestName(error.unit, units) : null;
  source.report({ ...error, nearest, path: place.path, at: 'value' });
  return null;
}

/** The constant that a definition's own fallback gives, or null. */
function fallbackConstant(definition: TimingDefinition): TimingConstant | null {
  const { name, dimension, fallback } = definition;
  if (fallback === undefined) return null;
  const { value } = parseConstant(fallback.value, dimension);
  assert(value !== null, `fallback of ${name} is not a ${dimension}`);
  return {
    name,
    dimension,
    value,
    text: fallback.value,
    kind: fallback.kind,
    source: fallback.source,
  };
}

function readRow(
  source: YamlSource,
  definition: TimingDefinition,
  rows: Readonly<Record<string, unknown>>,
): TimingConstant | null {
  const { name, dimension } = definition;
  const path = ['constants', name];
  if (!Object.hasOwn(rows, name)) {
    const fallback = fallbackConstant(definition);
    if (fallback !== null) return fallback;
    source.report({
      code: 'MISSING',
      path: ['constants'],
      at: 'key',
      message: `constant '${name}' is missing`,
      expected: `a row '${name}' (${definition.doc})`,
      nearest: nearestName(name, Object.keys(rows)),
    });
    return null;
  }
  const parsed = parseWith(source, row, { path, value: rows[name] });
  if (parsed === null) return null;
  const value = readQuantity(source, definition, { path: [...path, 'value'], value: parsed.value });
  if (value === null) return null;
  return { name, dimension, value, text: parsed.value, kind: parsed.kind, source: parsed.source };
}

/** Reads a profile into a plan; null when its source has problems. */
function readProfile(source: YamlSource, table: readonly TimingDefinition[]): ProfilePlan | null {
  if (source.problems.length > 0) return null;
  const frame = parseWith(source, profileFrame, { path: [], value: source.data });
  if (frame === null) return null;
  const constants: TimingConstant[] = [];
  for (const definition of table) {
    const constant = readRow(source, definition, frame.constants);
    if (constant !== null) constants.push(constant);
  }
  if (source.problems.length > 0) return null;
  return { name: frame.name, description: frame.description, constants };
}

/**
 * Reads a profile for the constants of `table`, in that order. Rows of other constants are left
 * aside: they belong to types that are not in the table. Throws ScenarioError.
 */
export function parseProfile(
  input: { readonly file: string; readonly text: string },
  table: readonly TimingDefinition[],
): ProfilePlan {
  const source = new YamlSource(input.file, input.text);
  const profile = readProfile(source, table);
  source.throwProblems();
  assert(profile !== null, 'a profile without problems is a plan');
  return profile;
}

/** Reads the profile that a scenario names; null, and a report, when there is none. */
export function loadProfile(
  source: YamlSource,
  options: {
    readonly name: string;
    readonly folder: string;
    readonly table: readonly TimingDefinition[];
  },
): ProfilePlan | null {
  const { name, folder, table } = options;
  const ownFile = name.endsWith('.yaml');
  const file = ownFile ? resolve(folder, name) : resolve(profileFolder(), `${name}.yaml`);
  const exists = ownFile ? faultOfFile(file) === null : profileNames().includes(name);
  if (!exists) {
    source.report({
      code: ownFile ? 'NO_FILE' : 'UNKNOWN_NAME',
      path: ['profile'],
      at: 'value',
      message: ownFile
        ? `there is no file '${name}' that can be read`
        : `there is no profile '${name}'`,
      expected: `one of ${profileNames().join(', ')}, or a .yaml file beside the scenario`,
      nearest: nearestName(name, profileNames()),
    });
    return null;
  }
  const profileSource = new YamlSource(file, readFileSync(file, 'utf8'));
  const profile = readProfile(profileSource, table);
  source.adopt(profileSource.problems);
  return profile;
}

/** Puts a scenario's own values over those of a profile, and checks them even without one. */
export function applyOverrides(
  source: YamlSource,
  table: readonly TimingDefinition[],
  input: {
    readonly profile: ProfilePlan | null;
    readonly overrides: Readonly<Record<string, unknown>>;
  },
): ProfilePlan | null {
  const { profile, overrides } = input;
  const changed = new Map<string, TimingConstant>();
  const names = table.map((entry) => entry.name);
  for (const [name, written] of Object.entries(overrides)) {
    const path = ['timing', name];
    const definition = table.find((entry) => entry.name === name);
    if (definition === undefined) {
      source.report({
        code: 'UNKNOWN_NAME',
        path,
        at: 'key',
        message: `there is no timing constant '${name}'`,
        expected: 'a constant that the profile has',
        nearest: nearestName(name, names),
      });
      continue;
    }
    const value = readQuantity(source, definition, { path, value: written });
    if (value === null) continue;
    const { dimension } = definition;
    const evidence = { kind: 'specified', source: 'scenario' } as const;
    changed.set(name, { name, dimension, value, text: String(written), ...evidence });
  }
  if (profile === null) return null;
  const constants = profile.constants.map((constant) => changed.get(constant.name) ?? constant);
  return { ...profile, constants };
}
