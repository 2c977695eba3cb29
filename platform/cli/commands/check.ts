// `busbar check FILE…`: validates scenarios and prints what they resolve to.
import type { Command } from 'commander';
import { describeTopology, ScenarioError } from '../../scenario/index.ts';
import { reportFailure } from '../failure.ts';
import { EXIT, type ExitCode, type Io, worse } from '../io.ts';
import { loadNamed } from '../shipped.ts';
import { tables } from '../tables.ts';

/** Adds the command to the program. `done` is told its exit code. */
export function addCheck(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('check')
    .description('Validate scenarios and print the topology each resolves to.')
    .argument('<file...>', 'scenario files, or names of shipped scenarios')
    .action((files: string[]) => done(check(files, io)));
}

/** All files are looked at, even after one that is wrong. */
function check(files: readonly string[], io: Io): ExitCode {
  let code: ExitCode = EXIT.ok;
  for (const [position, file] of files.entries()) {
    try {
      const text = describeTopology(loadNamed(file), { tables, columns: io.paint.columns });
      io.out(position > 0 ? `\n${text}` : text);
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      code = worse(code, reportFailure(error, io));
    }
  }
  return code;
}
