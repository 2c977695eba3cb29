// Anchors, aliases and merge keys in scenarios: what entries take over, and where mistakes are shown.
import { describe, expect, test } from 'vitest';
import { parseScenario } from '../../platform/scenario/index.ts';
import { marks, places, problemsIn, scenarioText } from '../support/marked-scenarios.ts';
import { tables } from './scenario-tables.ts';

const folder = '.';
const scenario = scenarioText;
const problemsOf = (text: string) => problemsIn(text, folder);

describe('aliases and merge keys', () => {
  const messages = (text: string) => problemsOf(text).map(({ message }) => message);

  test('take over keys, unless the entry has its own or an earlier mapping has', () => {
    const text = scenario({
      nodes: [
        'nodes:',
        '  linux: &vm { kind: vm, cpus: 4, memory: 1MiB }',
        '  small: &small { kind: vm, cpus: 1 }',
        '  storage: { <<: *vm, kind: partition, cpus: 2 }',
        '  both: { <<: [*small, *vm] }',
      ].join('\n'),
    });
    const { nodes } = parseScenario({ text, file: 'merged.yaml', folder }, tables);
    expect(nodes.map(({ kind, cpus, memory }) => [kind, cpus, memory])).toEqual([
      ['vm', 4, 2 ** 20],
      ['vm', 1, 2 ** 26],
      ['partition', 2, 2 ** 20],
      ['vm', 1, 2 ** 20],
    ]);
  });

  test('may come from keys of the file itself', () => {
    const text = `x-vm: &vm { kind: vm, cpus: 3 }\n${scenario({
      nodes: 'nodes:\n  linux: *vm\n  storage: { <<: *vm, kind: partition }',
    })}`;
    const { nodes } = parseScenario({ text, file: 'own.yaml', folder }, tables);
    expect(nodes.map(({ kind, cpus }) => [kind, cpus])).toEqual([
      ['vm', 3],
      ['partition', 3],
    ]);
  });

  test('show a mistake where it is written, and name each entry that has it', () => {
    const text = scenario({
      nodes: 'nodes:\n  linux: &one { kind: vm, §cpu: 2 }\n  a: *one\n  storage: { <<: *one }',
    });
    const [mark] = marks(text);
    expect(places(problemsOf(text))).toEqual([mark, mark, mark]);
    expect(messages(text)).toEqual([
      "unknown key 'cpu'",
      "unknown key 'cpu', taken over by nodes.a",
      "unknown key 'cpu', taken over by nodes.storage",
    ]);
  });

  test.each([
    [
      'nodes:\n  a: &vm { kind: vm }\n  b: { <<: §*wm }',
      "there is no anchor '&wm' before this alias",
    ],
    ['nodes:\n  a: &vm { kind: vm, x: §*vm }', "'*vm' stands within what it stands for"],
    ['nodes:\n  a: &vm { <<: §*vm, kind: vm }', "'*vm' stands within what it stands for"],
    ['nodes:\n  a: { <<: §3 }', '<< takes over the keys of mappings only'],
    [
      'nodes:\n  a: &vm { kind: vm }\n  b: { <<: [*vm, §3] }',
      '<< takes over the keys of mappings only',
    ],
  ])('%j is refused', (nodes, message) => {
    const text = scenario({ nodes });
    expect(messages(text)).toEqual([message]);
    expect(places(problemsOf(text))).toEqual(marks(text));
  });

  test('tell the nearest anchor', () => {
    const nodes = 'nodes:\n  a: &small { kind: vm }\n  b: { <<: *smal }';
    expect(problemsOf(scenario({ nodes }))[0]).toMatchObject({ nearest: 'small' });
  });
});
