// The one error that codecs raise. Whatever bytes arrive, decoding ends in a value or in this.
import { SimError } from '../errors.ts';

/**
 * SHORT: fewer bytes than the header says. SIZE: a length that does not fit the message's layout or
 * the space given. RANGE: a value that its field cannot carry. UNKNOWN_ID: no such message.
 */
export type WireErrorCode = 'SHORT' | 'SIZE' | 'RANGE' | 'UNKNOWN_ID';

/** Bytes that are no message, or a message that cannot be put into bytes. */
export class WireError extends SimError<WireErrorCode> {
  override name = 'WireError';
}
