// Runs command lines inside the test, with everything they write recorded.
import type { ExitCode, Io } from '../../platform/cli/io.ts';
import { runCommandLine } from '../../platform/cli/program.ts';
import { PLAIN } from '../../platform/text/index.ts';

/** What a command line did. */
export interface Recorded {
  readonly code: ExitCode;
  readonly out: string;
  readonly error: string;
}

/** Runs one command line; `input` holds the lines of its standard input. */
export async function busbar(
  argv: readonly string[],
  input: readonly string[] = [],
): Promise<Recorded> {
  let out = '';
  let error = '';
  const io: Io = {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    async *lines() {
      yield* input;
    },
    paint: PLAIN,
    watched: false,
  };
  const code = await runCommandLine(argv, io);
  return { code, out, error };
}
