// Runs the compiled program as a user would: in a process of its own. `npm test` compiles beforehand.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assert } from '../../platform/errors.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../dist/platform/cli/main.js', import.meta.url));

/** What a process left behind. */
export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** How to start a process. */
export interface SpawnOptions {
  readonly input?: string;
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Close our end of its output after this many characters. */
  readonly readOnly?: number;
}

/** Runs Node with these arguments. */
export function node(argv: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  const { input = '', folder = ROOT, env = {}, readOnly = Infinity } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...argv], {
      cwd: folder,
      env: { ...process.env, ...env },
    });
    let out = '';
    let error = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.length >= readOnly) child.stdout.destroy();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      error += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, error }));
    child.stdin.end(input);
  });
}

/** Runs `busbar` with these arguments. */
export function busbar(argv: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  assert(existsSync(PROGRAM), 'the program is not compiled: npm run build');
  return node([PROGRAM, ...argv], options);
}
