// Samples of output in the documentation: blocks of a page that begin with `$ busbar …`. They are run as
// they stand, so that a page never shows what the program does not print.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busbar } from '../unit/cli-recorder.ts';
import { ROOT } from './source-files.ts';

/** Alone on a line: whole paragraphs are left out. Further in: the rest of a paragraph is. */
const LEFT_OUT = /^ *…$/;
const SAMPLE = /^```\n\$ busbar (.*)\n([\s\S]*?)^```$/gm;

/** The scenario with a slip in it that pages check. */
const MY_SCENARIO = 'my.yaml';

function myScenario(): string {
  const text = readFileSync(join(ROOT, 'scenarios/ffa/secure-storage.yaml'), 'utf8');
  return text.replace('queueSize', 'queSize');
}

/** Runs a command line and returns what it prints on either output, without the last line end. */
async function outputOf(command: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'samples-'));
  try {
    const mine = join(folder, MY_SCENARIO);
    const trace = join(folder, 'trace');
    writeFileSync(mine, myScenario());
    writeFileSync(trace, '');
    writeFileSync(join(folder, 'disk.img'), new Uint8Array(4096));
    const words = command.split(' ').map((word) => {
      if (word === '/dev/stdout') return trace;
      return word === MY_SCENARIO ? mine : word;
    });
    // On this thread: others would run the compiled tree, which may be older than the sources.
    const { out, error } = await busbar(words[0] === 'run' ? [...words, '--workers', '0'] : words);
    // A page may show what is wrong with a file; a program that cannot do its work is no sample.
    if (error.startsWith('error: ')) throw new Error(`busbar ${command}: ${error}`);
    const text = readFileSync(trace, 'utf8') + out + error;
    return text.replaceAll(mine, MY_SCENARIO).trimEnd().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Lines that follow one another in the output. */
interface Part {
  readonly lines: string[];
  /** The line that says what is left out after it; null after the last part. */
  leftOut: string | null;
}

function partsOf(lines: readonly string[]): Part[] {
  const parts: Part[] = [{ lines: [], leftOut: null }];
  for (const line of lines) {
    const part = parts[parts.length - 1];
    if (!LEFT_OUT.test(line)) part.lines.push(line);
    else {
      part.leftOut = line;
      parts.push({ lines: [], leftOut: null });
    }
  }
  return parts.filter((part) => part.lines.length > 0 || part.leftOut !== null);
}

/** What a line is known by when its figures have changed. */
const keyOf = (line: string) => line.trim().split(/ {2}|: |\d/)[0];

/** Index behind the paragraph of the output in which a part ends; it has as many as before. */
function endOfPart({ lines, leftOut }: Part, output: readonly string[], start: number): number {
  if (leftOut === null) return output.length;
  if (leftOut.startsWith(' ')) return start + lines.length;
  let blanks = lines.filter((line, i) => line === '' && i < lines.length - 1).length;
  let end = start;
  while (end < output.length && (output[end] !== '' || blanks-- > 0)) end++;
  return end;
}

/**
 * A sample anew: its first part is where the output begins, any other where the output has its first line
 * again, figures apart.
 */
function renewed(sample: readonly string[], output: readonly string[]): string[] {
  let at = 0;
  return partsOf(sample).flatMap((part, index) => {
    const { lines, leftOut } = part;
    const rest = leftOut === null ? [] : [leftOut];
    if (lines.length === 0) return rest;
    const key = keyOf(lines[0]);
    const start = index === 0 ? 0 : output.findIndex((line, i) => i >= at && keyOf(line) === key);
    if (start < 0) return [`there is no line '${key}' in the output any more`, ...rest];
    at = endOfPart(part, output, start);
    return [...output.slice(start, at), ...rest];
  });
}

/** The page with the output of each of its samples as it is now. */
export async function renewSamples(page: string): Promise<string> {
  let text = page;
  for (const [block, command, body] of page.matchAll(SAMPLE)) {
    const sample = body.trimEnd().split('\n');
    const lines = renewed(sample, await outputOf(command));
    text = text.replace(block, () => `\`\`\`\n$ busbar ${command}\n${lines.join('\n')}\n\`\`\``);
  }
  return text;
}
