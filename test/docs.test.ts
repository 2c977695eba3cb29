// The documentation tells what the code is: generated tables are in step, links lead somewhere, and the
// schema for editors is the loader's. `npm run docs` rewrites what is generated.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { tables } from '../platform/cli/tables.ts';
import { scenarioSchemaText } from '../platform/scenario/index.ts';
import { replaceGenerated } from '../platform/wire/index.ts';
import { GENERATED_PAGES } from './support/generated-docs.ts';
import { listFiles, ROOT } from './support/source-files.ts';

// A page that is missing altogether is for tidy.test.ts to tell.
const pages = Object.entries(GENERATED_PAGES).filter(([path]) => existsSync(join(ROOT, path)));

it.each(pages)('%s has the tables of the code', async (path, parts) => {
  let page = readFileSync(join(ROOT, path), 'utf8');
  for (const [name, content] of Object.entries(parts)) {
    page = replaceGenerated(page, name, `\n${content}\n`);
  }
  await expect(page).toMatchFileSnapshot(join(ROOT, path));
});

it('scenarios/scenario.schema.json is the schema of the loader', async () => {
  const path = join(ROOT, 'scenarios/scenario.schema.json');
  await expect(scenarioSchemaText(tables)).toMatchFileSnapshot(path);
});

it('links lead to files that are there', () => {
  const folders = ['platform', 'devices', 'buses', 'guests', 'scenarios', 'test'];
  const broken = ['README.md', ...listFiles(folders, ['.md'])].flatMap((page) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`);
  });
  expect(broken).toEqual([]);
});

it('every generated part of a page is generated', () => {
  const all = listFiles(['platform', 'devices', 'buses', 'guests', 'scenarios'], ['.md']);
  const forgotten = all.flatMap((page) => {
    const marks = readFileSync(join(ROOT, page), 'utf8').matchAll(/<!-- generated:([\w-]+) -->/g);
    const known = Object.keys(GENERATED_PAGES[page] ?? {});
    // The message tables of virtio-msg have a test of their own beside their codec's.
    if (page === 'platform/virtio/messages/README.md') return [];
    return [...marks].map(([, name]) => name).filter((name) => !known.includes(name));
  });
  expect(forgotten).toEqual([]);
});
