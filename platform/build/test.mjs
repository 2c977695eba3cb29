// `npm test`: type check, lint and all tests, one after another, and a summary at the end. Arguments
// go on to vitest, so `npm test -- units` runs the tests whose file name contains `units`, alone.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, textOf } from './steps.mjs';

/** Machine-readable results of the last run of the tests. */
const REPORT = 'dist/test-report.json';

const parameters = process.argv.slice(2);
const steps = [
  { name: 'types', program: 'tsc', parameters: ['--noEmit', '-p', 'tsconfig.test.json'] },
  { name: 'lint', program: 'biome', parameters: ['check', '--error-on-warnings', '.'] },
];
const tests = {
  name: 'tests',
  program: 'vitest',
  parameters: [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${REPORT}`,
    ...parameters,
  ],
};

rmSync(join(root, REPORT), { force: true });
const outcomes = [];
for (const step of parameters.length > 0 ? [tests] : [...steps, tests]) {
  const started = Date.now();
  const code = run(step.program, step.parameters);
  outcomes.push({ name: step.name, code, seconds: (Date.now() - started) / 1000 });
}

console.log('\nSummary');
for (const { name, code, seconds } of outcomes) {
  const time = `${seconds.toFixed(1)} s`.padStart(8);
  console.log(`  ${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(6)} ${time}${counts(name)}`);
}
process.exitCode = outcomes.every(({ code }) => code === 0) ? 0 : 1;

/** What vitest's report says of the tests. */
function counts(name) {
  const report = name === 'tests' ? textOf(join(root, REPORT)) : null;
  if (report === null) return '';
  const { numPassedTests, numFailedTests, numTodoTests, numPendingTests } = JSON.parse(report);
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
  const open = numTodoTests > 0 ? `, ${numTodoTests} to do` : '';
  return `   ${numPassedTests} passed, ${numFailedTests} failed${skipped}${open}`;
}
