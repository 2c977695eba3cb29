// How the project is written: who may import whom, what may not be used where, how long things may be,
// and that every device, bus, driver and workload has all its parts. A failure names the file, the line
// and what to do instead.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buses } from '../buses/index.ts';
import { devices } from '../devices/index.ts';
import { drivers, workloads } from '../guests/index.ts';
import { tables } from '../platform/cli/tables.ts';
import { constantTable } from '../platform/timing/index.ts';
import {
  codeOnly,
  functionsOf,
  importsOf,
  listFiles,
  ROOT,
  readSource,
  type SourceFile,
  sourceFiles,
} from './support/source-files.ts';

const sources = sourceFiles();
const product = sources.filter(({ path }) => !path.startsWith('test/'));
const tests = sources.filter(({ path }) => path.startsWith('test/'));
const byPath = new Map(sources.map((source) => [source.path, source]));

const isIn = (path: string, folders: readonly string[]) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`));

// Banned words. Modelled code runs in simulated time only; the rest of the list holds everywhere.

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** These talk to the machine that busbar runs on, which is what they are for. */
const HOST_FOLDERS = ['platform/hosts', 'platform/cli', 'platform/explore', 'platform/studio'];

/** Files that the list below does not hold for, and why. */
const MAY_NAME_TIMERS: Readonly<Record<string, string>> = {
  'platform/machine/xstate-engine.ts': 'XState asks its clock for methods of those names',
};

const BANNED_IN_MODELS: readonly Ban[] = [
  { pattern: /\bDate\b/, instead: 'kernel.now' },
  { pattern: /\bperformance\b/, instead: 'kernel.now; wall time is measured by the hosts' },
  { pattern: /\bMath\.random\b/, instead: 'node.random(name)' },
  { pattern: /\bset(?:Timeout|Interval|Immediate)\b/, instead: 'kernel.schedule' },
  { pattern: /\bqueueMicrotask\b/, instead: 'kernel.schedule' },
  { pattern: /\basync\b|\bawait\b|\bPromise\b/, instead: 'an event that comes later' },
  { pattern: /\bprocess\b/, instead: 'an option handed in by the host' },
  { pattern: /\bconsole\b/, instead: 'a statistic, a violation or an error' },
  { pattern: /\btoLocale\w*|\blocaleCompare\b/, instead: '< and >, which no locale changes' },
  { pattern: /\bfromPromise\b/, instead: 'an event that comes later' },
];

const BANNED_IN_SOURCES: readonly Ban[] = [
  {
    pattern: /^\s*(?:export\s+)?(?:const\s+)?enum\s/,
    instead: 'an `as const` table and its union',
  },
  { pattern: /^\s*(?:export\s+)?namespace\s/, instead: 'a module' },
];

/** Lines of `source` that match a ban, as `path:line` with the replacement. */
function findBanned({ path, text }: SourceFile, bans: readonly Ban[]): string[] {
  return codeOnly(text)
    .split('\n')
    .flatMap((line, index) =>
      bans.flatMap(({ pattern, instead }) => {
        const found = pattern.exec(line);
        return found === null ? [] : [`${path}:${index + 1} '${found[0].trim()}': use ${instead}`];
      }),
    );
}

describe('words', () => {
  it('modelled code uses nothing of the machine that it runs on', () => {
    const models = product.filter(
      ({ path }) => !isIn(path, HOST_FOLDERS) && !Object.hasOwn(MAY_NAME_TIMERS, path),
    );
    expect(models.flatMap((source) => findBanned(source, BANNED_IN_MODELS))).toEqual([]);
  });

  it('all code keeps to syntax that can be erased', () => {
    expect(sources.flatMap((source) => findBanned(source, BANNED_IN_SOURCES))).toEqual([]);
  });

  it('any is used by wire and machine alone', () => {
    const bans = [{ pattern: /(?::|\bas|<|,)\s*any\b/, instead: 'unknown, or a type' }];
    const others = product.filter(({ path }) => !isIn(path, ['platform/wire', 'platform/machine']));
    expect(others.flatMap((source) => findBanned(source, bans))).toEqual([]);
  });

  it('nothing is left to do, and no test is left out', () => {
    const words = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
    const left = sources.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) =>
        words.test(line) && !line.includes('it.todo') ? [`${path}:${index + 1}`] : [],
      ),
    );
    const bans = [
      { pattern: /\b(?:it|test|describe)\.(?:only|skip)\b/, instead: 'the whole suite' },
    ];
    expect([...left, ...tests.flatMap((source) => findBanned(source, bans))]).toEqual([]);
  });
});

// Imports.

/** The only files of platform/ that know the tables of devices, buses and guests. */
const COMPOSITION_ROOTS = [
  'platform/cli/tables.ts',
  'platform/hosts/worker-entry.ts',
  'platform/index.ts',
];
const SIBLINGS = ['devices', 'buses', 'guests'];

/** Folders of platform/ that know none of the others but those named. */
const LEAVES: Readonly<Record<string, readonly string[]>> = {
  'platform/kernel': [],
  'platform/wire': [],
  'platform/machine': ['platform/kernel'],
};

/** Files that others import although they are no index.ts, and why. */
const OPEN_FILES: Readonly<Record<string, string>> = {
  'platform/scenario/fields.ts': 'for option schemas, which must not pull in the loader',
  'platform/errors.ts': 'is in no folder',
};

/** The innermost folder of a file that has an index.ts. */
function moduleOf(path: string): string {
  for (let folder = path; folder.includes('/'); ) {
    folder = folder.slice(0, folder.lastIndexOf('/'));
    if (byPath.has(`${folder}/index.ts`)) return folder;
  }
  return path.slice(0, path.lastIndexOf('/'));
}

function findImports(
  files: readonly SourceFile[],
  wrong: (from: string, to: string, typeOnly: boolean) => boolean,
): string[] {
  return files.flatMap((source) =>
    importsOf(source)
      .filter(({ target, typeOnly }) => target !== null && wrong(source.path, target, typeOnly))
      .map(({ specifier, line }) => `${source.path}:${line} imports ${specifier}`),
  );
}

/** Imports of types that go back to where they came from, and why. */
const WAYS_BACK: Readonly<Record<string, string>> = {
  'platform/contracts/models.ts -> platform/node/index.ts':
    'models are made for the node they are on',
};

/** Cycles of imports, of types too, each told once. */
function findCycles(): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === 'done') return;
    if (state.get(path) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    state.set(path, 'open');
    const source = byPath.get(path);
    for (const { target, typeOnly } of source === undefined ? [] : importsOf(source)) {
      const isWayBack = typeOnly && Object.hasOwn(WAYS_BACK, `${path} -> ${target}`);
      if (target !== null && !isWayBack) visit(target, [...trail, path]);
    }
    state.set(path, 'done');
  };
  for (const { path } of product) visit(path, []);
  return cycles;
}

describe('imports', () => {
  it('platform knows no device, bus or guest but in its composition roots', () => {
    const platform = product.filter(({ path }) => isIn(path, ['platform']));
    const others = platform.filter(({ path }) => !COMPOSITION_ROOTS.includes(path));
    expect(findImports(others, (_, to) => isIn(to, SIBLINGS))).toEqual([]);
  });

  it('devices, buses and guests meet at platform/contracts only', () => {
    const across = SIBLINGS.flatMap((own) => {
      const files = product.filter(({ path }) => isIn(path, [own]));
      const others = SIBLINGS.filter((folder) => folder !== own);
      return findImports(files, (_, to) => isIn(to, others));
    });
    expect(across).toEqual([]);
  });

  it('nothing but tests imports tests', () => {
    expect(findImports(product, (_, to) => isIn(to, ['test']))).toEqual([]);
  });

  it('a folder is entered through its index.ts', () => {
    const inside = findImports(product, (from, to) => {
      const folder = moduleOf(to);
      if (to === `${folder}/index.ts` || Object.hasOwn(OPEN_FILES, to)) return false;
      return !isIn(from, [folder]);
    });
    expect(inside).toEqual([]);
  });

  it('kernel, wire and machine stand on their own', () => {
    const wrong = Object.entries(LEAVES).flatMap(([leaf, allowed]) =>
      findImports(
        product.filter(({ path }) => isIn(path, [leaf])),
        (_, to) => !isIn(to, [leaf, ...allowed, 'platform/errors.ts']),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('no two files import each other, directly or by way of others', () => {
    expect(findCycles()).toEqual([]);
  });

  it('every file is used by something', () => {
    const entries = [...COMPOSITION_ROOTS, 'platform/cli/main.ts'];
    const used = new Set(
      sources.flatMap((source) => importsOf(source).map(({ target }) => target)),
    );
    const dead = product.filter(({ path }) => !used.has(path) && !entries.includes(path));
    expect(dead.map(({ path }) => path)).toEqual([]);
  });

  it('index.ts names what it exports', () => {
    const bans = [{ pattern: /^\s*export (?:type )?\*(?! as)/, instead: 'a list of names' }];
    const indexes = product.filter(({ path }) => path.endsWith('/index.ts'));
    expect(indexes.flatMap((source) => findBanned(source, bans))).toEqual([]);
  });
});

// Sizes and form.

const SOURCE_LINES_MAX = 400;
const TEST_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 60;

/** Files that are one long table, which is easier to read in one piece. */
const TABLES: Readonly<Record<string, string>> = {};

describe('form', () => {
  it(`sources have at most ${SOURCE_LINES_MAX} lines, tests ${TEST_LINES_MAX}`, () => {
    const long = sources.filter(({ path, lines }) => {
      const limit = path.startsWith('test/') ? TEST_LINES_MAX : SOURCE_LINES_MAX;
      return lines.length > limit && !Object.hasOwn(TABLES, path);
    });
    expect(long.map(({ path, lines }) => `${path} has ${lines.length} lines`)).toEqual([]);
  });

  it(`functions have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long = product.flatMap((source) =>
      functionsOf(source)
        .filter(({ length }) => length > FUNCTION_LINES_MAX)
        .map(({ line, length, text }) => `${source.path}:${line} ${length} lines: ${text}`),
    );
    expect(long).toEqual([]);
  });

  it('every file opens by saying what it is', () => {
    const bare = sources.filter(({ path, text }) => {
      // An index.ts that only passes names on is explained by the README of its folder.
      const onlyPasses = /^(?:export [^;]*from '[^']*';\s*)+$/.test(text);
      const opening = text.replace(/^#!.*\n/, '');
      return !opening.startsWith('//') && !(path.endsWith('/index.ts') && onlyPasses);
    });
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it('files are named in kebab-case', () => {
    const all = [
      ...listFiles(['platform', 'devices', 'buses', 'guests', 'scenarios', 'test'], ['']),
    ];
    const wrong = all.filter((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      return name !== 'README.md' && !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)+$/.test(name);
    });
    expect(wrong).toEqual([]);
  });

  it('the top level has the folders that everybody knows, and no others', () => {
    const known = ['buses', 'devices', 'guests', 'platform', 'scenarios', 'test'];
    const notOurs = ['node_modules', 'dist', 'coverage'];
    const found = readdirSync(ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name);
    expect(found.filter((name) => ![...known, ...notOurs].includes(name))).toEqual([]);
  });
});

// Whoever adds a device, a bus, a driver or a workload is told here what is still missing.

const scenarios = listFiles(['scenarios'], ['.yaml']).map((path) => ({
  path,
  data: parse(readFileSync(join(ROOT, path), 'utf8')) as Record<string, unknown>,
}));

/** Types that the entries of a section of any scenario have. */
function typesInScenarios(section: string): Set<unknown> {
  const entries = scenarios.flatMap(({ data }) => Object.values(data[section] ?? {}));
  return new Set(entries.map((entry) => (entry as { type?: unknown }).type));
}

function foldersIn(folder: string, besides: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !besides.includes(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** What a row of a table lacks, in words. */
function missingParts(name: string, folder: string, section: string): string[] {
  const missing: string[] = [];
  const has = (path: string) => listFiles([folder], [path]).length > 0;
  if (!has('/README.md')) missing.push(`${folder}/README.md, with its tables`);
  const word = new RegExp(`(?:^|[/-])${name}(?:[.-]|$)`);
  const tested = tests.some(
    (test) =>
      test.path.endsWith('.test.ts') &&
      (word.test(test.path) || importsOf(test).some(({ target }) => isIn(target ?? '', [folder]))),
  );
  if (!tested)
    missing.push(`a test, e.g. test/unit/${name}.test.ts, or one that imports ${folder}`);
  const used = typesInScenarios(section).has(name);
  if (!used) missing.push(`a scenario with type: ${name} under ${section}`);
  return missing.map((part) => `${name}: ${part}`);
}

const KINDS = [
  { folder: 'devices', rows: devices, besides: ['common'], section: 'devices' },
  { folder: 'buses', rows: buses, besides: ['common'], section: 'buses' },
  { folder: 'guests', rows: drivers, besides: ['common', 'workloads'], section: 'devices' },
] as const;

describe.each(KINDS)('$folder', ({ folder, rows, besides, section }) => {
  it('has a row in its index.ts for every folder, and a folder for every row', () => {
    expect(Object.keys(rows).sort()).toEqual(foldersIn(folder, besides));
  });

  it('has a README, a test and a scenario for every row', () => {
    const names = Object.keys(rows);
    const missing = names.flatMap((name) => missingParts(name, `${folder}/${name}`, section));
    expect(missing).toEqual([]);
  });
});

describe('workloads', () => {
  it('have a file, a test and a scenario for every row', () => {
    const missing = Object.keys(workloads).flatMap((name) => {
      const file = `guests/workloads/${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}.ts`;
      const noFile = byPath.has(file) ? [] : [`${name}: ${file}`];
      return [...noFile, ...missingParts(name, 'guests/workloads', 'workloads')];
    });
    expect(missing).toEqual([]);
  });
});

describe('timing profiles', () => {
  const declared = constantTable(tables).map(({ name }) => name);

  it.each(listFiles(['platform/profiles'], ['.yaml']))('%s has every constant once', (path) => {
    const { constants } = parse(readSource(path).text) as { constants: object };
    expect(Object.keys(constants).sort()).toEqual([...declared].sort());
  });

  it('hold no constant that nothing charges or reads', () => {
    const all = product.map(({ text }) => text).join('\n');
    const shortOf = (name: string) => name.slice(name.indexOf('.') + 1);
    const unused = declared.filter((name) => {
      const uses = all.split(new RegExp(`\\b${shortOf(name)}\\b`)).length - 1;
      // Once where it is declared; bus tables look their constants up by the short name.
      return uses < 2;
    });
    expect(unused).toEqual([]);
  });
});
