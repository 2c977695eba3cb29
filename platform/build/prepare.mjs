// Makes a clone ready to run: installs what package-lock.json names and compiles the sources, each
// only when it is missing or out of date. `npm start` and `npm test` run it first.
import { existsSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { changedAt, fail, hashOf, root, run, sourceFiles, textOf } from './steps.mjs';

const NODE_MAJOR_MIN = 20;

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < NODE_MAJOR_MIN) {
    fail(`needs Node ${NODE_MAJOR_MIN} or later, this is ${process.versions.node}`);
  }
}

/** npm writes its own copy of the lock file when it has installed everything. */
const LOCK = join(root, 'package-lock.json');
const INSTALLED = join(root, 'node_modules/.package-lock.json');
/** Holds the hash of the lock file that was installed: a checkout changes dates, not contents. */
const INSTALLED_STAMP = join(root, 'node_modules/.busbar-lock');

function installIfNeeded() {
  if (!existsSync(INSTALLED)) return install('nothing is installed');
  if (changedAt(LOCK) <= changedAt(INSTALLED)) return;
  if (textOf(INSTALLED_STAMP) === hashOf(LOCK)) return;
  install('package-lock.json has changed');
}

function install(reason) {
  console.log(`busbar: ${reason}, running npm ci`);
  const code = run('npm', ['ci', '--no-audit', '--no-fund']);
  if (code !== 0) fail(`npm ci failed with exit code ${code}`);
  writeFileSync(INSTALLED_STAMP, hashOf(LOCK));
}

const DIST = join(root, 'dist');
const BUILT_STAMP = join(DIST, '.built');

function buildIfNeeded() {
  const sources = sourceFiles();
  const inputs = [...sources, 'tsconfig.json', 'package-lock.json'];
  // The list of sources is the stamp's text, so that adding or deleting one is noticed.
  const list = sources.join('\n');
  const built = changedAt(BUILT_STAMP);
  const unchanged = inputs.every((file) => changedAt(join(root, file)) <= built);
  if (unchanged && textOf(BUILT_STAMP) === list) return;
  const started = Date.now();
  const code = run('tsc', ['-p', 'tsconfig.json']);
  if (code !== 0) fail('the sources do not compile, see above');
  removeOrphans(new Set(sources));
  writeFileSync(BUILT_STAMP, list);
  // A source saved while the compiler ran must be compiled again.
  utimesSync(BUILT_STAMP, started / 1000, started / 1000);
  console.log(`busbar: compiled ${sources.length} sources in ${Date.now() - started} ms`);
}

/** Deletes what earlier sources left in dist/. */
function removeOrphans(sources) {
  for (const file of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
    const base = /^(.*?)(\.d\.ts|\.js|\.js\.map)$/.exec(file)?.[1];
    if (base !== undefined && !sources.has(`${base}.ts`)) rmSync(join(DIST, file));
  }
}

checkNode();
installIfNeeded();
buildIfNeeded();
