// A register block of virtio-mmio in front, virtio-msg behind: what a hypervisor or a device model does so
// that a guest which knows nothing of virtio-msg uses a device behind it. Each access that the block cannot
// answer by itself becomes a request (the translation is that of Xen's proxy of 2025).
//
//   DeviceID ▸ GET_DEVICE_INFO      Status ▸ GET_DEVICE_STATUS, SET_DEVICE_STATUS
//   DeviceFeatures ▸ GET_DEVICE_FEATURES      FEATURES_OK ▸ SET_DRIVER_FEATURES before the status
//   QueueSel ▸ GET_VQUEUE      QueueReady ▸ SET_VQUEUE, RESET_VQUEUE      QueueNotify ▸ EVENT_AVAIL
//   Config ▸ GET_CONFIG, SET_CONFIG      ConfigGeneration ▸ GET_CONFIG of no bytes
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { STATUS } from '../../platform/virtio/index.ts';
import {
  enablingFlags,
  peekId,
  peekIsResponse,
  type RevisionInfo,
  type StandardMessages,
  staleGeneration,
  writeEventAvail,
} from '../../platform/virtio/messages/index.ts';
import { type MessageOf, readU32, WireError, writeU32 } from '../../platform/wire/index.ts';
import { type ProxyEffect, type ProxyEvent, proxyChart } from './proxy-chart.ts';
import { INTERRUPT_CONFIG, INTERRUPT_USED, registers as R, VERSION } from './registers.ts';

type Message = MessageOf<StandardMessages>;
type Request = Message extends infer M
  ? M extends { type: `req.${string}`; body: unknown }
    ? Pick<M, 'type' | 'body'>
    : never
  : never;

const TWO_32 = 2 ** 32;
const FEATURE_BLOCKS = 2;
/** Queues that the proxy knows of (VIRTIO_MSG_MAX_QUEUES). */
const QUEUES_MAX = 1024;
/** Registers of shared memory regions, of which there are none: all ones. */
const SHM_START = 0x0b0;
const SHM_END = 0x0c0;
const ALL_ONES = 0xffff_ffff;
const TOKEN_MAX = 0xffff;
/** Registers, besides the configuration, whose accesses become requests. */
const LOADS_THAT_ASK: ReadonlySet<number> = new Set([
  R.DeviceID.at,
  R.Status.at,
  R.DeviceFeatures.at,
  R.ConfigGeneration.at,
]);
const STORES_THAT_ASK: ReadonlySet<number> = new Set([
  R.Status.at,
  R.QueueSel.at,
  R.QueueReady.at,
  R.QueueReset.at,
]);

export interface MessageProxyOptions {
  readonly node: Node;
  /** Unique on the node. */
  readonly name: string;
  readonly device: number;
  readonly revision: RevisionInfo;
  /** The transport features in force. */
  readonly transportFeatures?: number;
  readonly maxMessageSize: number;
  /** Values of MagicValue and VendorID. */
  readonly magic: number;
  readonly vendor: number;
  /** Known defect: features are set anew with each status that has FEATURES_OK. */
  readonly featuresAgain?: boolean;
  send(bytes: Uint8Array, length: number): void;
  /** Raises the device's interrupt at the guest. */
  interrupt(): void;
  /** The access that was begun has ended; `value` is what a load brings. */
  completed(value: number): void;
}

const REQUEST: ProxyEvent = { type: 'REQUEST' };
const FEATURES: ProxyEvent = { type: 'FEATURES' };
const RESPONSE: ProxyEvent = { type: 'RESPONSE' };
const ABANDON: ProxyEvent = { type: 'ABANDON' };

export class MmioMessageProxy {
  readonly #options: MessageProxyOptions;
  readonly #chart: Chart<unknown, ProxyEvent>;
  readonly #frame: Uint8Array;
  /** A SET_CONFIG must have the latest generation; otherwise it has a 0. */
  readonly #refusesStale: boolean;
  readonly #enabled = new Set<number>();
  readonly #driverFeatures = new Array<number>(FEATURE_BLOCKS).fill(0);
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;
  #queueSizeMax = 0;
  #queueSize = 0;
  /** Halves of the three areas by the register that sets them. */
  readonly #halves = new Map<number, number>();
  #generation = 0;
  #interruptStatus = 0;
  /** As it was last written. */
  #status = 0;
  #token = 0;
  /** Ids of the requests that are not answered, oldest first. */
  readonly #awaited: number[] = [];
  #value = 0;

  constructor(options: MessageProxyOptions) {
    this.#options = options;
    const { revision, transportFeatures = 0 } = options;
    this.#refusesStale = staleGeneration(revision, transportFeatures) === 'refused';
    this.#frame = new Uint8Array(options.maxMessageSize);
    this.#chart = options.node.charts.start(proxyChart, {
      name: options.name,
      perform: (_: ProxyEffect) => options.completed(this.#value),
    });
    this.#chart.begin();
  }

  get interruptStatus(): number {
    return this.#interruptStatus;
  }

  acknowledge(bits: number): void {
    this.#interruptStatus &= ~bits;
  }

  /** Begins a load of 1, 2 or 4 bytes. */
  read(offset: number, size: number): void {
    const known = this.#known(offset);
    if (known !== null) return this.#options.completed(known);
    this.#chart.send(REQUEST);
    this.#request(this.#readRequest(offset, size));
  }

  /** Begins a store of 1, 2 or 4 bytes. */
  write(offset: number, size: number, value: number): void {
    if (this.#keep(offset, value)) return this.#options.completed(0);
    if (offset === R.Status.at && this.#agrees(value)) return this.#agree(value);
    this.#chart.send(REQUEST);
    this.#request(this.#writeRequest(offset, size, value));
  }

  /** A value written to QueueNotify, by an access or by ioeventfd. */
  notify(value: number): void {
    const { device, send } = this.#options;
    // Notification data: the upper half has the offset in the ring, and bit 31 its wrap (§4.2.3.3).
    const next = ((value >>> 16) & 0x7fff) + (value >= 2 ** 31 ? 2 ** 31 : 0);
    send(this.#frame, writeEventAvail(this.#frame, device, 0, value & 0xffff, next));
  }

  /** No response will come: the access that waits for one ends, a load with 0. */
  abandon(): void {
    this.#awaited.length = 0;
    this.#value = 0;
    this.#chart.send(ABANDON);
  }

  /** A message of the device; valid only during the call. */
  message(bytes: Uint8Array, length: number): void {
    const message = this.#decode(bytes, length);
    if (message === null) return;
    if (message.type === 'req.EVENT_USED') return this.#raise(INTERRUPT_USED);
    if (message.type === 'req.EVENT_CONFIG') return this.#raise(INTERRUPT_CONFIG);
    if (!peekIsResponse(bytes) || this.#awaited[0] !== peekId(bytes)) {
      return this.#violation('UNEXPECTED_RESPONSE', `${message.type} was not asked for`);
    }
    this.#awaited.shift();
    this.#value = this.#valueOf(message);
    this.#chart.send(RESPONSE);
  }

  /** Whether a status that is written agrees on the features, which are sent before it. */
  #agrees(status: number): boolean {
    const { featuresAgain = false } = this.#options;
    const old = featuresAgain ? 0 : this.#status;
    this.#status = status;
    return (status & ~old & STATUS.FEATURES_OK) !== 0;
  }

  #agree(status: number): void {
    const body = { blockIndex: 0, blockCount: FEATURE_BLOCKS, features: this.#driverFeatures };
    this.#chart.send(FEATURES);
    this.#request({ type: 'req.SET_DRIVER_FEATURES', body });
    // The bus may have found at once that there is nobody.
    if (this.#awaited.length === 0) return;
    this.#request({ type: 'req.SET_DEVICE_STATUS', body: { status } });
  }

  /** What the proxy answers by itself, or null. */
  #known(offset: number): number | null {
    if (offset >= SHM_START && offset < SHM_END) return ALL_ONES;
    switch (offset) {
      case R.MagicValue.at:
        return this.#options.magic;
      case R.Version.at:
        return VERSION;
      case R.VendorID.at:
        return this.#options.vendor;
      case R.InterruptStatus.at:
        return this.#interruptStatus;
      case R.QueueSizeMax.at:
        return this.#queueSizeMax;
      case R.QueueReady.at:
        return this.#enabled.has(this.#queueSel) ? 1 : 0;
      case R.QueueReset.at:
        return 0;
    }
    if (offset >= R.Config.at) return null;
    if (LOADS_THAT_ASK.has(offset)) return null;
    this.#object('read', offset);
    return 0;
  }

  #readRequest(offset: number, size: number): Request {
    switch (offset) {
      case R.DeviceID.at:
        return { type: 'req.GET_DEVICE_INFO', body: {} };
      case R.Status.at:
        return { type: 'req.GET_DEVICE_STATUS', body: {} };
      case R.DeviceFeatures.at: {
        const body = { blockIndex: this.#deviceFeaturesSel, blockCount: 1 };
        return { type: 'req.GET_DEVICE_FEATURES', body };
      }
      case R.ConfigGeneration.at:
        return { type: 'req.GET_CONFIG', body: { offset: 0, length: 0 } };
      default: {
        const body = { offset: offset - R.Config.at, length: size };
        return { type: 'req.GET_CONFIG', body };
      }
    }
  }

  /** Takes a store that needs no request; false for the others. */
  #keep(offset: number, value: number): boolean {
    switch (offset) {
      case R.DeviceFeaturesSel.at:
        this.#deviceFeaturesSel = value;
        return true;
      case R.DriverFeaturesSel.at:
        this.#driverFeaturesSel = value;
        return true;
      case R.DriverFeatures.at:
        if (this.#driverFeaturesSel < FEATURE_BLOCKS) {
          this.#driverFeatures[this.#driverFeaturesSel] = value;
        }
        return true;
      case R.InterruptACK.at:
        this.acknowledge(value);
        return true;
      case R.QueueSize.at:
        this.#queueSize = value;
        return true;
      case R.QueueNotify.at:
        this.notify(value);
        return true;
    }
    if (offset >= R.QueueDescLow.at && offset <= R.QueueDeviceHigh.at) {
      this.#halves.set(offset, value);
      return true;
    }
    if (offset >= R.Config.at) return false;
    if (STORES_THAT_ASK.has(offset)) return offset === R.QueueSel.at && this.#beyond(value);
    this.#object('write', offset);
    return true;
  }

  #writeRequest(offset: number, size: number, value: number): Request {
    switch (offset) {
      case R.Status.at:
        if (value === 0) {
          this.#enabled.clear();
          this.#interruptStatus = 0;
        }
        return { type: 'req.SET_DEVICE_STATUS', body: { status: value } };
      case R.QueueSel.at:
        this.#queueSel = value;
        return { type: 'req.GET_VQUEUE', body: { index: value } };
      case R.QueueReady.at:
        return value === 1 ? this.#setQueue() : this.#resetQueue();
      case R.QueueReset.at:
        // Deviation: the proxy of 2025 has no such register; a queue is reset through QueueReady alone.
        return this.#resetQueue();
      default: {
        const word = new Uint8Array(4);
        writeU32(word, 0, value);
        const data = word.slice(0, size);
        const body = {
          generation: this.#refusesStale ? this.#generation : 0,
          offset: offset - R.Config.at,
          length: size,
          data,
        };
        return { type: 'req.SET_CONFIG', body };
      }
    }
  }

  #setQueue(): Request {
    this.#enabled.add(this.#queueSel);
    const body = {
      index: this.#queueSel,
      flags: enablingFlags(this.#options.revision),
      size: this.#queueSize,
      descriptorArea: this.#area(R.QueueDescLow.at, R.QueueDescHigh.at),
      driverArea: this.#area(R.QueueDriverLow.at, R.QueueDriverHigh.at),
      deviceArea: this.#area(R.QueueDeviceLow.at, R.QueueDeviceHigh.at),
    };
    return { type: 'req.SET_VQUEUE', body };
  }

  #resetQueue(): Request {
    this.#enabled.delete(this.#queueSel);
    this.#halves.clear();
    return { type: 'req.RESET_VQUEUE', body: { index: this.#queueSel } };
  }

  #area(low: number, high: number): bigint {
    return BigInt((this.#halves.get(high) ?? 0) * TWO_32 + (this.#halves.get(low) ?? 0));
  }

  #request(request: Request): void {
    const { revision, device, maxMessageSize, send } = this.#options;
    this.#token = (this.#token % TOKEN_MAX) + 1;
    const message = { ...request, dev: device, token: this.#token } as Message;
    const length = revision.codec.encode(message, this.#frame, 0, maxMessageSize);
    this.#awaited.push(peekId(this.#frame));
    send(this.#frame, length);
  }

  #valueOf(message: Message): number {
    switch (message.type) {
      case 'res.GET_DEVICE_INFO':
        return message.body.deviceId;
      case 'res.GET_DEVICE_STATUS':
        return message.body.status;
      case 'res.GET_DEVICE_FEATURES':
        return message.body.features[0] ?? 0;
      case 'res.GET_VQUEUE':
        this.#queueSizeMax = message.body.maxSize;
        return 0;
      case 'res.GET_CONFIG': {
        const { generation, length, data } = message.body;
        this.#generation = generation;
        if (length === 0) return generation;
        const word = new Uint8Array(4);
        word.set(data.subarray(0, 4));
        return readU32(word, 0);
      }
      default:
        return 0;
    }
  }

  #raise(bits: number): void {
    this.#interruptStatus |= bits;
    this.#options.interrupt();
  }

  #beyond(queue: number): boolean {
    if (queue < QUEUES_MAX) return false;
    this.#violation(
      'BAD_REQUEST',
      `queue ${queue} is beyond the ${QUEUES_MAX} that the proxy knows`,
    );
    return true;
  }

  #decode(bytes: Uint8Array, length: number): Message | null {
    try {
      return this.#options.revision.codec.decode(bytes, length) as Message;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
      return null;
    }
  }

  #object(verb: string, offset: number): void {
    this.#violation('BAD_REQUEST', `${verb} at 0x${offset.toString(16).padStart(3, '0')}`);
  }

  #violation(
    code: 'MALFORMED_MESSAGE' | 'UNEXPECTED_RESPONSE' | 'BAD_REQUEST',
    text: string,
  ): void {
    const { node, name } = this.#options;
    node.violations.report(code, `${name}: ${text}`);
  }
}
