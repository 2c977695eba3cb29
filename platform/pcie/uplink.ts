// The link between a root port and a switch that several cards are behind. Each card has a path of its own
// to the host; what they share is this link. Packets to the cards wait for it where they are sent, packets
// from the cards where they arrive: it is the last link on their way.
import type { Packet } from '../kernel/index.ts';
import { Wire } from './direction.ts';
import { psPerByte } from './generation.ts';
import type { PciePath } from './options.ts';
import {
  COMPLETION,
  DMA_LOAD,
  DMA_STORE,
  INTX,
  MSI,
  pieceAddress,
  pieceLength,
  Status,
} from './packets.ts';
import type { TlpTally } from './tlp.ts';

export class Uplink {
  readonly down = new Wire();
  readonly up = new Wire();
  /** Of the link itself; those of the cards may be faster or slower. */
  readonly psPerByte: number;

  constructor(path: PciePath) {
    this.psPerByte = psPerByte(path.generation, path.uplinkLanes);
  }

  /** ps that packets, which would be through now, have to wait; their own link takes `ownPsPerByte`. */
  wait(now: number, packets: TlpTally, ownPsPerByte: number): number {
    // They came on as they left their own link: the switch passes each on without waiting for the rest.
    const start = Math.max(now - packets.bytes * ownPsPerByte, this.up.freeAt);
    const moving = packets.bytes * this.psPerByte;
    this.up.freeAt = start + moving;
    this.up.busy += moving;
    return Math.max(0, Math.ceil(this.up.freeAt - now));
  }
}

/** Counts the packets on the link that a kernel packet from a card stands for. */
export function tallyArrived(tally: TlpTally, packet: Packet): void {
  tally.clear();
  switch (packet.kind) {
    case DMA_STORE:
      for (let i = 0; i < packet.b; i++) {
        tally.write(pieceAddress(packet.bytes, i), pieceLength(packet.bytes, i));
      }
      return;
    case DMA_LOAD:
      for (let i = 0; i < packet.b; i++) tally.readRequest(pieceAddress(packet.bytes, i));
      return;
    case COMPLETION:
      if (packet.b === Status.successful && packet.length > 0) tally.completion(0, packet.length);
      else tally.headerOnly();
      return;
    case MSI:
      return tally.write(packet.a, 4);
    case INTX:
      return tally.message();
  }
}
