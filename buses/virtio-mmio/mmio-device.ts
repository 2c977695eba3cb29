// The register block of one virtio-mmio device, as the device model serves it.
import type {
  DeviceModel,
  DeviceTransport,
  DmaPort,
  QueueSetup,
  SharedRegion,
} from '../../platform/contracts/index.ts';
import { F, featureBlocks, withFeatureBlocks } from '../../platform/virtio/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import {
  INTERRUPT_CONFIG,
  INTERRUPT_USED,
  MAGIC,
  NO_REGION,
  registers as R,
  VERSION,
} from './registers.ts';

interface QueueRegisters {
  size: number;
  descriptor: number;
  driver: number;
  device: number;
  ready: boolean;
}

const TWO_32 = 2 ** 32;
/** Features that are reserved on this transport (§4.2.5), and not offered over it. */
const RESERVED_FEATURES = F.ADMIN_VQ;

/** Registers of the halves of a queue's addresses. */
const AREA_HALVES: ReadonlyMap<
  number,
  {
    readonly area: 'descriptor' | 'driver' | 'device';
    readonly set: (address: number, value: number) => number;
  }
> = new Map([
  [R.QueueDescLow.at, { area: 'descriptor', set: withLow }],
  [R.QueueDescHigh.at, { area: 'descriptor', set: withHigh }],
  [R.QueueDriverLow.at, { area: 'driver', set: withLow }],
  [R.QueueDriverHigh.at, { area: 'driver', set: withHigh }],
  [R.QueueDeviceLow.at, { area: 'device', set: withLow }],
  [R.QueueDeviceHigh.at, { area: 'device', set: withHigh }],
] as const);

export interface MmioDeviceOptions {
  readonly model: DeviceModel;
  readonly dma: DmaPort;
  /** Maps a region of the model's into the guest; returns its guest-physical address. */
  mapRegion?(region: SharedRegion): number;
  /** Raises the device's interrupt. */
  interrupt(): void;
  /** Told of an access that the block does not know, or not in this direction. */
  objected(text: string): void;
}

export class MmioDeviceTransport implements DeviceTransport {
  readonly dma: DmaPort;
  readonly #options: MmioDeviceOptions;
  readonly #queues = new Map<number, QueueRegisters>();
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;
  #shmSel = 0;
  /** By shmid. */
  readonly #regions = new Map<number, { readonly length: number; readonly base: number }>();
  #interruptStatus = 0;

  constructor(options: MmioDeviceOptions) {
    this.#options = options;
    this.dma = options.dma;
    options.model.connect(this);
    for (const region of options.model.regions ?? []) {
      const base = options.mapRegion!(region);
      this.#regions.set(region.shmid, { length: region.length, base });
    }
  }

  notifyUsed(): void {
    this.#raise(INTERRUPT_USED);
  }

  notifyConfig(): void {
    this.#raise(INTERRUPT_CONFIG);
  }

  /** Serves a load. */
  read(offset: number): number {
    const { model } = this.#options;
    if (offset >= R.Config.at) return this.#readConfig(offset - R.Config.at);
    switch (offset) {
      case R.MagicValue.at:
        return MAGIC;
      case R.Version.at:
        return VERSION;
      case R.DeviceID.at:
        return model.info.deviceId;
      case R.VendorID.at:
        return model.info.vendorId;
      case R.DeviceFeatures.at:
        return featureBlocks(model.features & ~RESERVED_FEATURES, this.#deviceFeaturesSel, 1)[0];
      case R.QueueSizeMax.at:
        return model.queueSizeMax(this.#queueSel);
      case R.QueueReady.at:
        return this.#queue().ready ? 1 : 0;
      case R.InterruptStatus.at:
        return this.#interruptStatus;
      case R.Status.at:
        return model.status;
      case R.QueueReset.at:
        return 0;
      case R.ConfigGeneration.at:
        return model.configGeneration;
      case R.SHMLenLow.at:
        return lowOf(this.#regions.get(this.#shmSel)?.length);
      case R.SHMLenHigh.at:
        return highOf(this.#regions.get(this.#shmSel)?.length);
      case R.SHMBaseLow.at:
        return lowOf(this.#regions.get(this.#shmSel)?.base);
      case R.SHMBaseHigh.at:
        return highOf(this.#regions.get(this.#shmSel)?.base);
      default:
        this.#object('read', offset);
        return 0;
    }
  }

  /** Serves a store of a register, or of 1 or 4 bytes of configuration. */
  write(offset: number, value: number, size = 4): void {
    const { model } = this.#options;
    if (offset >= R.Config.at) return this.#writeConfig(offset - R.Config.at, value, size);
    switch (offset) {
      case R.DeviceFeaturesSel.at:
        this.#deviceFeaturesSel = value;
        return;
      case R.DriverFeaturesSel.at:
        this.#driverFeaturesSel = value;
        return;
      case R.DriverFeatures.at: {
        const block = this.#driverFeaturesSel;
        return model.setDriverFeatures(withFeatureBlocks(model.driverFeatures, block, [value]));
      }
      case R.QueueSel.at:
        this.#queueSel = value;
        return;
      case R.SHMSel.at:
        this.#shmSel = value;
        return;
      case R.QueueNotify.at:
        return this.notified(value);
      case R.InterruptACK.at:
        this.#interruptStatus &= ~value;
        return;
      case R.Status.at:
        return this.#setStatus(value);
      default:
        this.#writeQueue(offset, value);
    }
  }

  /** A value written to QueueNotify, trapped or by ioeventfd. */
  notified(value: number): void {
    this.#options.model.available(value & 0xffff, value >>> 16);
  }

  #setStatus(status: number): void {
    if (status === 0) {
      this.#queues.clear();
      this.#interruptStatus = 0;
    }
    this.#options.model.setStatus(status);
  }

  #writeQueue(offset: number, value: number): void {
    const queue = this.#queue();
    const half = AREA_HALVES.get(offset);
    if (half !== undefined) queue[half.area] = half.set(queue[half.area], value);
    else if (offset === R.QueueSize.at) queue.size = value;
    else if (offset === R.QueueReady.at) this.#setReady(queue, value);
    else if (offset === R.QueueReset.at) {
      this.#queues.delete(this.#queueSel);
      this.#options.model.resetQueue(this.#queueSel);
    } else this.#object('write', offset);
  }

  #setReady(queue: QueueRegisters, value: number): void {
    const { model } = this.#options;
    queue.ready = value === 1;
    if (!queue.ready) return model.resetQueue(this.#queueSel);
    const setup: QueueSetup = {
      index: this.#queueSel,
      size: queue.size,
      descriptorArea: queue.descriptor,
      driverArea: queue.driver,
      deviceArea: queue.device,
    };
    model.setQueue(setup);
  }

  #queue(): QueueRegisters {
    const known = this.#queues.get(this.#queueSel);
    if (known !== undefined) return known;
    const queue = { size: 0, descriptor: 0, driver: 0, device: 0, ready: false };
    this.#queues.set(this.#queueSel, queue);
    return queue;
  }

  #readConfig(offset: number): number {
    const { model } = this.#options;
    const word = new Uint8Array(4);
    const length = Math.max(0, Math.min(4, model.info.configSize - offset));
    if (length > 0) model.readConfig(offset, word, 0, length);
    return (word[0] | (word[1] << 8) | (word[2] << 16) | (word[3] << 24)) >>> 0;
  }

  #writeConfig(offset: number, value: number, size: number): void {
    const { model } = this.#options;
    const bytes = new Uint8Array(4);
    writeU32(bytes, 0, value);
    const inside = offset + size <= model.info.configSize;
    if (!inside || !model.writeConfig(offset, bytes.subarray(0, size))) {
      this.#options.objected(`configuration byte ${offset} can't be written`);
    }
  }

  #raise(bits: number): void {
    this.#interruptStatus |= bits;
    this.#options.interrupt();
  }

  #object(verb: string, offset: number): void {
    this.#options.objected(`${verb} at 0x${offset.toString(16).padStart(3, '0')}`);
  }
}

/** Halves of what a register pair tells of a region; all ones without one. */
function lowOf(value: number | undefined): number {
  return value === undefined ? NO_REGION : value % TWO_32;
}

function highOf(value: number | undefined): number {
  return value === undefined ? NO_REGION : Math.floor(value / TWO_32);
}

function withLow(address: number, low: number): number {
  return Math.floor(address / TWO_32) * TWO_32 + low;
}

function withHigh(address: number, high: number): number {
  return (address % TWO_32) + high * TWO_32;
}
