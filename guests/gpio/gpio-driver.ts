// The virtio-gpio driver (virtio 1.4 §5.18): requests for lines on one queue, and on the other a pair of
// buffers for each line whose interrupt is unmasked.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import {
  decodeLineNames,
  GPIO_DEVICE_ID,
  GPIO_F,
  GPIO_IRQ_REQUEST_SIZE,
  GPIO_IRQ_RESPONSE_SIZE,
  GPIO_IRQ_STATUS,
  GPIO_MSG,
  GPIO_REQUEST,
  GPIO_REQUEST_SIZE,
  GPIO_RESPONSE_SIZE,
  GPIO_STATUS,
  gpioConfig,
} from '../../platform/virtio/index.ts';
import { FIRST_SLOT_DRIVER_STEP, RequestEnd, SlotDriver } from '../common/index.ts';

const EVENT_QUEUE = 1;
/** Segments of a chain: what the device reads, what it writes. */
const SEGMENTS = 2;
/** A request and its response share a 64-byte line; so do the two parts of an interrupt's pair. */
const CELL = 64;
const RESPONSE_OFFSET = GPIO_REQUEST_SIZE;
const PAIR_CELL = 8;
const PAIR_RESPONSE = GPIO_IRQ_REQUEST_SIZE;
const STEP_UNMASK = FIRST_SLOT_DRIVER_STEP;

/** How a request ended. */
export const GpioResult = { ok: 0, error: 1, timedOut: 2, lost: 3 } as const;
export type GpioResult = (typeof GpioResult)[keyof typeof GpioResult];

/** Whoever uses lines. */
export interface GpioClient {
  /** The lines can be used; `names` has one for each, empty where there is none. */
  gpioReady(names: readonly string[], interrupts: boolean): void;
  /** A request is over. `value` is what a GET answered. */
  gpioCompleted(slot: number, result: GpioResult, value: number, latency: number): void;
  /** A line's interrupt has fired, and is masked. Returns true to unmask it again at once. */
  gpioInterrupt(line: number): boolean;
  gpioDown(reason: string): void;
  /** The device was reset and its lines are as they were; edges may have gone unheard meanwhile. */
  gpioRecovered?(): void;
}

/** What a line was last set to, in the order in which it is set again: type and value of requests. */
const SETTINGS = [
  GPIO_MSG.SET_VALUE,
  GPIO_MSG.SET_DIRECTION,
  GPIO_MSG.SET_IRQ_TYPE,
] as readonly number[];

export class GpioDriver extends SlotDriver<GpioClient | null> {
  /** The driver's own slot, for the names of the lines and to set lines again after a reset. */
  readonly #ownSlot: number;
  /** By kind of setting and line, what the device has agreed to; absent for what was never set. */
  readonly #settings = SETTINGS.map(() => new Map<number, number>());
  /** Requests that set the lines again after a reset: type, line, value. */
  #restoring: (readonly [type: number, line: number, value: number])[] = [];
  readonly #type: number[] = [];
  readonly #gpio: number[] = [];
  readonly #value: number[] = [];
  #lineCount = 0;
  #namesSize = 0;
  #names: readonly string[] = [];
  /** Who wants to hear of each line's interrupt; null where it stays masked. */
  #watchers: (GpioClient | null)[] = [];
  /** 1 while the line's pair is with the device or on its way there. */
  #unmasked = new Uint8Array(0);
  /** Users have been told that the lines can be used. */
  #ready = false;
  /** Lines are being set again: pairs wait. */
  #setting = false;
  #pendingUnmasks = 0;
  /** Lines that found the event queue full, oldest first. */
  readonly #waitingLines: number[] = [];

  constructor(environment: DriverEnvironment) {
    const { costs } = environment.node;
    super(environment, {
      deviceId: GPIO_DEVICE_ID,
      queueCount: 1,
      features: GPIO_F.IRQ,
      configSize: gpioConfig.fixedSize,
      segmentsMax: SEGMENTS,
      timeout: costs.value(costs.idOf('gpio.requestTimeout')),
    });
    this.#ownSlot = this.slots.reserve(null, 1, CELL, CELL);
  }

  /** Reserves slots for a client. Only before the device is live. */
  reserve(client: GpioClient, count: number): number {
    return this.slots.reserve(client, count, CELL, CELL);
  }

  /** Starts a request for a line. */
  request(slot: number, type: number, line: number, value: number): void {
    this.#type[slot] = type;
    this.#gpio[slot] = line;
    this.#value[slot] = value;
    this.begin(slot, 1);
  }

  /** Unmasks a line's interrupt, which was enabled before. */
  unmask(line: number, client: GpioClient): void {
    this.#watchers[line] = client;
    if (this.#unmasked[line] === 1) return;
    this.#unmasked[line] = 1;
    if (this.live && !this.#setting) this.#submitPair(line);
  }

  /** Leaves a line's interrupt masked the next time it comes back. */
  mask(line: number): void {
    this.#watchers[line] = null;
  }

  protected override queuesWanted(): number {
    const { ngpio, gpioNamesSize } = gpioConfig.decode(this.config, 0, this.config.length);
    this.#lineCount = ngpio;
    this.#namesSize = gpioNamesSize;
    return this.#hasInterrupts ? 2 : 1;
  }

  get #hasInterrupts(): boolean {
    return (this.features & GPIO_F.IRQ) !== 0n;
  }

  protected override bufferBytes(): number {
    return this.slots.bytes + PAIR_CELL * this.#lineCount + 1 + this.#namesSize;
  }

  protected override hasRoom(_slot: number): boolean {
    return this.rings[0].hasRoom(SEGMENTS);
  }

  protected override add(slot: number): void {
    const { memory } = this.node;
    const [ring] = this.rings;
    const cell = this.#cell(slot);
    memory.writeU16(cell + GPIO_REQUEST.type, this.#type[slot]);
    memory.writeU16(cell + GPIO_REQUEST.gpio, this.#gpio[slot]);
    memory.writeU32(cell + GPIO_REQUEST.value, this.#value[slot]);
    ring.addSegment(this.transport.busAddress(cell), GPIO_REQUEST_SIZE, false);
    const names = this.#type[slot] === GPIO_MSG.GET_LINE_NAMES;
    const response = names ? this.#namesAddress : cell + RESPONSE_OFFSET;
    const length = names ? 1 + this.#namesSize : GPIO_RESPONSE_SIZE;
    memory.writeU8(response, GPIO_STATUS.ERR);
    ring.addSegment(this.transport.busAddress(response), length, true);
    this.addChain(slot);
  }

  protected override ended(slot: number, end: RequestEnd, latency: number): void {
    if (slot === this.#ownSlot) {
      if (end === RequestEnd.lost) return;
      if (this.#ready) return this.#setNext();
      if (end === RequestEnd.returned) this.#readNames();
      return this.#tellReady();
    }
    const { memory } = this.node;
    const response = this.#cell(slot) + RESPONSE_OFFSET;
    const value = memory.readU8(response + 1);
    if (this.#result(end, response) === GpioResult.ok) this.#remember(slot);
    this.slots.clientOf(slot)!.gpioCompleted(slot, this.#result(end, response), value, latency);
  }

  /** The names of the lines come first, as they do for a kernel's GPIO core. */
  protected override tellReady(): void {
    this.#watchers = new Array<GpioClient | null>(this.#lineCount).fill(null);
    this.#unmasked = new Uint8Array(this.#lineCount);
    this.#waitingLines.length = 0;
    for (const values of this.#settings) values.clear();
    this.#setting = false;
    this.#names = new Array<string>(this.#lineCount).fill('');
    if (this.#namesSize === 0) this.#tellReady();
    else this.request(this.#ownSlot, GPIO_MSG.GET_LINE_NAMES, 0, 0);
  }

  /** Pairs are gone with the rings; lines are set again before anything else happens to them. */
  protected override interrupted(): void {
    this.#pendingUnmasks = 0;
    this.#waitingLines.length = 0;
    this.#setting = true;
    super.interrupted();
  }

  protected override precedes(slot: number): boolean {
    return slot === this.#ownSlot;
  }

  protected override cameBack(): void {
    if (!this.#ready) {
      this.goOn();
      return this.tellReady();
    }
    this.#restoring = this.#settings.flatMap((values, kind) =>
      [...values].map(([line, value]) => [SETTINGS[kind], line, value] as const),
    );
    this.#setNext();
  }

  protected override tellDown(reason: string): void {
    this.#pendingUnmasks = 0;
    this.#ready = false;
    this.#setting = false;
    for (const { client } of this.slots.ranges) client?.gpioDown(reason);
  }

  protected override get plugged(): boolean {
    return super.plugged || this.#pendingUnmasks > 0;
  }

  protected override work(step: number, a: number): void {
    if (!this.live) return;
    if (step !== STEP_UNMASK) {
      super.work(step, a);
      if (this.#hasInterrupts) this.kick(EVENT_QUEUE);
      return;
    }
    this.#pendingUnmasks--;
    this.#waitingLines.push(a);
    this.#addPairs();
    this.kick(EVENT_QUEUE);
    this.kick(0);
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    if (queue !== EVENT_QUEUE) return super.completed(queue, head, written, use);
    const line = this.tagOf(queue, head);
    this.#unmasked[line] = 0;
    this.#addPairs();
    const status = this.node.memory.readU8(this.#pair(line) + PAIR_RESPONSE);
    const watcher = this.#watchers[line];
    if (status !== GPIO_IRQ_STATUS.VALID || watcher === null) return;
    if (watcher.gpioInterrupt(line)) this.unmask(line, watcher);
  }

  /** Notes what the device has agreed to. A value read from a line is no setting. */
  #remember(slot: number): void {
    const kind = SETTINGS.indexOf(this.#type[slot]);
    if (kind >= 0) this.#settings[kind].set(this.#gpio[slot], this.#value[slot]);
  }

  /** Sets the next line again; after the last one, interrupts are unmasked and requests go on. */
  #setNext(): void {
    const setting = this.#restoring.shift();
    if (setting !== undefined) return this.request(this.#ownSlot, ...setting);
    this.#setting = false;
    for (const [line, unmasked] of this.#unmasked.entries()) {
      if (unmasked === 1) this.#submitPair(line);
    }
    for (const { client } of this.slots.ranges) client?.gpioRecovered?.();
    this.goOn();
  }

  #submitPair(line: number): void {
    this.#pendingUnmasks++;
    this.later(STEP_UNMASK, this.ringCosts.add(), line);
  }

  protected override queueRestarted(queue: number): void {
    if (queue === EVENT_QUEUE) this.#addPairs();
    else super.queueRestarted(queue);
  }

  #addPairs(): void {
    if (this.restarts.isStopped(EVENT_QUEUE)) return;
    const ring = this.rings[EVENT_QUEUE];
    while (this.#waitingLines.length > 0 && ring.hasRoom(SEGMENTS)) {
      this.#addPair(this.#waitingLines.shift()!);
    }
  }

  #addPair(line: number): void {
    const { memory } = this.node;
    const ring = this.rings[EVENT_QUEUE];
    const pair = this.#pair(line);
    memory.writeU16(pair, line);
    memory.writeU8(pair + PAIR_RESPONSE, GPIO_IRQ_STATUS.INVALID);
    ring.addSegment(this.transport.busAddress(pair), GPIO_IRQ_REQUEST_SIZE, false);
    const response = this.transport.busAddress(pair + PAIR_RESPONSE);
    ring.addSegment(response, GPIO_IRQ_RESPONSE_SIZE, true);
    this.countUse(EVENT_QUEUE, this.commit(EVENT_QUEUE, line));
  }

  #readNames(): void {
    const bytes = new Uint8Array(this.#namesSize);
    this.node.memory.copyOut(this.#namesAddress + 1, bytes, 0, bytes.length);
    const ok = this.node.memory.readU8(this.#namesAddress) === GPIO_STATUS.OK;
    const names = ok ? decodeLineNames(bytes, this.#lineCount) : null;
    if (names === null) {
      this.node.violations.report('BAD_REQUEST', `${this.name}: the names are not one a line`);
      return;
    }
    this.#names = names;
  }

  #tellReady(): void {
    this.#ready = true;
    for (const { client } of this.slots.ranges) {
      client?.gpioReady(this.#names, this.#hasInterrupts);
    }
  }

  #result(end: RequestEnd, response: number): GpioResult {
    if (end === RequestEnd.lost) return GpioResult.lost;
    if (end === RequestEnd.timedOut) return GpioResult.timedOut;
    const status = this.node.memory.readU8(response);
    return status === GPIO_STATUS.OK ? GpioResult.ok : GpioResult.error;
  }

  #cell(slot: number): number {
    return this.buffers + this.slots.offsetOf(slot);
  }

  #pair(line: number): number {
    return this.buffers + this.slots.bytes + PAIR_CELL * line;
  }

  get #namesAddress(): number {
    return this.#pair(this.#lineCount);
  }
}
