// The command line as a function: arguments in, exit code out.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addCheck } from './commands/check.ts';
import { addDecode } from './commands/decode.ts';
import { addList } from './commands/list.ts';
import { addRun } from './commands/run.ts';
import { addSchema } from './commands/schema.ts';
import { reportFailure } from './failure.ts';
import { EXIT, type ExitCode, type Io } from './io.ts';

const EXAMPLES = `
Examples:
  busbar run scenarios/ffa/secure-storage.yaml
  busbar run my.yaml --json --seed 7 --workers 2
  busbar run my.yaml --anatomy disk0
  busbar run my.yaml --trace messages.txt
  busbar check my.yaml
  busbar list devices blk
  busbar decode 00 41 07 00 00 00 10 00 00 00 00 00 00 00 00 00
  busbar schema --write scenario.schema.json

Exit codes: 0 all is well, 1 an expectation does not hold or a run failed, 2 bad input,
70 a bug in busbar. Colours follow NO_COLOR.
`;

/** Runs one command line (without the program's own name). Never throws. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const done = (result: ExitCode) => {
    code = result;
  };
  const program = new Command('busbar');
  program
    .description('Simulate platforms that talk virtio over messages (virtio-msg).')
    .version(version())
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.error(text) });
  addRun(program, io, done);
  addCheck(program, io, done);
  addList(program, io, done);
  addDecode(program, io, done);
  addSchema(program, io, done);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    return reportFailure(error, io);
  }
  return code;
}

/** The version of the package, whose file is above the sources and the compiled tree alike. */
function version(): string {
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {}
  }
  return 'unknown';
}
