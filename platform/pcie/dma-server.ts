// The host's memory as cards reach it: every access is checked and translated, writes are put in place in
// order, reads are answered.
import type { Packet } from '../kernel/index.ts';
import { labels, type Node } from '../node/index.ts';
import type { Translation } from './iommu.ts';
import type { PciePath } from './options.ts';
import {
  DMA_COMPLETION,
  DMA_LOAD,
  DMA_STORE,
  PIECE_SIZE,
  pieceAddress,
  pieceLength,
  Status,
  TAKEN_IN,
} from './packets.ts';
import { pcieTimingIds } from './timing.ts';
import { TlpTally } from './tlp.ts';
import { chargeIf } from './way.ts';

export interface DmaServerOptions {
  readonly node: Node;
  readonly path: PciePath;
  readonly translation: Translation;
  /** Constant: reading memory, or NO_TIME. */
  readonly memoryRead: number;
  /** Names the bus in violations. */
  readonly name: string;
  /** Sends an answer, whose packets on the link are these. */
  answer(packet: Packet, tlps: TlpTally): void;
  /** Lets a packet come back after a while, as one that has been taken in. */
  takeIn(packet: Packet, delay: number): void;
}

export class DmaServer {
  readonly #options: DmaServerOptions;
  readonly #iotlbMiss: number;
  readonly #tally: TlpTally;
  /** Until then, translations of what has arrived are under way. */
  #translatedAt = 0;

  constructor(options: DmaServerOptions) {
    this.#options = options;
    this.#iotlbMiss = pcieTimingIds(options.node.costs).iotlbMiss;
    this.#tally = new TlpTally(options.path);
  }

  /** Takes a packet of DMA, which is of this kind whatever else its number says. */
  receive(packet: Packet, kind: number): void {
    switch (kind) {
      case DMA_STORE:
        return this.#store(packet);
      case DMA_STORE | TAKEN_IN:
        return this.#apply(packet);
      case DMA_LOAD:
        return this.#load(packet);
      case DMA_LOAD | TAKEN_IN:
        return this.#serve(packet);
    }
  }

  /** ps until everything that has arrived is translated; page walks go one after another. */
  translationDelay(): number {
    const { node, translation } = this.#options;
    const { now } = node.kernel;
    const wait = Math.max(0, this.#translatedAt - now);
    node.noteWait(labels.WAIT_ORDER, wait);
    const { walks } = translation;
    translation.walks = 0;
    const delay = wait + (walks === 0 ? 0 : node.chargeTimes(this.#iotlbMiss, walks));
    this.#translatedAt = now + delay;
    return delay;
  }

  #store(packet: Packet): void {
    if (!this.#allowed(packet, true)) return;
    const delay = this.translationDelay();
    if (delay === 0) this.#apply(packet);
    else this.#options.takeIn(packet, delay);
  }

  #load(packet: Packet): void {
    if (!this.#allowed(packet, false)) return;
    const { node, memoryRead } = this.#options;
    const delay = this.translationDelay() + chargeIf(node, memoryRead);
    if (delay === 0) this.#serve(packet);
    else this.#options.takeIn(packet, delay);
  }

  /** Checks every piece; the first that is not allowed is reported, and the whole refused. */
  #allowed(packet: Packet, write: boolean): boolean {
    const { translation, node, name } = this.#options;
    for (let i = 0; i < packet.b; i++) {
      const at = pieceAddress(packet.bytes, i);
      const length = pieceLength(packet.bytes, i);
      if (translation.allows(at, length, write)) continue;
      const verb = write ? 'write' : 'read';
      node.violations.report(
        'DMA_FAULT',
        `${name}: ${verb} of ${length} bytes at bus address 0x${at.toString(16)} by function ` +
          `${packet.c} refused: ${translation.denial}`,
      );
      if (!write) this.#refuse(packet.a, at, length);
      return false;
    }
    return true;
  }

  #apply(packet: Packet): void {
    const { translation, node } = this.#options;
    let from = packet.b * PIECE_SIZE;
    for (let i = 0; i < packet.b; i++) {
      const end = from + pieceLength(packet.bytes, i);
      for (let at = pieceAddress(packet.bytes, i); from < end; ) {
        const step = translation.run(at, end - from);
        const own = translation.find(at);
        // Unmapped since it was looked at: the write is lost, as it would be behind a real IOMMU.
        if (own >= 0) node.memory.copyIn(own, packet.bytes, from, step);
        at += step;
        from += step;
      }
    }
  }

  #serve(packet: Packet): void {
    const { translation, node, answer } = this.#options;
    this.#tally.clear();
    let total = 0;
    for (let i = 0; i < packet.b; i++) total += pieceLength(packet.bytes, i);
    const data = node.kernel.packets.acquire(total);
    let to = 0;
    for (let i = 0; i < packet.b; i++) {
      const address = pieceAddress(packet.bytes, i);
      const length = pieceLength(packet.bytes, i);
      this.#tally.completion(address, length);
      for (let done = 0; done < length; ) {
        const step = translation.run(address + done, length - done);
        const own = translation.find(address + done);
        if (own < 0) {
          node.kernel.packets.release(data);
          return this.#refuse(packet.a, address, length);
        }
        node.memory.copyOut(own, data.bytes, to, step);
        done += step;
        to += step;
      }
    }
    data.label(DMA_COMPLETION, packet.a, Status.successful);
    answer(data, this.#tally);
  }

  #refuse(slot: number, address: number, length: number): void {
    const { node, answer } = this.#options;
    this.#tally.clear();
    this.#tally.headerOnly();
    const refusal = node.kernel.packets.acquire(0);
    answer(refusal.label(DMA_COMPLETION, slot, Status.unsupported, address, length), this.#tally);
  }
}
