// The message tables in the README are those of the code. `vitest -u` rewrites them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { REVISIONS } from '../../../platform/contracts/topology.ts';
import { revision } from '../../../platform/virtio/messages/index.ts';
import {
  type MessageTable,
  messagesMarkdown,
  replaceGenerated,
} from '../../../platform/wire/index.ts';

const path = fileURLToPath(new URL('../../../platform/virtio/messages/README.md', import.meta.url));

/** The rows of v2 whose tables read differently from those of v1. */
function changedRows(): MessageTable {
  const older: MessageTable = revision('v1').codec.table;
  const newer: MessageTable = revision('v2').codec.table;
  const rows = Object.entries(newer).filter(
    ([name, row]) =>
      messagesMarkdown({ [name]: row }) !== messagesMarkdown({ [name]: older[name] }),
  );
  return Object.fromEntries(rows);
}

it('shows every message with its offsets, and what v2 changed', async () => {
  const page = readFileSync(path, 'utf8');
  const base = messagesMarkdown(revision('v1').codec.table);
  const wanted = replaceGenerated(
    replaceGenerated(page, 'messages', base),
    'v2',
    messagesMarkdown(changedRows()),
  );
  await expect(wanted).toMatchFileSnapshot(path);
});

it('shows one table for both older revisions, as they have the same bodies', () => {
  const [first, second] = REVISIONS.slice(0, 2).map((name) =>
    messagesMarkdown(revision(name).codec.table),
  );
  expect(first).toBe(second);
});

it('shows the rows that v2 changed and no others', () => {
  expect(Object.keys(changedRows())).toEqual([
    'GET_DEVICE_INFO',
    'GET_VQUEUE',
    'SET_VQUEUE',
    'GET_SHM',
    'GET_DEVICES',
  ]);
});
