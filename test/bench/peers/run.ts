// The program behind `npm run bench:peers`: builds the same models in SystemC and SimPy when these are
// installed, lets them take turns with ours, and prints how many times faster ours is. Short turns in
// CPU time, because a machine's speed drifts and other programs disturb; a ratio is of one round.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { medianOf, spreadOf } from '../statistics.ts';
import { described, surroundings } from '../surroundings.ts';
import { Contestant, type Measured } from './contestant.ts';

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
    what: 'hold model, delays uniform in 1 … 10,000 ps, a component or process for each event',
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

interface Peer {
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
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '0.2' },
  },
});
const rounds = Number(values.rounds);

const busbar: Peer = {
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
  console.log(`\n${model.what}`);
  console.log(`M events/s, median of ${rounds} rounds; ratios min / median / max`);
  for (const size of model.sizes) await compare(model, size);
}
if (values.json !== undefined) {
  const versions = Object.fromEntries(peers.map(({ name, version }) => [name, version]));
  const all = { ...where, peers: versions, results };
  writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
}

async function compare(model: Model, size: number): Promise<void> {
  const entered = [busbar, ...peers].filter(
    ({ name }) => name !== 'SimPy' || size <= model.simpySizeMax,
  );
  const contestants = entered.map(
    ({ name, command }) => new Contestant(name, [...command(model.name), String(size)]),
  );
  const rates = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    const measured: Measured[] = [];
    for (const contestant of contestants)
      measured.push(await contestant.run(Number(values.seconds)));
    checkAlike(measured, `${model.name} with ${size} ${model.size}`);
    for (const [i, { events, seconds }] of measured.entries()) rates[i].push(events / seconds);
  }
  for (const contestant of contestants) await contestant.end();
  const [own, ...others] = rates;
  let line = `${String(size).padStart(8)} ${model.size}: busbar ${million(own)}`;
  for (const [i, theirs] of others.entries()) {
    const peer = contestants[i + 1].name;
    const { min, median, max } = spreadOf(own.map((rate, round) => rate / theirs[round]));
    const digits = [min, median, max].map((ratio) => ratio.toPrecision(3)).join(' / ');
    line += `   ${peer} ${million(theirs)}, ratio ${digits}`;
    results.push({ model: model.name, size, peer, own, theirs, min, median, max });
  }
  console.log(line);
}

/** Models that complete other numbers of requests in the same simulated time are not the same. */
function checkAlike(measured: readonly Measured[], what: string): void {
  const [expected, ...others] = measured.map(({ early = 0 }) => early);
  // They may differ in what is the order of ties, and so in the last few requests.
  const wrong = others.find((early) => Math.abs(early - expected) > 0.01 * expected);
  if (wrong !== undefined) {
    throw new Error(`${what}: ${wrong} early requests instead of ${expected}`);
  }
}

/** SystemC, compiled as its users do; null, with a hint, when it is not there. */
function systemc(): Peer | null {
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

function simpy(): Peer | null {
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

function million(rates: readonly number[]): string {
  return (medianOf(rates) / 1e6).toPrecision(3);
}
