// The program behind `npm run bench:workers`: runs scenarios on one thread and with `--workers auto` (or
// a number) in turns, and prints how many times faster the second is. Whole processes of the compiled
// program, by the wall time that their reports tell.
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { medianOf, spreadOf } from '../statistics.ts';
import { described, surroundings } from '../surroundings.ts';

const PROGRAM = 'dist/platform/cli/main.js';

interface Report {
  readonly workers: number;
  readonly digest: string;
  readonly wallSeconds: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    workers: { type: 'string', default: 'auto' },
  },
});
const rounds = Number(values.rounds);
const files = positionals.length > 0 ? positionals : shippedScenarios();

const where = surroundings();
console.log(described(where));
console.log(`median wall seconds of ${rounds} rounds, and ratios min / median / max`);
const results = files.map(compare);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ ...where, results }, null, 2)}\n`);
}

function shippedScenarios(): string[] {
  const names = readdirSync('scenarios', { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.yaml')).map((name) => `scenarios/${name}`);
}

function compare(file: string): object {
  const inline: number[] = [];
  const threaded: number[] = [];
  let chosen = 0;
  for (let round = 0; round < rounds; round++) {
    const one = report(file, '0');
    const other = report(file, values.workers);
    if (one.digest !== other.digest) throw new Error(`${file}: digests differ`);
    inline.push(one.wallSeconds);
    threaded.push(other.wallSeconds);
    chosen = Math.max(chosen, other.workers);
  }
  const ratios = inline.map((seconds, round) => seconds / threaded[round]);
  const { min, median, max } = spreadOf(ratios);
  const seconds = [inline, threaded].map((all) => medianOf(all).toFixed(2)).join(' → ');
  const digits = [min, median, max].map((ratio) => ratio.toFixed(2)).join(' / ');
  console.log(`${file}: ${seconds} s, ${digits}${chosen > 0 ? `, ${chosen} threads` : ''}`);
  return { file, inline, threaded, min, median, max, threads: chosen };
}

/** Runs a scenario, whose expectations must hold. */
function report(file: string, workers: string): Report {
  const parameters = [PROGRAM, 'run', file, '--workers', workers, '--json'];
  const stdio = ['ignore', 'pipe', 'ignore'] as const;
  try {
    const text = execFileSync(process.execPath, parameters, {
      encoding: 'utf8',
      stdio: [...stdio],
      maxBuffer: 2 ** 28,
    });
    return JSON.parse(text) as Report;
  } catch (error) {
    throw new Error(`${file} does not run`, { cause: error });
  }
}
