// The `expect` section: parses each expectation and checks the names in it against the scenario.
import type { ExpectationPlan } from '../contracts/index.ts';
import { LATENCY_KEYS } from '../observe/index.ts';
import { parseExpectation } from './expectation.ts';
import type { Names } from './names.ts';
import { nearestName } from './nearest.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** Keys of the report that an expectation may begin with, besides names of devices. */
export const REPORT_KEYS: readonly string[] = [
  'scenario',
  'seed',
  'digest',
  'simulatedPs',
  'events',
  'wallSeconds',
  'eventsPerSecond',
  'violations',
  'devices',
  'buses',
  'networks',
  'nodes',
  'workloads',
  'evidence',
];

/** What the report tells of a device. Below these only `latency` has keys that are the same for all. */
export const DEVICE_KEYS: readonly string[] = [
  'type',
  'bus',
  'number',
  'requests',
  'errors',
  'bytes',
  'verified',
  'latency',
  'throughput',
  'iops',
  'extra',
  'operations',
  'model',
];

/** The sections of a report whose names the scenario gives. */
export type NamesBySection = Readonly<Record<'devices' | 'buses' | 'networks' | 'nodes', Names>>;

/** Where an expectation stands, and its path in the report. */
interface Place {
  readonly dotted: readonly string[];
  readonly path: Path;
  readonly offset: number;
}

/** Checks what is asked of a device; what a model or workload counts besides is its own affair. */
function checkDeviceKey(source: YamlSource, { dotted, path, offset }: Place, at: number): void {
  const known: readonly string[] = dotted[at] === 'latency' ? LATENCY_KEYS : DEVICE_KEYS;
  const depth = dotted[at] === 'latency' ? at + 1 : at;
  const word = dotted[depth] ?? '';
  if (known.includes(word)) return;
  const before = dotted.slice(0, depth).join('.');
  source.report({
    code: 'UNKNOWN_NAME',
    path,
    at: 'value',
    offset: word === '' ? offset : offset + before.length + 1,
    message:
      word === ''
        ? `'${before}' is not one value`
        : `the report will have no '${word}' in ${before}`,
    expected: `one of ${known.map((key) => `${before}.${key}`).join(', ')}`,
    nearest: word === '' ? null : nearestName(word, known),
  });
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
    if (section === 'devices') checkDeviceKey(source, place, inSection ? 2 : 1);
    return;
  }
  source.report({
    code: 'UNKNOWN_NAME',
    path,
    at: 'value',
    offset: inSection ? offset + first.length + 1 : offset,
    message: `the report will have no '${inSection ? `${first}.${second}` : first}'`,
    expected: inSection ? `one of the ${section}` : 'a device or a key of the report',
    nearest: nearestName(word, [...names[section].all(), ...others]),
  });
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
