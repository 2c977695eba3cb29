// The link between a root port and a switch that several cards are behind. Each card has a path of its own
// to the host; what they share is this link. Packets to the cards wait for it where they are sent, packets
// from the cards where they arrive: it is the last link on their way.
import type { Packet } from '../kernel/index.ts';
import type { Node } from '../node/index.ts';
import { Wire } from './direction.ts';
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

  /** ps that packets, which would be through now, have to wait for others. */
  wait(now: number, packets: TlpTally, psPerByte: number): number {
    const moving = packets.bytes * psPerByte;
    const end = Math.max(now - moving, this.up.freeAt) + moving;
    this.up.freeAt = end;
    this.up.busy += moving;
    return Math.max(0, Math.ceil(end - now));
  }
}

const uplinks = new WeakMap<Node, Map<string, Uplink>>();

/** The uplink of this name of a host, which all its root ports that name it share. */
export function uplinkOf(host: Node, name: string): Uplink {
  const known = uplinks.get(host) ?? new Map<string, Uplink>();
  uplinks.set(host, known);
  const uplink = known.get(name) ?? new Uplink();
  known.set(name, uplink);
  return uplink;
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
