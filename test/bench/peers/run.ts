// The program behind `npm run bench:peers`: builds the same models in SystemC and SimPy when these are
// installed, runs them in turn with ours, and prints how many times faster ours is. In turn, because
// a machine's speed drifts; the ratios within a round do not.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { described, surroundings } from '../surroundings.ts';

interface Model {
  readonly name: string;
  readonly what: string;
  readonly size: string;
  readonly sizes: readonly number[];
  /** Larger ones take too long in Python. */
  readonly simpySizeMax: number;
}

const MODELS: readonly Model[] = [
  {
    name: 'hold',
    what: 'hold model, delays uniform in 1 … 10,000 ps',
    size: 'pending',
    sizes: [100, 10_000, 100_000, 1_000_000],
    simpySizeMax: 100_000,
  },
  {
    name: 'pipeline',
    what: 'request pipeline, 14 events a request',
    size: 'in flight',
    sizes: [1, 32, 256],
    simpySizeMax: 256,
  },
];

/** What a program prints. */
interface Measured {
  readonly events: number;
  readonly seconds: number;
  /** Requests completed in the first two simulated ms, for models that complete requests. */
  readonly early?: number;
}

interface Contestant {
  readonly name: string;
  readonly version: string;
  readonly command: (model: string) => readonly string[];
}

const SOURCES = fileURLToPath(new URL('../../../../test/bench/peers/', import.meta.url));
const BUILT = fileURLToPath(new URL('../../../peers/', import.meta.url));
/** Debian installs its Python packages for this one only. */
const PYTHON = '/usr/bin/python3';

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
  },
});
const rounds = Number(values.rounds);

const ours: Contestant = {
  name: 'busbar',
  version: process.versions.node,
  command: (model) => [process.execPath, fileURLToPath(new URL('ours.js', import.meta.url)), model],
};
const peers = [systemc(), simpy()].filter((peer) => peer !== null);
const where = surroundings();
console.log(described(where));
for (const { name, version } of peers) console.log(`${name} ${version}`);
const results: object[] = [];
for (const model of MODELS) {
  console.log(`\n${model.what}: M events/s, median of ${rounds}; ratios min / median / max`);
  for (const size of model.sizes) compare(model, size);
}
if (values.json !== undefined) {
  const versions = Object.fromEntries(peers.map(({ name, version }) => [name, version]));
  const all = { ...where, peers: versions, results };
  writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
}

function compare(model: Model, size: number): void {
  const entered = peers.filter(({ name }) => name !== 'SimPy' || size <= model.simpySizeMax);
  const rates = new Map<string, number[]>([ours, ...entered].map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    let first: Measured | undefined;
    for (const contestant of [ours, ...entered]) {
      const measured = measure(contestant, model.name, size);
      first ??= measured;
      checkAlike(first, measured, `${contestant.name}, ${model.name}, ${size} ${model.size}`);
      rates.get(contestant.name)!.push(measured.events / measured.seconds);
    }
  }
  const own = rates.get(ours.name)!;
  let line = `${String(size).padStart(8)} ${model.size}: ${ours.name} ${million(own)}`;
  for (const { name } of entered) {
    const theirs = rates.get(name)!;
    const ratios = sorted(own.map((rate, round) => rate / theirs[round]));
    const [min, median, max] = [ratios[0], middle(ratios), ratios.at(-1)!];
    const digits = [min, median, max].map((ratio) => ratio.toPrecision(3)).join(' / ');
    line += `   ${name} ${million(theirs)}, ratio ${digits}`;
    results.push({ model: model.name, size, peer: name, own, theirs, min, median, max });
  }
  console.log(line);
}

/** Models that complete other numbers of requests in the same simulated time are not the same. */
function checkAlike({ early: expected }: Measured, { early: got }: Measured, what: string): void {
  if (expected === undefined || got === undefined) return;
  // They may differ in what is the order of ties, and so in the last few requests.
  if (Math.abs(got - expected) > 0.01 * expected) {
    throw new Error(`${what}: ${got} early requests instead of ${expected}`);
  }
}

function measure({ name, command }: Contestant, model: string, size: number): Measured {
  const [program, ...parameters] = command(model);
  const { status, stdout } = spawnSync(program, [...parameters, String(size), values.seconds], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) throw new Error(`${name} ended with code ${status} on ${model} ${size}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured;
}

/** SystemC, compiled as its users do; null, with a hint, when it is not there. */
function systemc(): Contestant | null {
  const version = output('g++', ['-E', '-dM', '-include', 'systemc', '-x', 'c++', '/dev/null']);
  if (version === null) {
    console.log('SystemC is missing: on Debian, apt-get install g++ libsystemc-dev');
    return null;
  }
  mkdirSync(BUILT, { recursive: true });
  for (const { name } of MODELS) {
    const parameters = ['-O2', '-o', `${BUILT}${name}`, `${SOURCES}${name}.cpp`, '-lsystemc'];
    execFileSync('g++', parameters, { stdio: 'inherit' });
  }
  const part = (which: string) => new RegExp(`SC_VERSION_${which} (\\d+)`).exec(version)?.[1];
  return {
    name: 'SystemC',
    version: ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.'),
    command: (model) => [`${BUILT}${model}`],
  };
}

function simpy(): Contestant | null {
  const version = output(PYTHON, ['-c', 'import simpy; print(simpy.__version__)']);
  if (version === null) {
    console.log('SimPy is missing: on Debian, apt-get install python3-simpy3');
    return null;
  }
  const python = output(PYTHON, ['--version']) ?? '';
  return {
    name: 'SimPy',
    version: `${version.trim()} on ${python.trim()}`,
    command: (model) => [PYTHON, `${SOURCES}${model}.py`],
  };
}

/** What a program prints, or null when it fails or is not there. */
function output(program: string, parameters: readonly string[]): string | null {
  const { status, stdout } = spawnSync(program, parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26,
  });
  return status === 0 ? stdout : null;
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((one, other) => one - other);
}

function middle(numbers: readonly number[]): number {
  return numbers[numbers.length >> 1];
}

function million(rates: readonly number[]): string {
  return (middle(sorted(rates)) / 1e6).toPrecision(3);
}
