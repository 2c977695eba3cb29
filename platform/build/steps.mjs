// What the npm scripts are made of: finding out whether something is stale, and running programs.
// Plain JavaScript on Node alone, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Folders whose TypeScript is compiled to dist/. */
const SOURCE_FOLDERS = ['platform', 'devices', 'buses', 'guests'];

/** Ends the program with an error of one line. */
export function fail(message) {
  console.error(`busbar: ${message}`);
  process.exit(1);
}

/** Milliseconds since 1970 when a file was last changed; 0 when there is none. */
export function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** All TypeScript sources that end up in dist/, as paths relative to the root, sorted. */
export function sourceFiles() {
  return SOURCE_FOLDERS.filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join(folder, file)),
    )
    .sort();
}

/** A file's text, or null when there is none. */
export function textOf(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** A hash of a file's bytes. */
export function hashOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Runs a program of node_modules/.bin, or npm, in the root; returns its exit code. */
export function run(program, parameters, environment = {}) {
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } };
  const { status, error } = spawnSync(
    process.execPath,
    [scriptOf(program), ...parameters],
    options,
  );
  if (error !== undefined) fail(`cannot run ${program}: ${error.message}`);
  return status ?? 1;
}

/** The JavaScript file behind a program, so that no shell and no .cmd wrapper is needed. */
function scriptOf(program) {
  if (program === 'npm') return npmScript();
  const scripts = {
    tsc: 'node_modules/typescript/bin/tsc',
    biome: 'node_modules/@biomejs/biome/bin/biome',
    vitest: 'node_modules/vitest/vitest.mjs',
  };
  return join(root, scripts[program]);
}

/** npm tells its scripts where it lies; without npm it is looked for beside Node. */
function npmScript() {
  const places = [
    process.env.npm_execpath ?? '',
    join(process.execPath, '../../lib/node_modules/npm/bin/npm-cli.js'),
    join(process.execPath, '../node_modules/npm/bin/npm-cli.js'),
  ];
  const found = places.find((place) => place.endsWith('npm-cli.js') && existsSync(place));
  return found ?? fail('npm was not found; install it, or run this through npm (npm run build)');
}
