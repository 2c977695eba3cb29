#!/usr/bin/env node
// The `busbar` program: connects the command line to this process.
import { createInterface } from 'node:readline';
import { COLOURED, PLAIN } from '../text/index.ts';
import type { Io } from './io.ts';
import { runCommandLine } from './program.ts';

const { stdin, stdout, stderr, env } = process;

// Whoever read our output has gone away, as `head` does: there is nobody left to tell anything.
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}

// https://no-color.org: any value but the empty one turns colours off.
const coloured = stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';

const io: Io = {
  out: (text) => void stdout.write(text),
  error: (text) => void stderr.write(text),
  lines: () => createInterface({ input: stdin }),
  paint: { ...(coloured ? COLOURED : PLAIN), columns: stdout.isTTY ? stdout.columns : Infinity },
  watched: stderr.isTTY === true,
};

// Not process.exit: what was written to a pipe must get there first.
process.exitCode = await runCommandLine(process.argv.slice(2), io);
