// The `expect` section: parses each expectation and checks the names in it against the scenario.
import type { ExpectationPlan } from '../contracts/index.ts';
import { LATENCY_KEYS } from '../observe/index.ts';
import { parseExpectation } from './expectation.ts';
import type { Names } from './names.ts';
import { nearestName } from './nearest.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** Keys of the report that an expectation may begin with, besides names of devices. */
export const REPORT_KEYS: readonly string[] = [
  ...['scenario', 'seed', 'profile', 'engine', 'workers', 'placement', 'ending', 'digest'],
  ...['simulatedPs', 'events', 'wallSeconds', 'eventsPerSecond', 'speedRatio'],
  ...['devices', 'workloads', 'buses', 'networks', 'nodes'],
  ...['violations', 'violationList', 'evidence', 'expectations'],
];

/** What the report tells of an entry of each section. What models and ends count is their own affair. */
export const ENTRY_KEYS: Readonly<Record<keyof NamesBySection, readonly string[]>> = {
  devices: [
    ...['type', 'bus', 'number', 'requests', 'errors', 'bytes', 'verified', 'latency'],
    ...['throughput', 'iops', 'extra', 'operations', 'model', 'reads'],
  ],
  buses: [
    ...['type', 'beyondDrafts', 'messages', 'bytes', 'utilisation'],
    ...['driver', 'device', 'perRequest'],
  ],
  networks: [
    ...['type', 'frames', 'bytes', 'dropped', 'lost', 'utilisation'],
    ...['switch', 'devices', 'ports'],
  ],
  nodes: [
    ...['kind', 'world', 'cpus', 'cpuBusy', 'cpuBusyPs', 'cpuLentPs'],
    ...['interrupts', 'violations', 'events'],
  ],
};

/** Figures below these keys of an entry are the same for all. */
export const INNER_KEYS: Readonly<Record<string, readonly string[]>> = {
  latency: LATENCY_KEYS,
  perRequest: [
    ...['requests', 'latency', 'messages', 'calls', 'interrupts', 'bytes'],
    ...['driverCpu', 'deviceCpu'],
  ],
};

/** The sections of a report whose names the scenario gives. */
export type NamesBySection = Readonly<Record<'devices' | 'buses' | 'networks' | 'nodes', Names>>;

/** Where an expectation stands, and its path in the report. */
interface Place {
  readonly dotted: readonly string[];
  readonly path: Path;
  readonly offset: number;
}

/** Checks the keys below the name of an entry, which stand from `at` on. */
function checkEntryKey(
  source: YamlSource,
  { dotted, path, offset }: Place,
  { section, at }: { readonly section: keyof NamesBySection; readonly at: number },
): void {
  const inner = Object.hasOwn(INNER_KEYS, dotted[at] ?? '') ? INNER_KEYS[dotted[at]] : null;
  const known = inner ?? ENTRY_KEYS[section];
  const depth = inner === null ? at : at + 1;
  const word = dotted[depth] ?? '';
  if (known.includes(word)) return;
  const before = dotted.slice(0, depth).join('.');
  const missing = word === '';
  source.report({
    code: 'UNKNOWN_NAME',
    path,
    at: 'value',
    offset: missing ? offset : offset + before.length + 1,
    message: missing
      ? `'${before}' is not one value`
      : `the report will have no '${word}' in ${before}`,
    expected: `one of ${known.map((key) => `${before}.${key}`).join(', ')}`,
    nearest: missing ? null : nearestKey(word, known),
  });
}

/** The key that was meant: one of a similar name, or one that has this key below it. */
function nearestKey(word: string, known: readonly string[]): string | null {
  const above = known.find((key) => INNER_KEYS[key]?.includes(word));
  return above === undefined ? nearestName(word, known) : `${above}.${word}`;
}

function checkName(source: YamlSource, names: NamesBySection, place: Place): void {
  const { dotted, path, offset } = place;
  const [first, second = ''] = dotted;
  const inSection = Object.hasOwn(names, first);
  const section = (inSection ? first : 'devices') as keyof NamesBySection;
  const word = inSection ? second : first;
  const others = inSection ? [] : REPORT_KEYS;
  if (others.includes(word)) return;
  if (names[section].knows(word)) {
    return checkEntryKey(source, place, { section, at: inSection ? 2 : 1 });
  }
  const nearest = nearestName(word, [...names[section].all(), ...others]);
  source.report({
    code: 'UNKNOWN_NAME',
    path,
    at: 'value',
    offset: inSection ? offset + first.length + 1 : offset,
    message: `the report will have no '${inSection ? `${first}.${second}` : first}'`,
    expected: inSection ? `one of the ${section}` : 'a device or a key of the report',
    nearest: inSection ? nearest : (inOtherSection(names, word) ?? nearest),
  });
}

/** The whole path of a name that is no device but, say, a bus. */
function inOtherSection(names: NamesBySection, word: string): string | null {
  const sections = Object.keys(names) as (keyof NamesBySection)[];
  const section = sections.find((each) => names[each].knows(word));
  return section === undefined ? null : `${section}.${word}`;
}

/** Parses all expectations; what is wrong with them is reported. */
export function parseExpectations(
  source: YamlSource,
  names: NamesBySection,
  texts: readonly string[],
): ExpectationPlan[] {
  return texts.map((text, position) => {
    const path = ['expect', position];
    const { expectation, error } = parseExpectation(text);
    const offset = text.length - text.trimStart().length;
    if (error === null) checkName(source, names, { dotted: expectation.path, path, offset });
    else source.report({ ...error, path, at: 'value' });
    return { text, ...source.placeOf(path) };
  });
}
