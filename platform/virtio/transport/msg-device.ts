// virtio-msg, device side: one device's transport between a bus and the device model. It answers each
// valid request once, discards what it cannot understand, and sends the device's events.
import type {
  DeviceBusClient,
  DeviceBusEnd,
  DeviceModel,
  DeviceTransport,
  DmaPort,
} from '../../contracts/index.ts';
import { assert } from '../../errors.ts';
import type { Node } from '../../node/index.ts';
import { WireError } from '../../wire/index.ts';
import { F, featureBlocks, withFeatureBlocks } from '../bits.ts';
import {
  capacity,
  isEventAvail,
  peekEventNextOffset,
  peekEventQueue,
  QUEUE_STATE_MASK,
  QueueIgnore,
  QueueState,
  type RevisionInfo,
  revision,
  staleGeneration,
  writeEventUsed,
} from '../messages/index.ts';
import type { RequestBody, StandardMessage } from './driver-operations.ts';

/** Queue parameters as the driver last set them, in force once the queue is enabled. */
interface QueueParameters {
  size: number;
  descriptorArea: number;
  driverArea: number;
  deviceArea: number;
  enabled: boolean;
}

/** Our devices have no identity beyond their number. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const UNSET: QueueParameters = {
  size: 0,
  descriptorArea: 0,
  driverArea: 0,
  deviceArea: 0,
  enabled: false,
};

export interface MsgDeviceOptions {
  readonly node: Node;
  readonly name: string;
  readonly bus: DeviceBusEnd;
  readonly deviceNumber: number;
  readonly model: DeviceModel;
  /** Transport features that both sides of the bus have. Default: none. */
  readonly transportFeatures?: number;
}

export class MsgDeviceTransport implements DeviceTransport, DeviceBusClient {
  readonly dma: DmaPort;
  readonly #node: Node;
  readonly #name: string;
  readonly #bus: DeviceBusEnd;
  readonly #number: number;
  readonly #model: DeviceModel;
  readonly #revision: RevisionInfo;
  readonly #headerSize: number;
  /** A SET_CONFIG of a stale generation is not applied. */
  readonly #refusesStale: boolean;
  readonly #configBytesMax: number;
  /** Bytes of configuration that an event carries. */
  readonly #eventBytesMax: number;
  readonly #featureBlocksMax: number;
  readonly #queues = new Map<number, QueueParameters>();
  readonly #frame: Uint8Array;
  /** Place and length of the device's regions, by shmid. */
  readonly #regions = new Map<number, { readonly place: bigint; readonly length: bigint }>();
  /** The driver has written features since the last reset. */
  #featuresWritten = false;

  constructor(options: MsgDeviceOptions) {
    const { node, name, bus, deviceNumber, model, transportFeatures = 0 } = options;
    this.#node = node;
    this.#name = name;
    this.#bus = bus;
    this.dma = bus.dmaOf(deviceNumber);
    this.#number = deviceNumber;
    this.#model = model;
    const { deviceBits = 16, maxMessageSize } = bus;
    this.#revision = revision(bus.revision, deviceBits);
    this.#refusesStale = staleGeneration(this.#revision, transportFeatures) === 'refused';
    this.#headerSize = this.#revision.codec.headerSize;
    const limits = capacity(bus.revision, maxMessageSize, deviceBits);
    this.#configBytesMax = limits.configBytes;
    this.#eventBytesMax = limits.eventConfigBytes;
    this.#featureBlocksMax = limits.featureBlocks;
    this.#frame = new Uint8Array(maxMessageSize);
    model.connect(this);
    this.#shareRegions();
    bus.attach(deviceNumber, this);
  }

  /** A region whose place or length has no room in the response of the revision is not told of. */
  #shareRegions(): void {
    const { rules } = this.#revision;
    for (const region of this.#model.regions ?? []) {
      assert(this.#bus.shareRegion !== undefined, 'a bus without regions has no device with some');
      const place = BigInt(this.#bus.shareRegion(this.#number, region));
      const length = BigInt(region.length);
      const fits = place < rules.regionsEnd && length < rules.regionsEnd;
      if (fits) this.#regions.set(region.shmid, { place, length });
    }
  }

  notifyUsed(queue: number): void {
    const frame = this.#frame;
    this.#bus.send(frame, writeEventUsed(frame, this.#number, 0, queue, this.#headerSize));
  }

  /** The bytes go with the event where it has room for all of them; otherwise it says where they are. */
  notifyConfig(offset = 0, length = 0): void {
    const { status, configGeneration: generation } = this.#model;
    const data = new Uint8Array(length <= this.#eventBytesMax ? length : 0);
    this.#model.readConfig(offset, data, 0, data.length);
    this.#send({ type: 'req.EVENT_CONFIG', body: { status, generation, offset, length, data } }, 0);
  }

  reset(): void {
    this.#setStatus(0);
  }

  message(bytes: Uint8Array, length: number): boolean {
    const headerSize = this.#headerSize;
    if (isEventAvail(bytes, length, 0, headerSize)) {
      const next = peekEventNextOffset(bytes, 0, headerSize);
      this.#model.available(peekEventQueue(bytes, 0, headerSize), next);
      return true;
    }
    const message = this.#decode(bytes, length);
    if (message === null) return false;
    const answer = this.#obeys(message, bytes)
      ? this.#answer(message)
      : ({ type: 'res.SET_VQUEUE', body: {} } as const);
    if (answer === null) {
      this.#violation('UNEXPECTED_MESSAGE', `${message.type} is nothing a device answers`);
      return false;
    }
    this.#send(answer, message.token);
    return true;
  }

  /** False for SET_VQUEUE with a reserved word set, which v2 answers but does not obey. */
  #obeys(message: StandardMessage, bytes: Uint8Array): boolean {
    if (message.type !== 'req.SET_VQUEUE') return true;
    const { codec, rules } = this.#revision;
    if (rules.queueEnable !== 'byFlags') return true;
    if (codec.leg(message.type).layout.reservedIsZero(bytes, this.#headerSize)) return true;
    this.#violation('ILLEGAL_STEP', 'SET_VQUEUE with a reserved word that is not 0');
    return false;
  }

  #send(body: RequestBody, token: number): void {
    const message = { ...body, dev: this.#number, token } as StandardMessage;
    const { codec } = this.#revision;
    this.#bus.send(this.#frame, codec.encode(message, this.#frame, 0, this.#bus.maxMessageSize));
  }

  /** The response to a request, or null for what is discarded without one. */
  #answer(message: StandardMessage): RequestBody | null {
    const model = this.#model;
    switch (message.type) {
      case 'req.GET_DEVICE_INFO':
        return this.#info();
      case 'req.GET_DEVICE_FEATURES':
        return this.#features(message.body.blockIndex, message.body.blockCount);
      case 'req.SET_DRIVER_FEATURES': {
        const { blockIndex, features } = message.body;
        this.#featuresWritten = true;
        model.setDriverFeatures(withFeatureBlocks(model.driverFeatures, blockIndex, features));
        return { type: 'res.SET_DRIVER_FEATURES', body: {} };
      }
      case 'req.GET_CONFIG':
        return this.#config(message.body.offset, message.body.length);
      case 'req.SET_CONFIG':
        return this.#setConfig(message.body);
      case 'req.GET_DEVICE_STATUS':
        return { type: 'res.GET_DEVICE_STATUS', body: { status: model.status } };
      case 'req.SET_DEVICE_STATUS':
        return this.#setStatus(message.body.status);
      case 'req.GET_VQUEUE':
        return this.#queue(message.body.index);
      case 'req.SET_VQUEUE':
        this.#setQueue(message.body);
        return { type: 'res.SET_VQUEUE', body: {} };
      case 'req.RESET_VQUEUE':
        this.#resetQueue(message.body.index);
        return { type: 'res.RESET_VQUEUE', body: {} };
      case 'req.GET_SHM':
        return this.#region(message.body.index);
      default:
        return null;
    }
  }

  #info(): RequestBody {
    const { info } = this.#model;
    return {
      type: 'res.GET_DEVICE_INFO',
      body: {
        deviceId: info.deviceId,
        vendorId: info.vendorId,
        uuid: NIL_UUID,
        featureBits: info.featureBlocks * 32,
        configSize: info.configSize,
        maxVirtqueues: info.queuesMax,
        adminStart: info.adminStart,
        adminCount: info.adminCount,
      },
    };
  }

  #features(blockIndex: number, blockCount: number): RequestBody | null {
    if (blockCount > this.#featureBlocksMax) return null;
    const model = this.#model;
    const { featuresAfterSet } = this.#revision.rules;
    const acknowledged = this.#featuresWritten && featuresAfterSet === 'acknowledged';
    const shown = acknowledged ? model.driverFeatures : model.features;
    const features = featureBlocks(shown, blockIndex, blockCount);
    return { type: 'res.GET_DEVICE_FEATURES', body: { blockIndex, blockCount, features } };
  }

  #config(offset: number, length: number): RequestBody | null {
    const model = this.#model;
    if (length > this.#configBytesMax || offset + length > model.info.configSize) return null;
    const data = new Uint8Array(length);
    model.readConfig(offset, data, 0, length);
    const body = { generation: model.configGeneration, offset, length, data };
    return { type: 'res.GET_CONFIG', body };
  }

  #setConfig(request: {
    readonly generation: number;
    readonly offset: number;
    readonly length: number;
    readonly data: Uint8Array;
  }): RequestBody {
    const model = this.#model;
    const { offset, data } = request;
    const stale = this.#refusesStale && request.generation !== model.configGeneration;
    const inside = offset + data.length <= model.info.configSize;
    const applied = data.length > 0 && !stale && inside && model.writeConfig(offset, data);
    const echoed = applied ? data : new Uint8Array(0);
    return {
      type: 'res.SET_CONFIG',
      body: { generation: model.configGeneration, offset, length: echoed.length, data: echoed },
    };
  }

  /** SHM-1: length 0 for a region that is not there. */
  #region(index: number): RequestBody {
    const { place: address, length } = this.#regions.get(index) ?? { place: 0n, length: 0n };
    return { type: 'res.GET_SHM', body: { index, length, address } };
  }

  #setStatus(status: number): RequestBody {
    if (status === 0) {
      this.#queues.clear();
      this.#featuresWritten = false;
    }
    return { type: 'res.SET_DEVICE_STATUS', body: { status: this.#model.setStatus(status) } };
  }

  #queue(index: number): RequestBody {
    const maxSize = this.#model.queueSizeMax(index);
    const set = maxSize === 0 ? UNSET : (this.#queues.get(index) ?? UNSET);
    const { queueStateVisible } = this.#revision.rules;
    return {
      type: 'res.GET_VQUEUE',
      body: {
        index,
        maxSize,
        size: set.size,
        flags: queueStateVisible && set.enabled ? 1 : 0,
        descriptorArea: BigInt(set.descriptorArea),
        driverArea: BigInt(set.driverArea),
        deviceArea: BigInt(set.deviceArea),
      },
    };
  }

  /** All or nothing; a request that cannot be obeyed changes nothing and is still answered. */
  #setQueue(request: {
    readonly index: number;
    readonly flags: number;
    readonly size: number;
    readonly descriptorArea: bigint;
    readonly driverArea: bigint;
    readonly deviceArea: bigint;
  }): void {
    const { index } = request;
    const old = this.#queues.get(index) ?? UNSET;
    const byFlags = this.#revision.rules.queueEnable === 'byFlags';
    const flags = byFlags ? request.flags : QueueState.enable;
    const state = flags & QUEUE_STATE_MASK;
    const keep = (bit: number) => (flags & bit) !== 0;
    const next: QueueParameters = {
      size: keep(QueueIgnore.size) ? old.size : request.size,
      descriptorArea: keep(QueueIgnore.desc) ? old.descriptorArea : Number(request.descriptorArea),
      driverArea: keep(QueueIgnore.driver) ? old.driverArea : Number(request.driverArea),
      deviceArea: keep(QueueIgnore.device) ? old.deviceArea : Number(request.deviceArea),
      enabled: state === QueueState.enable || (state === QueueState.keep && old.enabled),
    };
    const disables = old.enabled && state === QueueState.keepDisabled;
    const changesLive = byFlags && old.enabled && !sameParameters(old, next);
    const illegal = state === QueueState.reserved || flags > 0x3f || disables || changesLive;
    const sizeMax = this.#model.queueSizeMax(index);
    const usable = sizeMax > 0 && next.size <= sizeMax && next.size > 0;
    if (illegal || !usable || !this.#shapeIsSound(next)) {
      this.#violation('ILLEGAL_STEP', `SET_VQUEUE of queue ${index} cannot be obeyed`);
      return;
    }
    this.#queues.set(index, next);
    // A request that was repeated because its response got lost is not a second set-up.
    const changes = !old.enabled || !sameParameters(old, next);
    if (next.enabled && changes) this.#model.setQueue({ index, ...next });
  }

  /** Split rings have sizes that are powers of two, and areas aligned for what is in them. */
  #shapeIsSound(next: QueueParameters): boolean {
    const packed = (this.#model.driverFeatures & F.RING_PACKED) !== 0n;
    const driverAlignment = packed ? 4 : 2;
    return (packed || isPowerOfTwo(next.size)) && areasAreExact(next, driverAlignment);
  }

  #resetQueue(index: number): void {
    const { driverFeatures } = this.#model;
    const byFlags = this.#revision.rules.queueEnable === 'byFlags';
    // v2: without RING_RESET the request changes nothing.
    if (byFlags && (driverFeatures & F.RING_RESET) === 0n) return;
    if (this.#model.queueSizeMax(index) === 0) return;
    this.#queues.delete(index);
    this.#model.resetQueue(index);
  }

  #decode(bytes: Uint8Array, length: number): StandardMessage | null {
    try {
      return this.#revision.codec.decode(bytes, length);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#violation('MALFORMED_MESSAGE', error.message);
      return null;
    }
  }

  #violation(
    code: 'MALFORMED_MESSAGE' | 'UNEXPECTED_MESSAGE' | 'ILLEGAL_STEP',
    text: string,
  ): void {
    this.#node.violations.report(code, `${this.#name}: ${text}`);
  }
}

function sameParameters(a: QueueParameters, b: QueueParameters): boolean {
  return (
    a.size === b.size &&
    a.descriptorArea === b.descriptorArea &&
    a.driverArea === b.driverArea &&
    a.deviceArea === b.deviceArea
  );
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/** Bus addresses are kept in doubles, exact below 2^53; rings start where their format says. */
function areasAreExact(
  { descriptorArea, driverArea, deviceArea }: QueueParameters,
  driverAlignment: number,
): boolean {
  return (
    Number.isSafeInteger(descriptorArea) &&
    Number.isSafeInteger(driverArea) &&
    Number.isSafeInteger(deviceArea) &&
    descriptorArea % 16 === 0 &&
    driverArea % driverAlignment === 0 &&
    deviceArea % 4 === 0
  );
}
