// What the pages of the documentation show of the program's output is what it prints. `npm run docs`
// takes a change over.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renewSamples } from '../support/samples.ts';
import { listFiles, ROOT } from '../support/source-files.ts';

const folders = ['platform', 'devices', 'buses', 'guests', 'scenarios'];
const pages = ['README.md', ...listFiles(folders, ['.md'])].filter((page) =>
  readFileSync(join(ROOT, page), 'utf8').includes('\n$ busbar '),
);

test.each(pages)('%s', async (page) => {
  const path = join(ROOT, page);
  const renewed = await renewSamples(readFileSync(path, 'utf8'));
  await expect(renewed).toMatchFileSnapshot(path);
});
