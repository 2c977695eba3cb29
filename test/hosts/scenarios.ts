// What the tests of the hosts share: the compiled tree that worker threads load, the scenarios, and
// what must be equal between two runs of one.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tables } from '../../platform/cli/tables.ts';
import { type RunOptions, type RunOutcome, runTopology } from '../../platform/hosts/index.ts';
import { buildReport, type Report } from '../../platform/observe/report/index.ts';
import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Worker threads cannot run sources: compiles them, unless that has been done. */
export function compile(): void {
  execFileSync(process.execPath, [`${root}platform/build/prepare.mjs`]);
}

/** Loads a shipped scenario with some of its text replaced. */
export function scenario(name: string, changes: readonly (readonly [string, string])[]) {
  const folder = `${root}scenarios/ffa`;
  let text = readFileSync(`${folder}/${name}.yaml`, 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${name} does not contain: ${from}`);
    text = text.replaceAll(from, to);
  }
  return parseScenario({ text, file: `${name}.yaml`, folder }, tables);
}

/** The VM and the partition of secure-storage, with fewer requests. */
export function onePair(changes: readonly (readonly [string, string])[] = []): LoadedScenario {
  return scenario('secure-storage', [
    ['operations: 42000', 'operations: 300'],
    ['operations: 500', 'operations: 20'],
    ...changes,
  ]);
}

/** Eight pairs of nodes that have nothing to do with one another. */
export function eightPairs(): LoadedScenario {
  return scenario('many-pairs', [['operations: 2500', 'operations: 60']]);
}

export function run(
  topology: LoadedScenario,
  options: Omit<RunOptions, 'tables'> = {},
): Promise<RunOutcome> {
  return runTopology(topology, { tables, ...options });
}

/** The report of a run without what may differ between hosts. */
export function lasting(topology: LoadedScenario, outcome: RunOutcome): Partial<Report> {
  const {
    workers: _,
    placement,
    wallSeconds,
    eventsPerSecond,
    speedRatio,
    ...rest
  } = buildReport(topology, { ...outcome, engine: 'compiled' });
  return rest;
}
