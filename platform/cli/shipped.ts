// The scenarios that come with busbar, which can be run by their name from any folder.
import { readdirSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../errors.ts';
import { type LoadedScenario, nearestName, ScenarioError } from '../scenario/index.ts';
import { loadScenario } from './run-scenario.ts';

const ENDING = '.yaml';

/** The folder of the shipped scenarios, from the sources or from the compiled tree beside them. */
export function scenarioFolder(): string {
  const places = ['../../scenarios/', '../../../scenarios/'];
  const folders = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = folders.find((folder) =>
    statSync(folder, { throwIfNoEntry: false })?.isDirectory(),
  );
  assert(found !== undefined, 'the folder of scenarios is not installed');
  return found;
}

/** A shipped scenario: `theme/name`, and its file. */
export interface ShippedScenario {
  readonly name: string;
  readonly file: string;
}

/** All shipped scenarios, sorted by name. */
export function shippedScenarios(): readonly ShippedScenario[] {
  const folder = scenarioFolder();
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ENDING))
    .map((path) => path.split(sep).join('/').slice(0, -ENDING.length))
    .sort()
    .map((name) => ({ name, file: relative('.', join(folder, `${name}${ENDING}`)) }));
}

/**
 * Loads a scenario file, or the shipped scenario of this name where there is no such file: `theme/name`, or
 * the name alone where no other scenario has it. Throws ScenarioError.
 */
export function loadNamed(fileOrName: string): LoadedScenario {
  if (statSync(fileOrName, { throwIfNoEntry: false }) !== undefined) {
    return loadScenario(fileOrName);
  }
  const all = shippedScenarios();
  const exact = all.find(({ name }) => name === fileOrName);
  const found = exact === undefined ? all.filter(({ name }) => isNamed(name, fileOrName)) : [exact];
  if (found.length === 1) return loadScenario(found[0].file);
  throw unknownScenario(fileOrName, found.length > 1 ? found : all);
}

function isNamed(name: string, ending: string): boolean {
  return name.slice(name.lastIndexOf('/') + 1) === ending;
}

function unknownScenario(written: string, candidates: readonly ShippedScenario[]): ScenarioError {
  const ofTheme = candidates.filter(({ name }) => name.startsWith(`${written}/`));
  const named = candidates.filter(({ name }) => isNamed(name, written));
  const choice = [...ofTheme, ...named].map(({ name }) => name);
  return new ScenarioError([
    {
      code: 'NO_FILE',
      file: written,
      message: 'there is no such file, and no shipped scenario of this name',
      expected: choice.length > 0 ? `one of ${choice.join(', ')}` : null,
      nearest: choice.length > 0 ? null : nearestScenario(written, candidates),
      ...{ line: 0, column: 0, excerpt: '', length: 0 },
    },
  ]);
}

/** By the whole name, or by its last part where only that is written. */
function nearestScenario(written: string, candidates: readonly ShippedScenario[]): string | null {
  const names = candidates.map(({ name }) => name);
  const wanted = written.replace(/\.yaml$/, '').replace(/^.*?scenarios\//, '');
  const lastParts = names.map((name) => name.slice(name.lastIndexOf('/') + 1));
  const byLastPart = nearestName(wanted, lastParts);
  return nearestName(wanted, names) ?? names[lastParts.indexOf(byLastPart ?? '')] ?? null;
}
