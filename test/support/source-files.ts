// The project's own files as text, for the tests that check how they are written: what is in each, what
// it imports, and how long its functions are. Reads; never judges.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Folders that hold the project's code. */
export const CODE_FOLDERS = ['platform', 'devices', 'buses', 'guests', 'test'] as const;

export interface SourceFile {
  /** From the root, with slashes: `platform/kernel/kernel.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export interface Import {
  /** The imported file, from the root; null for a package or a Node module. */
  readonly target: string | null;
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** All files below some folders of the root whose names end so, sorted. */
export function listFiles(folders: readonly string[], ends: readonly string[]): string[] {
  return folders
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
        .filter((file) => ends.some((end) => file.endsWith(end))),
    )
    .filter((file) => statSync(join(ROOT, file)).isFile())
    .sort();
}

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return { path, text, lines: text.replace(/\n$/, '').split('\n') };
}

/** All TypeScript of the project. */
export function sourceFiles(): SourceFile[] {
  return listFiles(CODE_FOLDERS, ['.ts']).map(readSource);
}

const IMPORT =
  /^[ \t]*(?:import|export)\b(\s+type\b)?(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

/** What a file imports or re-exports. */
export function importsOf({ path, text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[2] ?? match[3];
    const local = specifier.startsWith('.');
    const target = local ? relative(ROOT, join(ROOT, dirname(path), specifier)) : null;
    return {
      specifier,
      target: target?.replaceAll('\\', '/') ?? null,
      typeOnly: match[1] !== undefined,
      line: text.slice(0, match.index).split('\n').length,
    };
  });
}

const AFTER_VALUE = /[\w$)\]}]\s*$/;
const KEYWORD_BEFORE = /\b(?:return|case|typeof|in|of)\s*$/;

/** The text with comments, strings and regular expressions blanked; line numbers stay. */
export function codeOnly(text: string): string {
  let code = '';
  for (let at = 0; at < text.length; ) {
    const end = endOfOpaque(text, at, code);
    if (end === at) code += text[at++];
    else {
      code += text.slice(at, end).replace(/[^\n]/g, ' ');
      at = end;
    }
  }
  return code;
}

/** End of the comment, string or regular expression that begins at `at`; `at` itself if none does. */
function endOfOpaque(text: string, at: number, before: string): number {
  const two = text.slice(at, at + 2);
  if (two === '//') return orEnd(text, text.indexOf('\n', at));
  if (two === '/*') return orEnd(text, text.indexOf('*/', at) + 2);
  const quote = text[at];
  if (quote === "'" || quote === '"' || quote === '`') return endOfQuoted(text, at, quote);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const isRegex = quote === '/' && (!AFTER_VALUE.test(line) || KEYWORD_BEFORE.test(line));
  return isRegex ? endOfRegex(text, at) : at;
}

function orEnd(text: string, index: number): number {
  return index <= 0 ? text.length : index;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfRegex(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass) return at + 1;
  }
  return start;
}

export interface FunctionSpan {
  readonly line: number;
  readonly length: number;
  readonly text: string;
}

const OPENS_FUNCTION = /(?:\)(?:: [^={]+(?:\{[^{}]*\}[^={]*)?)?|=>) \{$/;
const OPENS_OTHER = /^\s*(?:\}\s*)?(?:if|for|while|switch|catch|else|do|with)\b/;

/**
 * Functions by their lines. Relies on the formatter: what opens at one indentation ends at the next
 * line that closes a brace at the same one.
 */
export function functionsOf({ text }: SourceFile): FunctionSpan[] {
  const lines = codeOnly(text).split('\n');
  return lines.flatMap((line, index): FunctionSpan[] => {
    if (!OPENS_FUNCTION.test(line.trimEnd()) || OPENS_OTHER.test(line)) return [];
    const indent = line.length - line.trimStart().length;
    const closes = (other: string) => other.startsWith(`${' '.repeat(indent)}}`);
    const last = lines.findIndex((other, at) => at > index && closes(other));
    return [{ line: index + 1, length: last - index + 1, text: line.trim() }];
  });
}
