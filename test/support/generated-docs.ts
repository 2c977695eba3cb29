// The generated parts of the documentation: tables of options, timing constants, messages, requests and
// scenarios, made from what the code declares. docs.test.ts keeps the pages in step with them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { commands as adminCommands } from '../../buses/admin-vq/commands.ts';
import { registers as adminRegisters, STATE } from '../../buses/admin-vq/registers.ts';
import { inBandMessages } from '../../buses/common/in-band/messages.ts';
import { ffaMessages } from '../../buses/ffa/messages.ts';
import { loopbackMessages } from '../../buses/loopback/messages.ts';
import { alphaMarkdown } from '../../buses/mailbox/alpha/messages.ts';
import { registers as pciRegisters } from '../../buses/pci/registers.ts';
import { layoutHeader, queueHead } from '../../buses/pci/self-describing.ts';
import { commands } from '../../buses/virtio-ccw/commands.ts';
import { registers } from '../../buses/virtio-mmio/registers.ts';
import { commonConfig, structureCapability } from '../../buses/virtio-pci/structures.ts';
import { type StepRows, stepSchema } from '../../guests/common/index.ts';
import { drivers as driverRows } from '../../guests/index.ts';
import { stepsOfAll } from '../../guests/workloads/script.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { Definition } from '../../platform/contracts/index.ts';
import {
  jsonSchemaOf,
  parseProfile,
  profileNames,
  scenarioSchema,
  type ValueSchema,
  valueText,
} from '../../platform/scenario/index.ts';
import { busFrame, deviceFrame, workloadFrame } from '../../platform/scenario/schema.ts';
import { constantTable } from '../../platform/timing/index.ts';
import {
  adminRequest,
  adminResponse,
  BALLOON_STAT,
  BLK_S,
  BLK_T,
  balloonConfig,
  balloonFeatures,
  balloonStat,
  blkConfig,
  blkFeatures,
  CONSOLE_EVENT,
  consoleConfig,
  consoleControl,
  consoleFeatures,
  GPIO_MSG,
  gpioConfig,
  gpioFeatures,
  gpioRequest,
  i2cFeatures,
  i2cFlags,
  i2cRequestHeader,
  netFeatures,
  pmemConfig,
  pmemFeatures,
  pmemRequest,
  pmemResponse,
  VSOCK_OP,
  vsockConfig,
  vsockFeatures,
  vsockHeader,
} from '../../platform/virtio/index.ts';
import {
  type BitTable,
  type Layout,
  layoutMarkdown,
  markdownTable,
  messagesMarkdown,
} from '../../platform/wire/index.ts';
import { demoTable } from './demo-table.ts';
import { listFiles, ROOT, readSource } from './source-files.ts';

/** What is used here of a JSON Schema. */
interface Schema extends ValueSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | false;
  readonly required?: readonly string[];
}

/** Generated content by marker name. */
export type Parts = Readonly<Record<string, string>>;

const schema = scenarioSchema(tables) as Schema;
const code = (value: unknown) => `\`${String(value)}\``;
/** A bar would end the cell of a table. */
const cell = (text: string) => text.replaceAll('|', '\\|');

function defaultText(name: string, field: Schema, required: readonly string[]): string {
  if (required.includes(name)) return '*required*';
  const value = field.default;
  if (value === undefined || value === '' || typeof value === 'object') return '';
  return code(value);
}

/** One row for each property of an object schema, but for those left out. */
function propertyTable(object: Schema, without: readonly string[] = []): string {
  const rows = Object.entries(object.properties ?? {})
    .filter(([name]) => !without.includes(name))
    .map(([name, field]) => [
      code(name),
      cell(valueText(field, code)),
      defaultText(name, field, object.required ?? []),
      cell(field.description ?? ''),
    ]);
  return markdownTable(['key', 'value', 'default', 'meaning'], rows);
}

/** The schemas of a section's entries: one for each type, or a single one. */
function variantsOf(section: string): readonly Schema[] {
  const { additionalProperties, items } = schema.properties?.[section] ?? {};
  const entry = items ?? (additionalProperties || {});
  return entry.oneOf ?? [entry];
}

const typeOf = (variant: Schema) => String(variant.properties?.type?.const);

const FRAMES = { buses: busFrame, devices: deviceFrame, workloads: workloadFrame } as const;
type Section = keyof typeof FRAMES;

/** Keys that every type of a section has. */
const sharedKeys = (section: Section) => Object.keys(FRAMES[section].shape);

/** What is the same for all types of a section. */
function frameTable(section: Section): string {
  const [first] = variantsOf(section);
  const shared = sharedKeys(section);
  const own = Object.keys(first.properties ?? {}).filter((name) => !shared.includes(name));
  const types = variantsOf(section).map(({ properties }) => properties?.type?.const);
  const type: Schema = { enum: types, description: 'Its type; what follows depends on it.' };
  const properties = { ...first.properties, ...(first.properties?.type ? { type } : {}) };
  return propertyTable({ ...first, properties }, own);
}

/** The options of one type, in the order of its schema. */
function optionsTable(section: Section, type: string): string {
  const variant = variantsOf(section).find((candidate) => typeOf(candidate) === type) ?? {};
  return propertyTable(variant, sharedKeys(section));
}

/** One row for each kind of step, and one for each of its keys. */
function stepsTable(rows: StepRows): string {
  const cells = Object.entries(rows).flatMap(([name, row]) => {
    const step = jsonSchemaOf(stepSchema(name, row)) as Schema;
    const keys = Object.entries(step.properties ?? {}).filter(([key]) => key !== 'do');
    return [
      [code(name), '', '', '', cell(row.doc)],
      ...keys.map(([key, field]) => [
        '',
        code(key),
        cell(valueText(field, code)),
        defaultText(key, field, step.required ?? []),
        cell(field.description ?? ''),
      ]),
    ];
  });
  return markdownTable(['step', 'key', 'value', 'default', 'meaning'], cells);
}

/** The steps of scripts: those that every device has, and those of each type. */
function allSteps(): string {
  const own = Object.values(driverRows).flatMap(({ type, steps }) =>
    steps === undefined ? [] : [`##### Steps of ${type}\n\n${stepsTable(steps.rows)}`],
  );
  return [`##### Steps of every device\n\n${stepsTable(stepsOfAll(driverRows))}`, ...own].join(
    '\n\n',
  );
}

/** One row for each kind of step of each type of device. */
function stepsOverview(): string {
  const groups = [
    ['all', stepsOfAll(driverRows)] as const,
    ...Object.values(driverRows).map(({ type, steps }) => [type, steps?.rows ?? {}] as const),
  ];
  const cells = groups.flatMap(([device, rows]) =>
    Object.entries(rows).map(([name, { doc, fields, outcomes }]) => [
      device === 'all' ? device : code(device),
      code(name),
      Object.keys(fields).map(code).join(', '),
      outcomes.map(code).join(', '),
      cell(doc),
    ]),
  );
  return markdownTable(['device', 'step', 'keys', 'may end in', 'what it does'], cells);
}

/** Options of all types of a section, each under its name. */
function allOptions(section: Section, table: Readonly<Record<string, Definition>>): string {
  return Object.values(table)
    .map(
      ({ type, doc, spec }) =>
        `#### ${type}\n\n${doc} Follows: ${spec}.\n\n${optionsTable(section, type)}`,
    )
    .join('\n\n');
}

const constants = constantTable(tables);
const profiles = profileNames().map((name) => {
  const path = `platform/profiles/${name}.yaml`;
  return parseProfile({ file: path, text: readSource(path).text }, constants);
});

/** Constants whose names begin so, with their values in every shipped profile. */
function timingTable(...owners: readonly string[]): string {
  const short = { measured: 'measured', specified: 'specified', guess: 'guess' } as const;
  const rows = constants.flatMap(({ name, doc }, id) => {
    if (!owners.some((owner) => name.startsWith(`${owner}.`))) return [];
    const values = profiles.map(({ constants: all }) => `${all[id].text} (${short[all[id].kind]})`);
    return [[code(name), ...values, cell(doc)]];
  });
  return markdownTable(['constant', ...profiles.map(({ name }) => name), 'what it is'], rows);
}

/** What queues read ahead: the keys of a device's `fetch`, with what the profiles have for them. */
function fetchTable(): string {
  const [device] = variantsOf('devices');
  const keys = device.properties?.fetch?.properties ?? {};
  const rows = Object.entries(keys).map(([name, field]) => {
    const id = constants.findIndex((constant) => constant.name === `device.${name}`);
    const values = profiles.map(({ constants: all }) => all[id].text);
    return [code(name), cell(valueText(field, code)), ...values, cell(field.description ?? '')];
  });
  return markdownTable(['key', 'value', ...profiles.map(({ name }) => name), 'meaning'], rows);
}

/** How many constants of each profile rest on what. */
function evidenceTable(): string {
  const rows = profiles.map(({ name, description, constants: all }) => {
    const count = (kind: string) => String(all.filter((row) => row.kind === kind).length);
    return [code(name), count('measured'), count('specified'), count('guess'), cell(description)];
  });
  return markdownTable(['profile', 'measured', 'specified', 'guesses', 'what it stands for'], rows);
}

/** One row for each definition of a table. */
function definitionTable(
  rows: readonly { readonly type: string; readonly doc: string; readonly spec: string }[],
): string {
  const cells = rows.map(({ type, doc, spec }) => [code(type), cell(doc), cell(spec)]);
  return markdownTable(['type', 'what it is', 'follows'], cells);
}

function valuesTable(title: string, values: Readonly<Record<string, number>>): string {
  const rows = Object.entries(values).map(([name, value]) => [String(value), code(name)]);
  return markdownTable([title, 'name'], rows);
}

/** What the page of every device has: its options and timing constants. */
function devicePage(type: string): Parts {
  return { options: optionsTable('devices', type), timing: timingTable(type) };
}

/** One row for each bit of a table of features or flags. */
function bitsTable(bits: BitTable): string {
  const rows = Object.entries(bits).map(([name, { bit, doc }]) => [
    String(bit),
    code(name),
    cell(doc),
  ]);
  return markdownTable(['bit', 'name', 'meaning'], rows);
}

/** One item for each scenario, with its own description. */
function scenarioList(): string {
  const items = listFiles(['scenarios'], ['.yaml']).map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const { description } = parse(text) as { description: string };
    const link = path.slice('scenarios/'.length);
    return `- [${link}](${link}): ${description.replaceAll(/\s+/g, ' ').trim()}`;
  });
  return items.join('\n');
}

/** Registers in the order of their table. */
/** Each command of the transport by administration virtqueue, with what it carries both ways. */
function adminCommandsMarkdown(): string {
  const sections = Object.entries(adminCommands).map(([name, { opcode, doc, data, result }]) =>
    [
      `#### ${name} (0x${opcode.toString(16)})`,
      doc,
      `Data:${partMarkdown(data.layout)}`,
      `Result:${partMarkdown(result.layout)}`,
    ].join('\n\n'),
  );
  return sections.join('\n\n');
}

function partMarkdown(layout: Layout): string {
  const text = layoutMarkdown(layout);
  return text.startsWith('|') ? `\n\n${text}` : ' none';
}

function registersTable(
  table: Readonly<
    Record<string, { readonly at: number; readonly access: string; readonly doc: string }>
  >,
): string {
  const rows = Object.entries(table).map(([name, { at, access, doc }]) => [
    `0x${at.toString(16).padStart(3, '0')}`,
    name,
    access,
    doc,
  ]);
  return markdownTable(['offset', 'register', 'access', 'meaning'], rows);
}

function channelCommandsTable(): string {
  const rows = Object.entries(commands).map(([name, { code, access, size, revision, doc }]) => [
    `0x${code.toString(16).padStart(2, '0')}`,
    name,
    access,
    size === 0 ? '' : String(size),
    String(revision),
    doc,
  ]);
  return markdownTable(['code', 'command', 'data', 'bytes', 'from revision', 'meaning'], rows);
}

const { buses, devices, drivers, workloads } = tables;

/** What some types show of themselves besides options and constants. */
const EXTRA_PARTS: Readonly<Record<string, Parts>> = {
  'buses/admin-vq': {
    registers: registersTable(adminRegisters),
    states: valuesTable('State', STATE),
    request: layoutMarkdown(adminRequest.layout),
    response: layoutMarkdown(adminResponse.layout),
    commands: adminCommandsMarkdown(),
  },
  'buses/ffa': { messages: messagesMarkdown(ffaMessages) },
  'buses/loopback': { messages: messagesMarkdown(loopbackMessages) },
  'buses/mailbox': { alpha: alphaMarkdown() },
  'buses/pci': {
    registers: registersTable(pciRegisters),
    header: layoutMarkdown(layoutHeader.layout),
    head: layoutMarkdown(queueHead.layout),
  },
  'buses/virtio-ccw': { commands: channelCommandsTable(), timing: timingTable('ccw') },
  'buses/virtio-mmio': { registers: registersTable(registers) },
  'buses/virtio-pci': {
    capability: layoutMarkdown(structureCapability.layout),
    common: layoutMarkdown(commonConfig.layout),
  },
  'devices/net': { features: bitsTable(netFeatures) },
  'devices/blk': {
    features: bitsTable(blkFeatures),
    config: layoutMarkdown(blkConfig.layout),
    requests: valuesTable('type', BLK_T),
    results: valuesTable('status', BLK_S),
  },
};

/** What the names of constants begin with. */
function ownersOf(timing: Definition['timing']): readonly string[] {
  return [...new Set(timing.map(({ name }) => name.slice(0, name.indexOf('.'))))];
}

/** The README of every type of a section: its options, its constants if it has any, and the rest. */
function pagesOf(
  section: 'buses' | 'devices',
  table: Readonly<Record<string, Definition>>,
): Record<string, Parts> {
  const pages = Object.values(table).map(({ type, timing }) => {
    const folder = `${section}/${type}`;
    const parts: Parts = {
      options: optionsTable(section, type),
      ...(timing.length > 0 ? { timing: timingTable(...ownersOf(timing)) } : {}),
      ...EXTRA_PARTS[folder],
    };
    return [`${folder}/README.md`, parts] as const;
  });
  return Object.fromEntries(pages);
}

/** Everything that a scenario can be built from, one line each. */
function typesTable(): string {
  const kinds = { bus: buses, device: devices, workload: workloads };
  const rows = Object.entries(kinds).flatMap(([kind, table]) =>
    Object.values(table).map(({ type, doc }) => [kind, code(type), cell(doc)]),
  );
  return markdownTable(['kind', 'type', 'what it is'], rows);
}

/** The generated parts of every page, by the page's path. */
export const GENERATED_PAGES: Readonly<Record<string, Parts>> = {
  'README.md': { types: typesTable() },
  'platform/docs/scenario-reference.md': {
    top: propertyTable(schema),
    nodes: propertyTable(variantsOf('nodes')[0]),
    buses: frameTable('buses'),
    'bus-options': allOptions('buses', buses),
    networks: propertyTable(variantsOf('networks')[0]),
    devices: frameTable('devices'),
    'device-options': allOptions('devices', devices),
    workloads: frameTable('workloads'),
    'workload-options': allOptions('workloads', workloads),
    'script-steps': allSteps(),
    faults: propertyTable(variantsOf('faults')[0]),
    until: propertyTable(schema.properties?.until ?? {}),
  },
  'platform/docs/timing.md': {
    profiles: evidenceTable(),
    platform: timingTable('cpu', 'memory'),
    fetch: timingTable('device'),
    buses: timingTable(...ownersOf(Object.values(buses).flatMap(({ timing }) => timing))),
    devices: timingTable(...Object.keys(devices)),
  },
  'buses/README.md': { types: definitionTable(Object.values(buses)) },
  'buses/common/in-band/README.md': { messages: messagesMarkdown(inBandMessages) },
  'devices/README.md': { types: definitionTable(Object.values(devices)), fetch: fetchTable() },
  ...pagesOf('buses', buses),
  ...pagesOf('devices', devices),
  'devices/balloon/README.md': {
    ...devicePage('balloon'),
    features: bitsTable(balloonFeatures),
    config: layoutMarkdown(balloonConfig.layout),
    statistics: layoutMarkdown(balloonStat.layout),
    tags: valuesTable('tag', BALLOON_STAT),
  },
  'devices/console/README.md': {
    ...devicePage('console'),
    features: bitsTable(consoleFeatures),
    config: layoutMarkdown(consoleConfig.layout),
    control: layoutMarkdown(consoleControl.layout),
    events: valuesTable('event', CONSOLE_EVENT),
  },
  'devices/gpio/README.md': {
    ...devicePage('gpio'),
    features: bitsTable(gpioFeatures),
    config: layoutMarkdown(gpioConfig.layout),
    request: layoutMarkdown(gpioRequest.layout),
    types: valuesTable('type', GPIO_MSG),
  },
  'devices/i2c/README.md': {
    ...devicePage('i2c'),
    features: bitsTable(i2cFeatures),
    header: layoutMarkdown(i2cRequestHeader.layout),
    flags: bitsTable(i2cFlags),
  },
  'devices/pmem/README.md': {
    ...devicePage('pmem'),
    features: bitsTable(pmemFeatures),
    config: layoutMarkdown(pmemConfig.layout),
    request: layoutMarkdown(pmemRequest.layout),
    response: layoutMarkdown(pmemResponse.layout),
  },
  'devices/vsock/README.md': {
    ...devicePage('vsock'),
    features: bitsTable(vsockFeatures),
    config: layoutMarkdown(vsockConfig.layout),
    header: layoutMarkdown(vsockHeader.layout),
    operations: valuesTable('op', VSOCK_OP),
  },
  'guests/README.md': {
    drivers: definitionTable(Object.values(drivers)),
    workloads: definitionTable(Object.values(workloads)),
  },
  'guests/workloads/README.md': {
    options: allOptions('workloads', workloads),
    'script-steps': stepsOverview(),
  },
  'scenarios/README.md': { demos: demoTable(), scenarios: scenarioList() },
};
