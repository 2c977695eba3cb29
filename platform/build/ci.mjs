// The second half of .ci/run: runs every shipped scenario with the compiled CLI in all ways that must give
// one digest, adds the results of the tests, and prints the line that counts both. The argument is the
// exit code of `npm test`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, textOf } from './steps.mjs';

/** No shipped scenario comes near this; a hang must not hold up everything. */
const SCENARIO_TIME_MAX_MS = 300_000;
/** Ways to run a scenario that make no difference. */
const WAYS = ['--workers 0', '--workers 1', '--workers 2', '--workers 0 --engine xstate'];
const CLI = join(root, 'dist/platform/cli/main.js');

/** The last line that a program wrote, for a failure without words. */
function lastLine(text) {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

function runScenario(file) {
  const started = Date.now();
  const runs = WAYS.map((way) => runAs(way, file));
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const digests = new Set(runs.map(({ digest }) => digest));
  const problem = runs.find((run) => run.problem !== null)?.problem ?? null;
  const ok = problem === null && digests.size === 1;
  const text = problem ?? `digest ${[...digests].join(', ')}`;
  console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${file} (${seconds} s): ${text}`);
  return ok;
}

/** One run of a scenario: its digest, or what was wrong with it. */
function runAs(way, file) {
  const parameters = [CLI, 'run', file, '--json', ...way.split(' ')];
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, {
    cwd: root,
    encoding: 'utf8',
    timeout: SCENARIO_TIME_MAX_MS,
    maxBuffer: 2 ** 28,
  });
  if (status === 0) return { digest: digestOf(stdout), problem: null };
  const reason = status === null ? 'no end within the time limit' : `exit code ${status}`;
  return { digest: null, problem: `${way}: ${reason} ${lastLine(stderr)}` };
}

function digestOf(stdout) {
  const report = JSON.parse(stdout);
  return (Array.isArray(report) ? report[0] : report).digest;
}

/** Passed and failed tests of the last `npm test`; what did not get as far as a test is a failure. */
function testCounts(code) {
  const text = textOf(join(root, 'dist/test-report.json'));
  const report = text === null ? null : JSON.parse(text);
  const passed = report?.numPassedTests ?? 0;
  const failed = report?.numFailedTests ?? 0;
  // A type error, a lint finding or a test file that cannot be loaded has no test of its own.
  const other = failed === 0 && (code !== 0 || passed === 0) ? 1 : 0;
  return { passed, failed: failed + other };
}

const tests = testCounts(Number(process.argv[2]));
const files = readdirSync(join(root, 'scenarios'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => join('scenarios', file))
  .sort();
console.log('\nScenarios');
const outcomes = files.map(runScenario);
const passed = tests.passed + outcomes.filter((ok) => ok).length;
const failed = tests.failed + outcomes.filter((ok) => !ok).length;
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
