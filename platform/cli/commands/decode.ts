// `busbar decode [HEX…]`: virtio-msg messages as text, one line each.
import { type Command, Option } from 'commander';
import { REVISIONS, type Revision } from '../../contracts/index.ts';
import { UsageError } from '../../errors.ts';
import { decodeLine } from '../../virtio/messages/index.ts';
import { WireError } from '../../wire/index.ts';
import { EXIT, type ExitCode, type Io } from '../io.ts';

const ONE_BYTE = /^(0x)?[0-9a-f]{2}$/i;

/** Adds the command to the program. `done` is told its exit code. */
export function addDecode(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('decode')
    .description('Print virtio-msg messages, given in hexadecimal, as one line of text each.')
    .argument('[hex...]', 'one message each, or its bytes one by one; none: a line each of stdin')
    .addOption(
      new Option('--revision <name>', 'revision of virtio-msg').choices(REVISIONS).default('v1'),
    )
    .action(async (words: string[], { revision }: { revision: Revision }) => {
      done(await decode(words, revision, io));
    });
}

async function decode(words: readonly string[], revision: Revision, io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const show = (text: string, place: string) => {
    try {
      io.out(`${decodeLine(text, revision)}\n`);
    } catch (error) {
      if (!(error instanceof WireError || error instanceof UsageError)) throw error;
      io.error(`error: ${place}${error.message}\n`);
      code = EXIT.badInput;
    }
  };
  if (words.length > 0) {
    // Bytes copied from a dump come as words of two digits: together they are one message.
    const messages = words.every((word) => ONE_BYTE.test(word)) ? [words.join(' ')] : words;
    for (const message of messages) show(message, '');
    return code;
  }
  let number = 0;
  for await (const line of io.lines()) {
    number++;
    if (line.trim() !== '') show(line, `line ${number}: `);
  }
  return code;
}
