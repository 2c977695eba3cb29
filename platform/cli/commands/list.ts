// `busbar list [KIND [NAME]]`: what there is to build scenarios from, and what each thing takes.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Definition, TimingDefinition } from '../../contracts/index.ts';
import { UsageError } from '../../errors.ts';
import { describeTopology, listProfiles, nearestName, parseProfile } from '../../scenario/index.ts';
import { alignColumns, type Paint, shorten, wrap, wrapLine } from '../../text/index.ts';
import { constantTable } from '../../timing/index.ts';
import { EXIT, type ExitCode, type Io } from '../io.ts';
import { optionsOf, type TypedSection } from '../options-of.ts';
import { loadScenario } from '../run-scenario.ts';
import { shippedScenarios } from '../shipped.ts';
import { tables } from '../tables.ts';

/** One thing of a kind: a line in the listing, and the page behind it. */
interface Entry {
  readonly name: string;
  readonly doc: string;
  detail(paint: Paint): string[];
}

const KINDS = ['devices', 'buses', 'workloads', 'profiles', 'scenarios'] as const;
type Kind = (typeof KINDS)[number];

const DOC_SHOWN_MAX = 100;

const ENTRIES: Readonly<Record<Kind, () => Entry[]>> = {
  devices: () => typedEntries('devices', tables.devices),
  buses: () => typedEntries('buses', tables.buses),
  workloads: () => typedEntries('workloads', tables.workloads),
  profiles: () =>
    listProfiles().map(({ name, description, file }) => ({
      name,
      doc: description,
      detail: (paint) => profileDetail({ name, description, file }, paint),
    })),
  scenarios: () =>
    shippedScenarios().map(({ name, file }) => {
      const scenario = loadScenario(file);
      const detail = ({ columns }: Paint) => [
        describeTopology(scenario, { tables, columns }).trimEnd(),
      ];
      return { name, doc: scenario.description, detail };
    }),
};

/** Adds the command to the program. `done` is told its exit code. */
export function addList(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('list')
    .description('Show devices, buses, workloads, profiles and scenarios; with a name, all of it.')
    .argument('[kind]', `what to list: ${KINDS.join(', ')}`)
    .argument('[name]', 'the one to show in detail; its kind may be left out')
    .action((first: string | undefined, name: string | undefined) => {
      const kind = first === undefined ? undefined : kindNamed(first);
      if (name !== undefined) showDetail(kind ?? unknownKind(first!), name, io);
      else if (first !== undefined && kind === undefined) showDetail(kindOf(first), first, io);
      else for (const each of kind === undefined ? KINDS : [kind]) showList(each, io);
      done(EXIT.ok);
    });
}

/** A kind by its name, in the plural or the singular. */
function kindNamed(word: string): Kind | undefined {
  return KINDS.find((kind) => kind === word || kind === `${word}s` || kind === `${word}es`);
}

/** The kind of the only thing that has this name. */
function kindOf(name: string): Kind {
  const kinds = KINDS.filter((kind) => namesOf(kind).includes(name));
  if (kinds.length === 1) return kinds[0];
  if (kinds.length === 0) return unknownKind(name);
  const choice = kinds.map((kind) => `${kind} ${name}`).join(', ');
  throw new UsageError('UNKNOWN_NAME', `'${name}' is the name of several things: ${choice}`);
}

function unknownKind(word: string): never {
  const nearest = nearestName(word, [...KINDS, ...KINDS.flatMap(namesOf)]);
  const hint = nearest === null ? '' : `; did you mean '${nearest}'?`;
  const message = `there is nothing called '${word}', nor such a kind: ${KINDS.join(', ')}${hint}`;
  throw new UsageError('UNKNOWN_NAME', message);
}

function namesOf(kind: Kind): string[] {
  return ENTRIES[kind]().map(({ name }) => name);
}

function showList(kind: Kind, io: Io): void {
  const rows = ENTRIES[kind]().map(({ name, doc }) => [
    `  ${name}`,
    shorten(doc.replace(/\s+/g, ' ').trim(), DOC_SHOWN_MAX),
  ]);
  const title = io.paint.bold(`${kind} (${rows.length})`);
  io.out(`${[title, ...alignColumns(rows, { columns: io.paint.columns })].join('\n')}\n`);
}

function showDetail(kind: Kind, name: string, io: Io): void {
  const entries = ENTRIES[kind]();
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    const names = entries.map((candidate) => candidate.name);
    const nearest = nearestName(name, names);
    const hint = nearest === null ? '' : `; did you mean '${nearest}'?`;
    const message = `there is no '${name}' among the ${kind}: ${names.join(', ')}${hint}`;
    throw new UsageError('UNKNOWN_NAME', message);
  }
  io.out(`${entry.detail(io.paint).join('\n')}\n`);
}

function typedEntries(section: TypedSection, table: Readonly<Record<string, Definition>>): Entry[] {
  return Object.values(table).map((definition) => ({
    name: definition.type,
    doc: definition.doc,
    detail: (paint) => definitionDetail(section, definition, paint),
  }));
}

function definitionDetail(section: TypedSection, row: Definition, paint: Paint): string[] {
  const { type, doc, spec, timing, messages } = row;
  const options = optionsOf(section, type).map(({ name, values, fallback, doc: text }) => [
    `  ${name}`,
    values,
    fallback,
    text,
  ]);
  return [
    ...titleLines(type, doc, paint),
    ...wrapLine(`after ${spec}`, paint.columns),
    '',
    ...titled(paint, [['Keys', 'values', 'default', ''], ...options]),
    ...timingLines(timing, paint),
    ...(messages === undefined || messages.length === 0
      ? []
      : ['', paint.bold('Messages, for fault rules'), ...namesIn(messages, paint)]),
  ];
}

function timingLines(timing: readonly TimingDefinition[], paint: Paint): string[] {
  if (timing.length === 0) return [];
  const rows = timing.map(({ name, dimension, doc }) => [`  ${name}`, dimension, doc]);
  return ['', ...titled(paint, [['Timing constants', '', ''], ...rows])];
}

function profileDetail(
  { name, description, file }: { name: string; description: string; file: string },
  paint: Paint,
): string[] {
  const table = constantTable(tables);
  const { constants } = parseProfile({ file, text: readFileSync(file, 'utf8') }, table);
  const rows = constants.map((row) => [`  ${row.name}`, row.text, row.kind, row.source.trim()]);
  return [
    ...titleLines(name, description, paint),
    '',
    ...titled(paint, [['Constants', 'value', 'kind', 'source'], ...rows]),
  ];
}

function titleLines(name: string, doc: string, paint: Paint): string[] {
  const [first, ...rest] = wrapLine(`${name}: ${doc}`, paint.columns);
  return [paint.bold(name) + first.slice(name.length), ...rest];
}

function titled(paint: Paint, rows: readonly (readonly string[])[]): string[] {
  const [title, ...body] = alignColumns(rows, { columns: paint.columns });
  return [paint.bold(title), ...body];
}

/** Names in lines of a readable length. */
function namesIn(names: readonly string[], { columns }: Paint): string[] {
  return wrap(names.join(', '), Math.min(columns, DOC_SHOWN_MAX) - 2).map((line) => `  ${line}`);
}
