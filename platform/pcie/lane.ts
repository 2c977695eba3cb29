// One way of packets from one end of a path to the other, whatever it is made of.
import type { Credit } from './credit.ts';
import type { TlpTally } from './tlp.ts';

/** Carries packets to the far end, in order. */
export interface Lane {
  readonly tlps: number;
  readonly bytes: number;
  /** ps in which it was moving packets. */
  readonly busy: number;
  /** Headers of requests that the far end has room for; null when there always is. */
  readonly requestCredit: Credit | null;
  /** ps until answers sent now have arrived, and then have gone through `further`, a constant or -1. */
  send(packets: TlpTally, further?: number): number;
  /** The same for packets that nobody answers. */
  post(packets: TlpTally, further?: number): number;
  /** The same for packets that are answered. */
  request(packets: TlpTally, further?: number): number;
}
