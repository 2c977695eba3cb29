// The program behind `npm run bench`: runs suites of index.ts, each in a process of its own so that
// what one teaches the compiler does not slow the next, and prints tables or writes JSON. Rates are per
// second of CPU time.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { suites } from './index.ts';
import { countOf } from './suite.ts';
import { described, surroundings } from './surroundings.ts';

interface Row {
  readonly task: string;
  readonly unit: string;
  /** Units per second. */
  readonly median: number;
  readonly best: number;
  readonly worst: number;
  readonly samples: number;
}

interface Outcome {
  readonly rows: readonly Row[];
  readonly summary: readonly string[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    time: { type: 'string', default: '500' },
    child: { type: 'boolean', default: false },
  },
});

if (values.child) {
  console.log(JSON.stringify(measure(positionals[0], positionals[1])));
} else {
  main(positionals.length > 0 ? positionals : Object.keys(suites));
}

/** Runs the suites, and exits with 2 when there is none of a name. */
function main(names: readonly string[]): void {
  const unknown = names.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0) {
    console.error(
      `bench: no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`,
    );
    process.exitCode = 2;
    return;
  }
  const where = surroundings();
  console.log(described(where));
  const results: object[] = [];
  for (const name of names) {
    for (const variant of suites[name].variants ?? ['']) {
      const { rows, summary } = inOwnProcess(name, variant);
      print(`${name}${variant && `: ${variant}`} (${suites[name].what})`, rows, summary);
      results.push(...rows.map((row) => ({ suite: name, variant, ...row })));
    }
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ ...where, results }, null, 2)}\n`);
  }
}

function inOwnProcess(name: string, variant: string): Outcome {
  const self = fileURLToPath(import.meta.url);
  const parameters = [self, '--child', '--time', values.time, name, variant];
  const { stdout, status } = spawnSync(process.execPath, parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`suite ${name} ended with code ${status}`);
  return JSON.parse(stdout) as Outcome;
}

function measure(name: string, variant: string): Outcome {
  const time = Number(values.time);
  const bench = new Bench({
    time,
    warmupTime: time / 2,
    iterations: 8,
    warmupIterations: 4,
    now: cpuMilliseconds,
  });
  suites[name].add(bench, variant);
  bench.runSync();
  const rows = bench.tasks.map(({ name: task, result }): Row => {
    if (result.state !== 'completed') {
      throw new Error(`${task} is ${result.state}`, { cause: 'error' in result && result.error });
    }
    const { unit, count } = countOf(task);
    const { p50, min, max, samplesCount } = result.latency;
    // tinybench counts in milliseconds.
    const [median, best, worst] = [p50, min, max].map((each) => (count * 1000) / each);
    return { task, unit, median, best, worst, samples: samplesCount };
  });
  return { rows, summary: suites[name].summary?.(bench) ?? [] };
}

/** CPU time of the process, which other programs disturb less than they do the time of day. */
function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function print(title: string, rows: readonly Row[], summary: readonly string[]): void {
  const width = Math.max(...rows.map(({ task }) => task.length));
  console.log(`\n${title}`);
  console.log(`${''.padEnd(width)}      median        best       worst  samples`);
  for (const { task, unit, median, best, worst, samples } of rows) {
    const numbers = [median, best, worst].map((rate) => short(rate).padStart(11)).join(' ');
    console.log(`${task.padEnd(width)} ${numbers} ${String(samples).padStart(8)}  ${unit}/s`);
  }
  for (const line of summary) console.log(line);
}

/** Three significant digits: `31.2 M`. */
function short(rate: number): string {
  const [scale, letter] = rate >= 1e6 ? [1e6, 'M'] : rate >= 1e3 ? [1e3, 'k'] : [1, ' '];
  return `${(rate / scale).toPrecision(3)} ${letter}`;
}
