// What a driver does with the registers of virtio over PCI for each operation that is asked of it, as
// scripts of accesses (virtio 1.4 §4.1.5).
import type { QueueSetup, TransportReply } from '../../platform/contracts/index.ts';
import type { Access, ProbedFunction, Script } from '../../platform/pcie/index.ts';
import { CAPABILITY_ID, capabilitiesOf } from '../../platform/pcie/index.ts';
import { F, featureBlocks, withFeatureBlocks } from '../../platform/virtio/index.ts';
import { readU32 } from '../../platform/wire/index.ts';
import {
  CAPABILITY_SIZE,
  type CommonField,
  DEVICE_ID_BASE,
  fieldPlace,
  NO_VECTOR,
  StructureType,
  structureCapability,
} from './structures.ts';

/** Where the structures of a function are, as addresses. */
export interface Structures {
  readonly common: number;
  readonly isr: number;
  readonly notify: number;
  readonly notifyMultiplier: number;
  readonly device: number;
  readonly configSize: number;
}

/** Config reads that see a changing generation are started again this often at the most. */
const CONFIG_RESTARTS_MAX = 8;
const FEATURE_BLOCKS = 2;

/** Finds the structures by the function's capabilities; null when one that must be is missing. */
export function structuresOf({ bars, capabilities }: ProbedFunction): Structures | null {
  const found = new Map<number, { address: number; size: number; multiplier: number }>();
  for (const { bytes } of capabilitiesOf(capabilities, CAPABILITY_ID.vendor)) {
    const { type, bar, offset, size, length } = structureCapability.decode(
      bytes,
      2,
      bytes.length - 2,
    );
    const place = bars.get(bar);
    // The first of each type is the one that the device prefers.
    if (place === undefined || found.has(type)) continue;
    const multiplier = length > CAPABILITY_SIZE ? readU32(bytes, CAPABILITY_SIZE) : 0;
    found.set(type, { address: place.address + offset, size, multiplier });
  }
  const common = found.get(StructureType.COMMON);
  const isr = found.get(StructureType.ISR);
  const notify = found.get(StructureType.NOTIFY);
  if (common === undefined || isr === undefined || notify === undefined) return null;
  const device = found.get(StructureType.DEVICE);
  return {
    common: common.address,
    isr: isr.address,
    notify: notify.address,
    notifyMultiplier: notify.multiplier,
    device: device?.address ?? 0,
    configSize: device?.size ?? 0,
  };
}

/** The operations on one function. */
export class DriverScripts {
  readonly #structures: Structures;
  readonly #found: ProbedFunction;
  /** ADMIN_VQ was taken: the registers that speak of it count. */
  #hasAdmin = false;
  /** NOTIF_CONFIG_DATA was taken: queues have names, which are asked for. */
  #asksNames = false;
  readonly #names = new Map<number, number>();

  constructor(structures: Structures, found: ProbedFunction) {
    this.#structures = structures;
    this.#found = found;
  }

  *getInfo(): Script<TransportReply> {
    const queues = yield this.#load('numQueues');
    const adminStart = this.#hasAdmin ? yield this.#load('adminQueueIndex') : 0;
    const adminCount = this.#hasAdmin ? yield this.#load('adminQueueNum') : 0;
    const info = {
      deviceId: this.#found.deviceId - DEVICE_ID_BASE,
      vendorId: this.#found.vendorId,
      featureBlocks: FEATURE_BLOCKS,
      configSize: this.#structures.configSize,
      queuesMax: Math.max(queues, adminStart + adminCount),
      adminStart,
      adminCount,
    };
    return { type: 'reply.info', info };
  }

  *getFeatures(): Script<TransportReply> {
    let features = 0n;
    for (let block = 0; block < FEATURE_BLOCKS; block++) {
      yield this.#store('deviceFeatureSelect', block);
      features = withFeatureBlocks(features, block, [yield this.#load('deviceFeature')]);
    }
    return { type: 'reply.features', features };
  }

  *setFeatures(features: bigint): Script<TransportReply> {
    this.#hasAdmin = (features & F.ADMIN_VQ) !== 0n;
    this.#asksNames = (features & F.NOTIF_CONFIG_DATA) !== 0n;
    this.#names.clear();
    for (let block = 0; block < FEATURE_BLOCKS; block++) {
      yield this.#store('driverFeatureSelect', block);
      yield this.#store('driverFeature', featureBlocks(features, block, 1)[0]);
    }
    return { type: 'reply.featuresSet' };
  }

  *getStatus(): Script<TransportReply> {
    return { type: 'reply.status', status: yield this.#load('deviceStatus') };
  }

  /** Writes the status and reads what has become of it; a reset is over when 0 is read. */
  *setStatus(status: number): Script<TransportReply> {
    yield this.#store('deviceStatus', status);
    let now = yield this.#load('deviceStatus');
    // All ones are read where there is no device any more.
    while (status === 0 && now !== 0 && now !== 0xff) now = yield this.#load('deviceStatus');
    return { type: 'reply.status', status: now };
  }

  /** Reads configuration bytes that belong together. */
  *getConfig(offset: number, length: number): Script<TransportReply> {
    const data = new Uint8Array(length);
    for (let restarts = 0; restarts <= CONFIG_RESTARTS_MAX; restarts++) {
      const before = yield this.#load('configGeneration');
      for (let done = 0; done < length; ) {
        const size = accessSize(offset + done, length - done);
        const address = this.#structures.device + offset + done;
        const value = yield { type: 'load', address, size };
        for (let i = 0; i < size; i++) data[done + i] = Math.floor(value / 256 ** i);
        done += size;
      }
      const after = yield this.#load('configGeneration');
      if (after === before) return { type: 'reply.config', data };
    }
    return { type: 'reply.failed', reason: 'the configuration never stood still' };
  }

  /** There is no way for the device to refuse. */
  *setConfig(offset: number, data: Uint8Array): Script<TransportReply> {
    for (let done = 0; done < data.length; ) {
      const size = accessSize(offset + done, data.length - done);
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + data[done + i];
      const address = this.#structures.device + offset + done;
      yield { type: 'store', address, size, value };
      done += size;
    }
    return { type: 'reply.configSet', applied: true };
  }

  *getQueue(index: number): Script<TransportReply> {
    yield this.#store('queueSelect', index);
    const sizeMax = yield this.#load('queueSize');
    const enabled = yield this.#load('queueEnable');
    return { type: 'reply.queue', index, sizeMax, size: enabled === 1 ? sizeMax : 0 };
  }

  /** Sets a queue up; `vector` is its place in the MSI-X table, or null without. */
  *setQueue(setup: QueueSetup, vector: number | null): Script<TransportReply> {
    const { index, size } = setup;
    yield this.#store('queueSelect', index);
    yield this.#store('queueSize', size);
    if (vector !== null) {
      yield this.#store('queueMsixVector', vector);
      if ((yield this.#load('queueMsixVector')) === NO_VECTOR) {
        return { type: 'reply.failed', reason: `queue ${index} was given no vector` };
      }
    }
    yield* this.#storeAddress('queueDesc', setup.descriptorArea);
    yield* this.#storeAddress('queueDriver', setup.driverArea);
    yield* this.#storeAddress('queueDevice', setup.deviceArea);
    if (this.#asksNames) this.#names.set(index, yield this.#load('queueNotifConfigData'));
    yield this.#store('queueEnable', 1);
    return { type: 'reply.queueSet', index };
  }

  *resetQueue(index: number): Script<TransportReply> {
    yield this.#store('queueSelect', index);
    yield this.#store('queueReset', 1);
    while ((yield this.#load('queueReset')) === 1) {
      // The device has not stopped yet.
    }
    return { type: 'reply.queueReset', index };
  }

  /** Gives configuration changes their vector. */
  *setConfigVector(vector: number): Script<boolean> {
    yield this.#store('configMsixVector', vector);
    return (yield this.#load('configMsixVector')) !== NO_VECTOR;
  }

  /** Reads why INTx was raised, which lowers it. */
  *readIsr(): Script<number> {
    return yield { type: 'load', address: this.#structures.isr, size: 1 };
  }

  *readStatus(): Script<number> {
    return yield this.#load('deviceStatus');
  }

  /** Where a queue is notified. Its notification offset is its index, which the device says as well. */
  notifyAddress(queue: number): number {
    return this.#structures.notify + queue * this.#structures.notifyMultiplier;
  }

  /** What a notification calls a queue: its index, unless the device has said otherwise. */
  nameOf(queue: number): number {
    return this.#names.get(queue) ?? queue;
  }

  #load(field: CommonField): Access {
    const { at, width } = fieldPlace(field);
    return { type: 'load', address: this.#structures.common + at, size: width as 1 | 2 | 4 };
  }

  #store(field: CommonField, value: number): Access {
    const { at, width } = fieldPlace(field);
    const size = width as 1 | 2 | 4;
    return { type: 'store', address: this.#structures.common + at, size, value };
  }

  /** 64-bit fields are written as two halves. */
  *#storeAddress(field: CommonField, address: number): Script<void> {
    const at = this.#structures.common + fieldPlace(field).at;
    yield { type: 'store', address: at, size: 4, value: address % 2 ** 32 };
    yield { type: 'store', address: at + 4, size: 4, value: Math.floor(address / 2 ** 32) };
  }
}

/** The widest access that is aligned and not too long. */
function accessSize(offset: number, left: number): 1 | 2 | 4 {
  if (offset % 4 === 0 && left >= 4) return 4;
  return offset % 2 === 0 && left >= 2 ? 2 : 1;
}
