// Rows of cells in columns, and prose in lines, both within the width of a screen.

export interface ColumnOptions {
  /** Columns from this one on are numbers, set flush right. Default: none. */
  readonly right?: number;
  /** Characters that lines should keep to. Default: no limit. */
  readonly columns?: number;
}

const GAP = '  ';
/** Between columns when they would not fit otherwise. */
const NARROW_GAP = ' ';
/** Words in less room than this are hard to read: they go below their row instead. */
const LEAST_ROOM = 24;
const BELOW = '      ';

/**
 * Aligns rows in columns two blanks apart. Where they are wider than the screen, the words of a last column
 * are wrapped; columns of numbers move together. A row of one cell stands across the columns.
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  options: ColumnOptions = {},
): string[] {
  return alignRows(rows, options).flat();
}

/** The same with the lines of each row apart. */
export function alignRows(
  rows: readonly (readonly string[])[],
  { right = Infinity, columns = Infinity }: ColumnOptions = {},
): string[][] {
  const widths = widthsOf(rows);
  const last = widths.length - 1;
  const total = widths.reduce((sum, width) => sum + width, 0);
  const fits = total + GAP.length * last <= columns;
  const gap = fits || last < right ? GAP : NARROW_GAP;
  const start = total - (widths[last] ?? 0) + gap.length * last;
  return rows.map((row) => {
    const line = row
      .map((cell, column) =>
        column >= right ? cell.padStart(widths[column]) : cell.padEnd(widths[column] ?? 0),
      )
      .join(gap)
      .trimEnd();
    const wraps = line.length > columns && last < right && row.length === widths.length;
    return wraps ? wrapLast(line, { start, columns }) : [line];
  });
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  const most = Math.max(0, ...rows.map((row) => row.length));
  for (const row of rows) {
    if (row.length === 1 && most > 1) continue;
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return widths;
}

/** Wraps what stands from `start` on, there or below. */
function wrapLast(line: string, at: { readonly start: number; readonly columns: number }) {
  const { start, columns } = at;
  const words = line.slice(start);
  if (columns - start >= LEAST_ROOM) {
    const [first, ...rest] = wrap(words, columns - start);
    return [line.slice(0, start) + first, ...rest.map((text) => ' '.repeat(start) + text)];
  }
  const below = wrap(words, columns - BELOW.length).map((text) => BELOW + text);
  return [line.slice(0, start).trimEnd(), ...below];
}

/** Breaks prose between words; a word that is too long has a line of its own. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line === '') line = word;
    else if (line.length + 1 + word.length <= columns) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Wraps a line; what follows its first line stands two blanks further in than it does. */
export function wrapLine(line: string, columns: number): string[] {
  if (line.length <= columns) return [line];
  const margin = /^ */.exec(line)![0];
  const indent = `${margin}  `;
  const [first, ...rest] = wrap(line.slice(margin.length), columns - indent.length);
  return [margin + first, ...rest.map((text) => indent + text)];
}

/** Cuts a text that is too long, which three dots then end. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
