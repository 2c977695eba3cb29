// Turns the hexadecimal text of one message into one line, for `busbar decode`.
import type { DeviceBits, Revision } from '../../contracts/index.ts';
import { UsageError } from '../../errors.ts';
import { fromHex, type MessageTable } from '../../wire/index.ts';
import { peekSize, TYPE_MASK } from './header.ts';
import { codec, revision } from './revision.ts';

/**
 * Describes one message given as hexadecimal digits; blanks, `0x` and colons are skipped. What is
 * legal but worth a look (padding, reserved bits, bytes after the message) is added in brackets.
 * Device numbers of 32 bits are a dialect that is in no draft.
 * Throws UsageError BAD_VALUE when the text is not hexadecimal, WireError when it is no message.
 */
export function decodeLine(
  text: string,
  name: Revision = 'v1',
  busMessages: MessageTable = {},
  deviceBits: DeviceBits = 16,
): string {
  const bytes = fromHex(text);
  if (bytes === null) {
    throw new UsageError('BAD_VALUE', `'${text.trim()}' is not a row of hexadecimal byte values`);
  }
  const messages =
    Object.keys(busMessages).length === 0
      ? revision(name, deviceBits).codec
      : codec(name, busMessages, deviceBits);
  const { headerSize } = messages;
  const leg = messages.legAt(bytes, bytes.length);
  const line = messages.text(messages.decode(bytes, bytes.length) as never);
  const size = peekSize(bytes);
  const bodySize = size - headerSize;
  const padding = bodySize - leg.layout.usedSize(bytes, headerSize, bodySize);
  const notes: string[] = [];
  if ((bytes[0] & ~TYPE_MASK) !== 0) notes.push('reserved type bits set');
  if (!leg.layout.reservedIsZero(bytes, headerSize)) notes.push('reserved fields not zero');
  if (padding > 0) notes.push(`${padding} bytes of padding`);
  if (bytes.length > size) notes.push(`${bytes.length - size} bytes after the message`);
  return notes.length === 0 ? line : `${line} [${notes.join('; ')}]`;
}
