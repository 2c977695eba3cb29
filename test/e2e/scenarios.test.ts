// Every shipped scenario is accepted and keeps what it promises.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scenarioFolder, shippedScenarios } from '../../platform/cli/shipped.ts';
import { loadScenario, runScenario } from '../../platform/index.ts';

const scenarios = shippedScenarios();

test('there are scenarios, each in a folder of its theme', () => {
  expect(scenarios.length).toBeGreaterThan(0);
  for (const { name } of scenarios) expect(name).toMatch(/^[a-z0-9-]+\/[a-z0-9-]+$/);
});

describe.each(scenarios)('$name', ({ name, file }) => {
  test('is loaded, says what it shows, and names the schema for editors', () => {
    const { description, name: ownName } = loadScenario(file);
    expect(description.length).toBeGreaterThan(40);
    expect(name.endsWith(`/${ownName}`)).toBe(true);
    const [first] = readFileSync(join(scenarioFolder(), `${name}.yaml`), 'utf8').split('\n');
    expect(first).toBe('# yaml-language-server: $schema=../scenario.schema.json');
  });

  test('runs, and its expectations hold', async () => {
    const { report } = await runScenario(file, { workers: 0 });
    expect(report.expectations.filter(({ passed }) => !passed)).toEqual([]);
    expect(report.expectations.length).toBeGreaterThan(0);
  });
});
