// `busbar decode [HEX…]`: virtio-msg messages as text, one line each.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { REVISIONS, type Revision } from '../../contracts/index.ts';
import { UsageError } from '../../errors.ts';
import { decodeLine } from '../../virtio/messages/index.ts';
import { type MessageTable, WireError } from '../../wire/index.ts';
import { EXIT, type ExitCode, type Io } from '../io.ts';
import { tables } from '../tables.ts';

const ONE_BYTE = /^(0x)?[0-9a-f]{2}$/i;

interface DecodeFlags {
  readonly revision: Revision;
  readonly deviceBits: '16' | '32';
  readonly bus?: Dialect;
}

/** The messages of one type of bus in one dialect, besides the standard ones. */
interface Dialect {
  /** `ffa` or `ffa:optee`. */
  readonly name: string;
  readonly messages: MessageTable;
}

/** Adds the command to the program. `done` is told its exit code. */
export function addDecode(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const names = dialects().map(({ name }) => name);
  program
    .command('decode')
    .description('Print virtio-msg messages, given in hexadecimal, as one line of text each.')
    .argument('[hex...]', 'one message each, or its bytes one by one; none: a line each of stdin')
    .addOption(
      new Option('--revision <name>', 'revision of virtio-msg').choices(REVISIONS).default('v1'),
    )
    .addOption(
      new Option('--device-bits <bits>', 'bits of device numbers; 32 are in no draft')
        .choices(['16', '32'])
        .default('16'),
    )
    .option(
      '--bus <type[:dialect]>',
      `know the messages of this bus, too: ${names.join(', ')}`,
      dialectNamed,
    )
    .action(async (words: string[], flags: DecodeFlags) => {
      done(await decode(words, flags, io));
    });
}

/** All dialects of all buses; the usual one of a bus is named by its type alone. */
function dialects(): Dialect[] {
  return Object.values(tables.buses).flatMap(({ type, ownMessages = {} }) =>
    Object.entries(ownMessages).map(([dialect, messages], index) => ({
      name: index === 0 ? type : `${type}:${dialect}`,
      messages,
    })),
  );
}

function dialectNamed(text: string): Dialect {
  const all = dialects();
  const found = all.find(({ name }) => name === text);
  if (found !== undefined) return found;
  const names = all.map(({ name }) => name).join(', ');
  const known = Object.hasOwn(tables.buses, text);
  const reason = known ? `Bus '${text}' has the standard messages only.` : 'There is no such bus.';
  throw new InvalidArgumentError(`${reason} Those with messages of their own: ${names}.`);
}

async function decode(words: readonly string[], flags: DecodeFlags, io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const show = (text: string, place: string) => {
    try {
      io.out(`${lineOf(text, flags, flags.bus?.messages)}\n`);
    } catch (error) {
      if (!(error instanceof WireError || error instanceof UsageError)) throw error;
      io.error(`error: ${place}${error.message}\n${hintFor(error, text, flags)}`);
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

function lineOf(text: string, { revision, deviceBits }: DecodeFlags, messages?: MessageTable) {
  return decodeLine(text, revision, messages, deviceBits === '32' ? 32 : 16);
}

/** Names the buses that would know a message. */
function hintFor(error: Error, text: string, flags: DecodeFlags): string {
  if (!(error instanceof WireError) || error.code !== 'UNKNOWN_ID') return '';
  return dialects()
    .filter(({ name }) => name !== flags.bus?.name)
    .flatMap(({ name, messages }) => {
      const line = decodedOrNull(text, flags, messages);
      return line === null ? [] : [`  with --bus ${name}: ${line}\n`];
    })
    .join('');
}

function decodedOrNull(text: string, flags: DecodeFlags, messages: MessageTable): string | null {
  try {
    return lineOf(text, flags, messages);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
