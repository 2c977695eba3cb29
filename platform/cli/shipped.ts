// The scenarios that come with busbar, which can be run by their name from any folder.
import { readdirSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../errors.ts';
import type { LoadedScenario } from '../scenario/index.ts';
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

/** Loads a scenario file, or the shipped scenario of that name where there is no such file. */
export function loadNamed(fileOrName: string): LoadedScenario {
  if (statSync(fileOrName, { throwIfNoEntry: false }) === undefined) {
    const shipped = shippedScenarios().find(({ name }) => name === fileOrName);
    if (shipped !== undefined) return loadScenario(shipped.file);
  }
  return loadScenario(fileOrName);
}
