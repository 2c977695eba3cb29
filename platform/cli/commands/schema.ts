// `busbar schema`: the JSON Schema of scenario files, for editors.
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { scenarioSchemaText } from '../../scenario/index.ts';
import { EXIT, type ExitCode, type Io } from '../io.ts';
import { tables } from '../tables.ts';

/** Adds the command to the program. `done` is told its exit code. */
export function addSchema(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('schema')
    .description('Print the JSON Schema of scenario files, or write it to a file.')
    .option('--write <file>', 'write it there')
    .action(({ write }: { write?: string }) => {
      const text = scenarioSchemaText(tables);
      if (write === undefined) io.out(text);
      else writeTo(write, text);
      done(EXIT.ok);
    });
}

function writeTo(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError('NO_FILE', `cannot write '${file}': ${(error as Error).message}`);
  }
}
