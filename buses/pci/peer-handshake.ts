// One side of the handshake on a self-describing FIFO: it reads the peer's head and writes its own, as the
// chart asks. The other side does the same at the same time.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import { NO_COST, type RingMemory, type RingReader } from '../common/index.ts';
import { type Declared, type PeerEffect, type PeerEvent, peerChart } from './peer-chart.ts';
import {
  checkLayout,
  HEAD_MAGIC,
  HEAD_SIZE,
  HEADER_SIZE,
  type LayoutHeader,
  layoutHeader,
  PEER_STATE_MASK,
  PeerState,
  QEMU_LAYOUT,
  queueHead,
} from './self-describing.ts';

export interface PeerHandshakeOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly side: 'driver' | 'device';
  /** The window of the FIFO, and its bytes. */
  readonly memory: RingMemory;
  readonly windowSize: number;
  /** ps between two looks at the peer. */
  readonly interval: number;
  /** Looks before the peer is given up. */
  readonly looksMax: number;
  /** INIT has been declared. */
  announced(): void;
  /** Both sides run; the layout is the device's. */
  up(layout: LayoutHeader): void;
  /** The peer has begun anew: what was in the rings is void. */
  restarted(): void;
  failed(reason: string): void;
}

export class PeerHandshake implements CpuClient, RingReader {
  readonly #options: PeerHandshakeOptions;
  readonly #chart: Chart<unknown, PeerEvent>;
  readonly #head = new Uint8Array(HEAD_SIZE);
  #layout: LayoutHeader = QEMU_LAYOUT;
  #reading: 'layout' | 'head' = 'head';
  #busy = false;
  #reason = 'the peer never came';

  constructor(options: PeerHandshakeOptions) {
    this.#options = options;
    const { node, name, side, interval, looksMax } = options;
    this.#chart = node.charts.start(peerChart, {
      name,
      input: { checksLayout: side === 'driver', interval, looksMax },
      perform: (effect: PeerEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  get isRunning(): boolean {
    return this.#chart.matches('running');
  }

  start(): void {
    this.#chart.send({ type: 'START' });
  }

  stop(): void {
    this.#chart.send({ type: 'STOP' });
  }

  /** The peer has rung, which it also does when it begins anew. */
  look(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#options.node.cpu.submit(Priority.task, 0, this, 0);
  }

  deliver(): void {
    const { memory } = this.#options;
    if (this.#reading === 'layout') memory.read(0, HEADER_SIZE, this, 0, NO_COST);
    else memory.read(this.#peerHead, HEAD_SIZE, this, 0, NO_COST);
  }

  ringRead(_tag: number, bytes: Uint8Array): void {
    this.#busy = false;
    if (this.#reading === 'layout') return this.#layoutRead(bytes);
    const { magic, status } = queueHead.decode(bytes, 0, HEAD_SIZE);
    if (magic !== HEAD_MAGIC) return;
    const state = status & PEER_STATE_MASK;
    if (state === PeerState.INIT) this.#chart.send({ type: 'PEER_INIT' });
    else if (state === PeerState.READY || state === PeerState.RUN) {
      this.#chart.send({ type: 'PEER_READY' });
    }
  }

  ringRefused(): void {
    this.#busy = false;
    this.#options.failed('its memory may not be reached');
  }

  #layoutRead(bytes: Uint8Array): void {
    const header = layoutHeader.decode(bytes, 0, HEADER_SIZE);
    const verdict = checkLayout(header, this.#options.windowSize);
    if (verdict === 'absent') return;
    if (verdict === 'invalid') this.#reason = 'the layout of a FIFO makes no sense';
    else this.#layout = header;
    this.#chart.send({ type: verdict === 'valid' ? 'LAYOUT' : 'INVALID' });
  }

  get #ownHead(): number {
    const { deviceHead, driverHead } = this.#layout;
    return Number(this.#options.side === 'driver' ? driverHead : deviceHead);
  }

  get #peerHead(): number {
    const { deviceHead, driverHead } = this.#layout;
    return Number(this.#options.side === 'driver' ? deviceHead : driverHead);
  }

  #perform(effect: PeerEffect): void {
    const { up, restarted, failed } = this.#options;
    switch (effect.type) {
      case 'readLayout':
        this.#reading = 'layout';
        return this.look();
      case 'look':
        this.#reading = 'head';
        return this.look();
      case 'declare':
        return this.#declare(effect.state);
      case 'up':
        return up(this.#layout);
      case 'restarted':
        return restarted();
      case 'failed':
        return failed(this.#reason);
    }
  }

  #declare(state: Declared): void {
    const { memory, announced } = this.#options;
    const head = { magic: HEAD_MAGIC, status: PeerState[state], tail: 0, head: 0 };
    queueHead.encode(head, this.#head, 0);
    // Once it has run, the indexes belong to the rings: only the state changes.
    const hasRun = state === 'SHUTDOWN';
    memory.write(this.#ownHead, this.#head, hasRun ? HEAD_SIZE / 2 : HEAD_SIZE);
    if (state === 'INIT') announced();
  }
}
