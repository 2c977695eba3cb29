// Scenarios as texts in which marks show where a mistake stands, and what the loader says of them.
import { type Problem, parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { tables } from '../unit/scenario-tables.ts';

/** Stands before a mistake; it is taken out before the text is loaded. */
const MARK = '§';

/** A scenario of which one section is replaced. */
export function scenarioText(changes: Readonly<Record<string, string>> = {}): string {
  const sections: Record<string, string> = {
    name: 'name: test',
    nodes: 'nodes:\n  linux: { kind: vm }\n  storage: { kind: partition }',
    buses: 'buses:\n  ffa0: { type: ffa, driver: linux, device: storage }',
    devices: 'devices:\n  disk0: { type: blk, bus: ffa0, number: 0 }',
    workloads: 'workloads:\n  - { type: fio, device: disk0, rw: read }',
    ...changes,
  };
  return `${Object.values(sections).join('\n')}\n`;
}

/** What is wrong with a scenario; its files are looked for in `folder`. */
export function problemsIn(text: string, folder: string): readonly Problem[] {
  try {
    parseScenario({ text: text.replaceAll(MARK, ''), file: 'bad.yaml', folder }, tables);
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems;
    throw error;
  }
  return [];
}

/** Line and column of every mark, counted from 1. */
export function marks(text: string): { line: number; column: number }[] {
  return text.split('\n').flatMap((content, index) =>
    content
      .split(MARK)
      .slice(0, -1)
      .map((_, part, parts) => ({
        line: index + 1,
        column: parts.slice(0, part + 1).join('').length + 1,
      })),
  );
}

/** Line and column of each problem. */
export const places = (problems: readonly Problem[]) =>
  problems.map(({ line, column }) => ({ line, column }));
