// Reads of the data of one queue's requests: no more of them under way than the device can have. The
// others wait, oldest first.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import type { Chain } from './chain.ts';

/** A read that waits. */
interface Waiting {
  chain: Chain | null;
  client: DmaClient | null;
  tag: number;
  bytesMax: number;
}

export class DataReads {
  /** Reads that were started. */
  count = 0;
  readonly #limit: number;
  readonly #dma: () => DmaPort;
  #underWay = 0;
  readonly #waiting: Waiting[] = [];
  readonly #spare: Waiting[] = [];

  constructor(limit: number, dma: () => DmaPort) {
    this.#limit = limit;
    this.#dma = dma;
  }

  /** Reads the first `bytesMax` readable bytes of a chain, which has some. */
  read(chain: Chain, client: DmaClient, tag: number, bytesMax: number): void {
    if (this.#underWay < this.#limit) return this.#start(chain, client, tag, bytesMax);
    const entry = this.#spare.pop() ?? { chain: null, client: null, tag: 0, bytesMax: 0 };
    entry.chain = chain;
    entry.client = client;
    entry.tag = tag;
    entry.bytesMax = bytesMax;
    this.#waiting.push(entry);
  }

  /** A read has come back or was refused: the next one may start. */
  ended(): void {
    this.#underWay--;
    if (this.#waiting.length === 0) return;
    const entry = this.#waiting.shift()!;
    const { chain, client, tag, bytesMax } = entry;
    entry.chain = null;
    entry.client = null;
    this.#spare.push(entry);
    this.#start(chain!, client!, tag, bytesMax);
  }

  /** Forgets all: nobody wants to know any more. */
  forget(): void {
    this.#underWay = 0;
    this.#waiting.length = 0;
  }

  #start(chain: Chain, client: DmaClient, tag: number, bytesMax: number): void {
    this.#underWay++;
    this.count++;
    const dma = this.#dma();
    let left = bytesMax;
    for (let i = 0; i < chain.readableCount && left > 0; i++) {
      const length = Math.min(chain.lengths[i], left);
      if (length > 0) dma.readSegment(chain.addresses[i], length);
      left -= length;
    }
    dma.read(client, tag);
  }
}
