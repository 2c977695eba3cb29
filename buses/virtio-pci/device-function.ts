// One virtio device as a PCI function: the structures that its driver reads and writes, and the vectors
// that it signals.
import type { DeviceTransport, DmaPort } from '../../platform/contracts/index.ts';
import type { FunctionModel, PcieFunction } from '../../platform/pcie/index.ts';
import { F, featureBlocks, STATUS, withFeatureBlocks } from '../../platform/virtio/index.ts';
import { readU16, readU32, writeU32 } from '../../platform/wire/index.ts';
import type { DeviceFunctionOptions } from './device-end.ts';
import { doorbellNext, nameOfQueue, numberOf, queueOfName } from './doorbell.ts';
import { functionConfig, pciCfgCapability } from './function-config.ts';
import { FunctionRegions } from './function-regions.ts';
import type { VirtioPciOptions } from './options.ts';
import {
  CAPABILITY_SIZE,
  COMMON_SIZE,
  COMMON_START,
  commonConfig,
  DEVICE_START,
  fieldPlace,
  ISR,
  ISR_START,
  MSIX_BAR,
  NO_VECTOR,
  NOTIFY_START,
  PAGE,
  REGIONS_BAR,
  structureCapability,
} from './structures.ts';

interface QueueRegisters {
  size: number;
  vector: number;
  enabled: boolean;
  descriptor: number;
  driver: number;
  device: number;
}

interface BarAccess {
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
}

type StructureField = keyof typeof structureCapability.layout & string;

const AT = {
  deviceFeatureSelect: fieldPlace('deviceFeatureSelect').at,
  driverFeatureSelect: fieldPlace('driverFeatureSelect').at,
  driverFeature: fieldPlace('driverFeature').at,
  configMsixVector: fieldPlace('configMsixVector').at,
  deviceStatus: fieldPlace('deviceStatus').at,
  queueSelect: fieldPlace('queueSelect').at,
  queueSize: fieldPlace('queueSize').at,
  queueMsixVector: fieldPlace('queueMsixVector').at,
  queueEnable: fieldPlace('queueEnable').at,
  queueDesc: fieldPlace('queueDesc').at,
  queueDriver: fieldPlace('queueDriver').at,
  queueDevice: fieldPlace('queueDevice').at,
  queueReset: fieldPlace('queueReset').at,
} as const;

export class DeviceFunction implements FunctionModel, DeviceTransport {
  readonly own: PcieFunction;
  readonly dma: DmaPort;
  readonly #options: DeviceFunctionOptions<VirtioPciOptions>;
  readonly #queues = new Map<number, QueueRegisters>();
  readonly #common = new Uint8Array(COMMON_SIZE);
  /** Features that are the function's own, and those of them that the driver has accepted. */
  readonly #ownFeatures: bigint;
  #ownAccepted = 0n;
  readonly #vectors: number;
  readonly #regions: FunctionRegions;
  /** Where the capability of type PCI_CFG is. */
  readonly #pciCfg: number;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #queueSelect = 0;
  #configVector = NO_VECTOR;
  #isr = 0;

  constructor(options: DeviceFunctionOptions<VirtioPciOptions>) {
    this.#options = options;
    const { endpoint, functionId, model, path } = options;
    this.#ownFeatures = options.options.notifConfigData ? F.NOTIF_CONFIG_DATA : 0n;
    this.#vectors = model.info.queuesMax + 1;
    const pciCfg = pciCfgCapability();
    const plan = { path, options: options.options, info: model.info, vectors: this.#vectors };
    this.#regions = new FunctionRegions(options.node, model);
    const config = functionConfig({ ...plan, pciCfg, regions: this.#regions });
    this.#pciCfg = config.placeOf(pciCfg);
    this.own = endpoint.addFunction(functionId, { config, model: this, vectors: this.#vectors });
    this.dma = endpoint.dmaOf(this.own);
    model.connect(this);
  }

  notifyUsed(queue: number): void {
    this.#signal(ISR.QUEUE, this.#queues.get(queue)?.vector ?? NO_VECTOR);
  }

  notifyConfig(): void {
    this.#signal(ISR.CONFIG, this.#configVector);
  }

  readBar(bar: number, offset: number, target: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.readTable(offset, target, length);
    if (bar === REGIONS_BAR) return this.#regions.read(offset, target, length);
    target.fill(0, 0, length);
    const at = offset % PAGE;
    switch (offset - at) {
      case COMMON_START:
        return this.#readCommon(at, target, length);
      case ISR_START:
        target[0] = this.#isr;
        this.#isr = 0;
        return this.own.interrupts.lower();
      case DEVICE_START:
        return this.#options.model.readConfig(at, target, 0, length);
    }
  }

  writeBar(bar: number, offset: number, source: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.writeTable(offset, source, length);
    if (bar === REGIONS_BAR) return this.#regions.write(offset, source, length);
    const at = offset % PAGE;
    switch (offset - at) {
      case COMMON_START:
        return this.#writeCommon(at, numberOf(source, length));
      case DEVICE_START:
        this.#options.model.writeConfig(at, source.slice(0, length));
        return;
      case NOTIFY_START:
        return this.#notified(readU16(source, 0), doorbellNext(source, length));
    }
  }

  claims(bar: number, offset: number, length: number): boolean {
    return bar !== REGIONS_BAR || this.#regions.claims(offset, length);
  }

  #notified(name: number, next: number): void {
    const queue = this.#ownAccepted === 0n ? name : queueOfName(name);
    if (queue >= 0) return this.#options.notified(queue, next);
    this.#options.objected(`a notification of 0x${name.toString(16)}, which is no queue`);
  }

  /** A read of the data of PCI_CFG is one of the BAR that it names. */
  readingConfig(offset: number, size: number): void {
    const access = this.#pciCfgAccess(offset, size);
    if (access === null) return;
    const word = new Uint8Array(4);
    this.readBar(access.bar, access.offset, word, access.length);
    this.own.config.set32(this.#pciCfg + CAPABILITY_SIZE, readU32(word, 0));
  }

  /** The same for a write. */
  configWritten(offset: number, size: number): void {
    const access = this.#pciCfgAccess(offset, size);
    if (access === null) return;
    const word = new Uint8Array(4);
    writeU32(word, 0, this.own.config.get32(this.#pciCfg + CAPABILITY_SIZE));
    this.writeBar(access.bar, access.offset, word, access.length);
  }

  /** The access to a BAR that one of these bytes of configuration space is, or null (§4.1.4.9). */
  #pciCfgAccess(offset: number, size: number): BarAccess | null {
    const data = this.#pciCfg + CAPABILITY_SIZE;
    if (offset >= data + 4 || offset + size <= data) return null;
    const { config } = this.own;
    const field = (name: StructureField) => this.#pciCfg + 2 + structureCapability.offsetOf(name);
    const bar = config.read(field('bar'), 1);
    const at = config.get32(field('offset'));
    const length = config.get32(field('size'));
    const plan = config.plan.bars.find(({ index }) => index === bar);
    const isSound = [1, 2, 4].includes(length) && at % length === 0;
    if (plan === undefined || !isSound || at + length > plan.size) return null;
    if (!this.claims(bar, at, length)) return null;
    return { bar, offset: at, length };
  }

  /** Power-on, or a function-level reset. */
  reset(): void {
    this.#setStatus(0);
  }

  #signal(bit: number, vector: number): void {
    const { interrupts } = this.#options.options;
    if (interrupts === 'intx') {
      this.#isr |= bit;
      this.own.interrupts.raise(0);
    } else if (vector !== NO_VECTOR) this.own.interrupts.raise(vector);
  }

  #readCommon(at: number, target: Uint8Array, length: number): void {
    const { model } = this.#options;
    const index = this.#queueSelect;
    const queue = this.#queues.get(index);
    const sizeMax = model.queueSizeMax(index);
    const { queuesMax, adminStart, adminCount } = model.info;
    // Where they are is told only to drivers that have taken the feature.
    const hasAdmin = (model.driverFeatures & F.ADMIN_VQ) !== 0n;
    const value = {
      deviceFeatureSelect: this.#deviceFeatureSelect,
      deviceFeature: featureBlocks(
        model.features | this.#ownFeatures,
        this.#deviceFeatureSelect,
        1,
      )[0],
      driverFeatureSelect: this.#driverFeatureSelect,
      driverFeature: featureBlocks(this.#accepted, this.#driverFeatureSelect, 1)[0],
      configMsixVector: this.#configVector,
      numQueues: queuesMax - adminCount,
      deviceStatus: model.status,
      configGeneration: model.configGeneration & 0xff,
      queueSelect: index,
      queueSize: queue?.size ?? sizeMax,
      queueMsixVector: queue?.vector ?? NO_VECTOR,
      queueEnable: queue?.enabled ? 1 : 0,
      queueNotifyOff: index,
      queueDesc: BigInt(queue?.descriptor ?? 0),
      queueDriver: BigInt(queue?.driver ?? 0),
      queueDevice: BigInt(queue?.device ?? 0),
      queueNotifConfigData: this.#ownAccepted === 0n ? 0 : nameOfQueue(index),
      queueReset: 0,
      adminQueueIndex: hasAdmin ? adminStart : 0,
      adminQueueNum: hasAdmin ? adminCount : 0,
    };
    commonConfig.encode(value, this.#common, 0);
    for (let i = 0; i < length; i++) target[i] = this.#common[at + i] ?? 0;
  }

  #writeCommon(at: number, value: number): void {
    switch (at) {
      case AT.deviceFeatureSelect:
        this.#deviceFeatureSelect = value;
        return;
      case AT.driverFeatureSelect:
        this.#driverFeatureSelect = value;
        return;
      case AT.driverFeature: {
        const block = this.#driverFeatureSelect;
        return this.#accept(withFeatureBlocks(this.#accepted, block, [value]));
      }
      case AT.configMsixVector:
        this.#configVector = this.#grant(value);
        return;
      case AT.deviceStatus:
        return this.#setStatus(value);
      case AT.queueSelect:
        this.#queueSelect = value;
        return;
      default:
        this.#writeQueue(at, value);
    }
  }

  get #accepted(): bigint {
    return this.#options.model.driverFeatures | this.#ownAccepted;
  }

  /** The model knows nothing of features that are the function's own. */
  #accept(features: bigint): void {
    const { model } = this.#options;
    // Like all others they are settled by FEATURES_OK.
    if ((model.status & STATUS.FEATURES_OK) === 0) {
      this.#ownAccepted = features & this.#ownFeatures;
    }
    model.setDriverFeatures(features & ~this.#ownFeatures);
  }

  #writeQueue(at: number, value: number): void {
    const queue = this.#queue();
    switch (at) {
      case AT.queueSize:
        queue.size = value;
        return;
      case AT.queueMsixVector:
        queue.vector = this.#grant(value);
        return;
      case AT.queueDesc:
      case AT.queueDesc + 4:
        queue.descriptor = withHalf(queue.descriptor, at === AT.queueDesc, value);
        return;
      case AT.queueDriver:
      case AT.queueDriver + 4:
        queue.driver = withHalf(queue.driver, at === AT.queueDriver, value);
        return;
      case AT.queueDevice:
      case AT.queueDevice + 4:
        queue.device = withHalf(queue.device, at === AT.queueDevice, value);
        return;
      case AT.queueEnable:
        return this.#enable(queue, value);
      case AT.queueReset:
        if (value === 1) this.#resetQueue();
        return;
      default:
        this.#options.objected(`a write at ${at} of the common configuration`);
    }
  }

  /** A queue can be enabled, but disabled only by a reset. */
  #enable(queue: QueueRegisters, value: number): void {
    if (value !== 1) return this.#options.objected('queue_enable was written with another value');
    queue.enabled = true;
    this.#options.model.setQueue({
      index: this.#queueSelect,
      size: queue.size,
      descriptorArea: queue.descriptor,
      driverArea: queue.driver,
      deviceArea: queue.device,
    });
  }

  #resetQueue(): void {
    this.#queues.delete(this.#queueSelect);
    this.#options.model.resetQueue(this.#queueSelect);
  }

  #setStatus(status: number): void {
    if (status === 0) {
      this.#queues.clear();
      this.#deviceFeatureSelect = 0;
      this.#driverFeatureSelect = 0;
      this.#queueSelect = 0;
      this.#configVector = NO_VECTOR;
      this.#isr = 0;
      this.#ownAccepted = 0n;
    }
    this.#options.model.setStatus(status);
  }

  /** A vector that is not in the table cannot be had; the driver reads that back. */
  #grant(vector: number): number {
    return vector < this.#vectors ? vector : NO_VECTOR;
  }

  #queue(): QueueRegisters {
    const index = this.#queueSelect;
    const known = this.#queues.get(index);
    if (known !== undefined) return known;
    const size = this.#options.model.queueSizeMax(index);
    const areas = { descriptor: 0, driver: 0, device: 0 };
    const queue = { size, vector: NO_VECTOR, enabled: false, ...areas };
    // Queues that are not there have registers that forget.
    if (size > 0) this.#queues.set(index, queue);
    return queue;
  }
}

function withHalf(address: number, low: boolean, value: number): number {
  const high = Math.floor(address / 2 ** 32);
  return low ? high * 2 ** 32 + value : value * 2 ** 32 + (address % 2 ** 32);
}
