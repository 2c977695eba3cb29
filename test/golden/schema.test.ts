// The JSON Schema that editors use is that of the loader. `npm run docs` writes it anew.
import { expect, test } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { scenarioSchemaText } from '../../platform/scenario/index.ts';

test('scenarios/scenario.schema.json is in sync', async () => {
  await expect(scenarioSchemaText(tables)).toMatchFileSnapshot(
    '../../scenarios/scenario.schema.json',
  );
});
