// Tables of offsets, sizes and types for the README files, made from layouts, and the rewriting of
// the marked part of a page that a test keeps in step.
import { assert } from '../errors.ts';
import { type Layout, LayoutCodec } from './layout.ts';
import type { MessageTable } from './messages.ts';

/** Makes the offset, size and type table of one layout; `empty` for a body without fields. */
export function layoutMarkdown(layout: Layout): string {
  const { places } = new LayoutCodec('table', layout);
  if (places.length === 0) return 'empty';
  const rows = places.map(({ name, kind, at, width }) => [
    String(at),
    width === null ? '…' : String(width),
    kind,
    name,
  ]);
  return markdownTable(['offset', 'size', 'type', 'field'], rows);
}

/** Makes a table with its columns aligned, as the project's formatter leaves it. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [header, rule, ...rows].map(line).join('\n');
}

/** Makes one section for each message of a table. */
export function messagesMarkdown(table: MessageTable): string {
  const sections = Object.entries(table).map(([name, row]) => {
    const id = `0x${row.id.toString(16).padStart(2, '0')}`;
    const head = `#### ${name} (${row.scope} ${id}, from ${row.sender})\n\n${row.doc}`;
    const request = row.request && `Request:${tableText(row.request)}`;
    const response = row.response && `Response:${tableText(row.response)}`;
    return [head, request, response].filter((part) => part !== undefined).join('\n\n');
  });
  return sections.join('\n\n');
}

function tableText(layout: Layout): string {
  const text = layoutMarkdown(layout);
  return text.startsWith('|') ? `\n\n${text}` : ` ${text}`;
}

/** Replaces what stands between the `generated:NAME` markers of a page. */
export function replaceGenerated(page: string, name: string, content: string): string {
  const start = `<!-- generated:${name} -->`;
  const end = `<!-- /generated:${name} -->`;
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  assert(from >= 0 && to > from, `page has no markers for ${name}`);
  return `${page.slice(0, from + start.length)}\n${content}\n${page.slice(to)}`;
}
