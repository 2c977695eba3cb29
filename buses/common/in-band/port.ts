// The DMA port of a device whose bus shares no memory: each access becomes messages to the driver's side.
import type { DmaClient, DmaPort } from '../../../platform/contracts/index.ts';
import type { Chart } from '../../../platform/machine/index.ts';
import { copyBytes, type Node, type ViolationCode } from '../../../platform/node/index.ts';
import { peekToken } from '../../../platform/virtio/messages/index.ts';
import { Access } from './access.ts';
import type { ChunkWindow } from './chunk-window.ts';
import type { InBandFormat } from './format.ts';
import { CHUNKS_MAX, Kind, MemoryStatus } from './messages.ts';
import { type WatchEffect, type WatchEvent, watchChart } from './watch-chart.ts';

const TOKEN_MAX = 0xffff;

const STARTED: WatchEvent = { type: 'STARTED' };
const MORE: WatchEvent = { type: 'MORE' };
const NONE: WatchEvent = { type: 'NONE' };

export interface InBandPortOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly device: number;
  readonly format: InBandFormat;
  /** ps that an answer may take. */
  readonly timeout: number;
  /** Shared by the ports of a bus. */
  readonly window: ChunkWindow;
  /** Sends a chunk in its turn, and says so by `sent`; copies its bytes, of which so many are data. */
  send(bytes: Uint8Array, length: number, data: number): void;
}

export class InBandPort implements DmaPort {
  reads = 0;
  writes = 0;
  refusals = 0;
  readonly #options: InBandPortOptions;
  readonly #frame: Uint8Array;
  readonly #watch: Chart<unknown, WatchEvent>;
  /** Accesses under way by token. */
  readonly #underWay = new Map<number, Access>();
  readonly #free: Access[] = [];
  #gathered = new Access();
  #token = 0;

  constructor(options: InBandPortOptions) {
    const { node, name, format, timeout } = options;
    this.#options = options;
    this.#frame = new Uint8Array(format.maxMessageSize);
    this.#watch = node.charts.start(watchChart, {
      name: `${name}.watch`,
      input: { timeout },
      perform: (_: WatchEffect) => this.#check(),
    });
    this.#watch.begin();
  }

  readSegment(address: number, length: number): void {
    this.#gathered.addSegment(address, length, this.#options.format.readMax);
  }

  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void {
    this.#gathered.addSegment(address, length, this.#options.format.writtenMax);
    this.#gathered.addData(source, offset, length);
  }

  read(client: DmaClient, tag: number): void {
    const token = this.#begin(client, tag, false);
    if (token < 0) return;
    this.reads++;
    const { count, addresses, lengths } = this.#underWay.get(token)!;
    const { device, format, send } = this.#options;
    const frame = this.#frame;
    for (let i = 0; i < count; i++) {
      send(frame, format.writeReadRequest(frame, device, token, addresses[i], i, lengths[i]), 0);
    }
  }

  write(client: DmaClient, tag: number): boolean {
    const token = this.#begin(client, tag, true);
    if (token < 0) return false;
    this.writes++;
    const { count, addresses, lengths, bytes } = this.#underWay.get(token)!;
    const { device, format, window, send } = this.#options;
    const frame = this.#frame;
    let done = 0;
    for (let i = 0; i < count; i++) {
      const answered = i === count - 1 || window.wantsAnswer(i);
      const length = lengths[i];
      const size = format.writeWriteRequest(
        frame,
        answered,
        device,
        token,
        addresses[i],
        i,
        length,
      );
      copyBytes(bytes, done, frame, format.writtenData, length);
      done += length;
      send(frame, size, length);
    }
    return true;
  }

  /** A chunk is about to be sent. Returns false for one of an access that was given up. */
  sent(frame: Uint8Array): boolean {
    const access = this.#underWay.get(peekToken(frame));
    if (access === undefined) return false;
    access.sent++;
    access.heardAt = this.#options.node.kernel.now;
    this.#options.window.take();
    return true;
  }

  /** Takes an answer of the driver's side. */
  answered(frame: Uint8Array): void {
    const { format, window, node } = this.#options;
    const kind = format.kind(frame);
    const token = peekToken(frame);
    const access = this.#underWay.get(token);
    if (kind !== Kind.readAnswer && kind !== Kind.writeAnswer) {
      return this.#violation('MALFORMED_MESSAGE', 'an answer about memory that makes no sense');
    }
    const sequence = format.answerSequence(frame);
    if (access === undefined || access.write !== (kind === Kind.writeAnswer)) {
      return this.#violation('UNEXPECTED_RESPONSE', `no access has the token ${token}`);
    }
    if (sequence < access.answered || sequence >= access.sent) {
      return this.#violation('UNEXPECTED_RESPONSE', `chunk ${sequence} waits for no answer`);
    }
    access.heardAt = node.kernel.now;
    if (!access.failed) this.#use(access, frame, sequence);
    window.giveBack(sequence + 1 - access.answered);
    access.answered = sequence + 1;
    if (access.answered === access.count) this.#finish(token, access);
  }

  /** Nobody will answer any more, and nobody asks. */
  forget(): void {
    for (const access of this.#underWay.values()) this.#giveUp(access);
    this.#underWay.clear();
  }

  /** Gives the gathered access a token; -1 when it was refused. */
  #begin(client: DmaClient, tag: number, write: boolean): number {
    const access = this.#gathered;
    access.client = client;
    access.tag = tag;
    access.write = write;
    this.#gathered = this.#free.pop() ?? new Access();
    this.#gathered.clear();
    if (access.count > CHUNKS_MAX || this.#underWay.size === TOKEN_MAX) {
      this.#refuse(access, 'it takes more messages than can be told apart');
      this.#free.push(access);
      return -1;
    }
    do this.#token = (this.#token % TOKEN_MAX) + 1;
    while (this.#underWay.has(this.#token));
    this.#underWay.set(this.#token, access);
    this.#watch.send(STARTED);
    return this.#token;
  }

  #use(access: Access, frame: Uint8Array, sequence: number): void {
    const { format } = this.#options;
    const status = format.answerStatus(frame);
    if (status === MemoryStatus.DENIED) {
      this.#refuse(access, 'its driver has not taken this memory for it');
    } else if (status !== MemoryStatus.OK) {
      this.#refuse(access, 'a part of it was lost on its way');
    } else if (
      !access.write &&
      !access.takeChunk(sequence, frame, format.readData, format.readLength(frame))
    ) {
      this.#refuse(access, 'an answer was lost on its way');
    }
  }

  /** All chunks were answered, or the last one was. */
  #finish(token: number, access: Access): void {
    const { client, tag, bytes, length, write, failed } = access;
    this.#underWay.delete(token);
    if (!write && !failed) client!.readDone(tag, bytes, length);
    this.#free.push(access);
  }

  /** Gives up what was not heard of for too long; chunks that wait for their turn are not late. */
  #check(): void {
    const { node, timeout } = this.#options;
    const late = node.kernel.now - timeout;
    for (const [token, access] of this.#underWay) {
      if (access.sent === access.answered || access.heardAt > late) continue;
      this.#violation('TIMEOUT', "the driver's side doesn't answer an access to its memory");
      this.#underWay.delete(token);
      if (!access.failed) this.#refuse(access, 'it was not answered in time');
      this.#giveUp(access);
    }
    this.#watch.send(this.#underWay.size > 0 ? MORE : NONE);
  }

  #giveUp(access: Access): void {
    this.#options.window.giveBack(access.sent - access.answered);
    this.#free.push(access);
  }

  /** Tells the client of the first chunk without an answer. */
  #refuse(access: Access, reason: string): void {
    const { client, tag, write, answered, addresses, lengths } = access;
    access.failed = true;
    this.refusals++;
    const fault = { address: addresses[answered], length: lengths[answered], write, reason };
    client!.refused(tag, fault);
  }

  #violation(code: ViolationCode, text: string): void {
    const { node, name } = this.#options;
    node.violations.report(code, `${name}: ${text}`);
  }
}
