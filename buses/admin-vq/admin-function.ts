// A device that is driven by commands, as a PCI function: its few registers, its doorbells, and the
// administration virtqueue through which everything else comes.
import type {
  AdminService,
  DeviceTransport,
  DmaPort,
  QueueSetup,
} from '../../platform/contracts/index.ts';
import {
  ConfigSpace,
  expressCapability,
  type FunctionModel,
  msixCapability,
  msixPendingOffset,
  type PcieFunction,
} from '../../platform/pcie/index.ts';
import { AdminCommands } from '../../platform/virtio/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import {
  CLASS_CODE,
  type DeviceFunctionOptions,
  doorbellNext,
  FunctionRegions,
  NO_VECTOR,
  numberOf,
  REGIONS_BAR,
  REVISION,
  VENDOR_ID,
} from '../virtio-pci/index.ts';
import { type CommandTarget, deviceCommands, ordinaryQueues } from './device-commands.ts';
import type { AdminVqOptions } from './options.ts';
import {
  ADMIN_QUEUE_SIZE_MAX,
  DEVICE_ID,
  DOORBELLS_START,
  FIRST_QUEUE_VECTOR,
  MAGIC,
  MSIX_BAR,
  registers as R,
  REGISTER_SIZE,
  REGISTERS_BAR,
  REGISTERS_BAR_SIZE,
  STATE,
} from './registers.ts';

/** Registers of the administration virtqueue, as the driver writes them before it makes it. */
const AREAS = {
  [R.QueueDescLow.at]: 'descriptorLow',
  [R.QueueDescHigh.at]: 'descriptorHigh',
  [R.QueueDriverLow.at]: 'driverLow',
  [R.QueueDriverHigh.at]: 'driverHigh',
  [R.QueueDeviceLow.at]: 'deviceLow',
  [R.QueueDeviceHigh.at]: 'deviceHigh',
} as const;

const UNSET = {
  descriptorLow: 0,
  descriptorHigh: 0,
  driverLow: 0,
  driverHigh: 0,
  deviceLow: 0,
  deviceHigh: 0,
};

export class AdminFunction implements FunctionModel, DeviceTransport, AdminService, CommandTarget {
  readonly own: PcieFunction;
  readonly dma: DmaPort;
  readonly #options: DeviceFunctionOptions<AdminVqOptions>;
  readonly #commands: AdminCommands;
  readonly #vectors: number;
  readonly #regions: FunctionRegions;
  /** No other queue has this index. */
  readonly #adminQueue: number;
  /** Vectors of queues that there are. */
  readonly #queueVectors = new Map<number, number>();
  #configVector: number = NO_VECTOR;
  #state: number = STATE.RESET;
  #size = 0;
  #vector: number = NO_VECTOR;
  #areas = { ...UNSET };

  constructor(options: DeviceFunctionOptions<AdminVqOptions>) {
    this.#options = options;
    const { endpoint, functionId, model } = options;
    this.#adminQueue = model.info.queuesMax;
    this.#vectors = FIRST_QUEUE_VECTOR + ordinaryQueues(model);
    this.#commands = new AdminCommands(deviceCommands(model, this));
    this.#regions = new FunctionRegions(options.node, model);
    const config = configSpace(options, this.#vectors, this.#regions);
    this.own = endpoint.addFunction(functionId, { config, model: this, vectors: this.#vectors });
    this.dma = endpoint.dmaOf(this.own);
    model.connect(this);
  }

  notifyUsed(queue: number): void {
    const isAdmin = queue === this.#adminQueue;
    this.#raise(isAdmin ? this.#vector : (this.#queueVectors.get(queue) ?? NO_VECTOR));
  }

  notifyConfig(): void {
    this.#raise(this.#configVector);
  }

  execute(command: Uint8Array): Uint8Array {
    return this.#commands.execute(command);
  }

  /** The driver finds out when it has waited long enough. */
  broken(): void {
    this.#state = STATE.FAILED;
  }

  setConfigVector(vector: number): boolean {
    if (!this.#has(vector)) return false;
    this.#configVector = vector;
    return true;
  }

  createQueue(setup: QueueSetup, vector: number): number {
    const { model } = this.#options;
    const { index } = setup;
    if (!this.#has(vector) || this.#queueVectors.has(index)) return -1;
    model.setQueue(setup);
    if (model.queueSetup(index) === null) return -1;
    this.#queueVectors.set(index, vector);
    return DOORBELLS_START + index * REGISTER_SIZE;
  }

  destroyQueue(index: number): boolean {
    if (!this.#queueVectors.delete(index)) return false;
    this.#options.model.resetQueue(index);
    return true;
  }

  readBar(bar: number, offset: number, target: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.readTable(offset, target, length);
    if (bar === REGIONS_BAR) return this.#regions.read(offset, target, length);
    target.fill(0, 0, length);
    if (length === REGISTER_SIZE) writeU32(target, 0, this.#read(offset));
    else this.#options.objected(`${length} bytes read at ${offset}`);
  }

  writeBar(bar: number, offset: number, source: Uint8Array, length: number): void {
    if (bar === MSIX_BAR) return this.own.interrupts.writeTable(offset, source, length);
    if (bar === REGIONS_BAR) return this.#regions.write(offset, source, length);
    if (offset >= DOORBELLS_START) {
      const queue = (offset - DOORBELLS_START) / REGISTER_SIZE;
      if (this.#queueVectors.has(queue))
        this.#options.notified(queue, doorbellNext(source, length));
      else this.#options.objected(`the doorbell of queue ${queue}, which was not created`);
    } else this.#write(offset, numberOf(source, length));
  }

  claims(bar: number, offset: number, length: number): boolean {
    return bar !== REGIONS_BAR || this.#regions.claims(offset, length);
  }

  /** Power-on, a function-level reset, or RESET written to State. */
  reset(): void {
    const { model } = this.#options;
    this.#queueVectors.clear();
    this.#configVector = NO_VECTOR;
    this.#size = 0;
    this.#vector = NO_VECTOR;
    this.#areas = { ...UNSET };
    this.#commands.reset();
    this.#state = STATE.RESETTING;
    model.serveAdminQueue(null, this);
    model.setStatus(0);
  }

  #read(offset: number): number {
    switch (offset) {
      case R.Magic.at:
        return MAGIC;
      case R.QueueSizeMax.at:
        return ADMIN_QUEUE_SIZE_MAX;
      case R.State.at:
        return this.#currentState();
      case R.QueueVector.at:
        return this.#vector;
      default:
        this.#options.objected(`a read at ${offset}`);
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const area = (AREAS as Readonly<Record<number, keyof typeof UNSET>>)[offset];
    if (area !== undefined) {
      this.#areas[area] = value;
      return;
    }
    switch (offset) {
      case R.State.at:
        return this.#writeState(value);
      case R.QueueSize.at:
        this.#size = value;
        return;
      case R.QueueVector.at:
        this.#vector = this.#has(value) ? value : NO_VECTOR;
        return;
      case R.QueueNotify.at:
        return this.#notifyAdmin();
      default:
        this.#options.objected(`a write at ${offset}`);
    }
  }

  /** A reset is over when the device says so. */
  #currentState(): number {
    if (this.#state === STATE.RESETTING && this.#options.model.status === 0) {
      this.#state = STATE.RESET;
    }
    return this.#state;
  }

  #writeState(value: number): void {
    if (value === STATE.RESET) return this.reset();
    const size = this.#size;
    const sizeAllowed = size > 0 && size <= ADMIN_QUEUE_SIZE_MAX && (size & (size - 1)) === 0;
    if (value !== STATE.READY || this.#currentState() !== STATE.RESET || !sizeAllowed) {
      return this.#options.objected(
        `State written with ${value}, the queue having ${size} entries`,
      );
    }
    const areas = this.#areas;
    this.#state = STATE.READY;
    const setup: QueueSetup = {
      index: this.#adminQueue,
      size,
      descriptorArea: areas.descriptorLow + areas.descriptorHigh * 2 ** 32,
      driverArea: areas.driverLow + areas.driverHigh * 2 ** 32,
      deviceArea: areas.deviceLow + areas.deviceHigh * 2 ** 32,
    };
    this.#options.model.serveAdminQueue(setup, this);
  }

  #notifyAdmin(): void {
    if (this.#state === STATE.READY) return this.#options.notified(this.#adminQueue, 0);
    this.#options.objected('a notification of the administration virtqueue, which is not there');
  }

  #has(vector: number): boolean {
    return vector < this.#vectors;
  }

  #raise(vector: number): void {
    if (vector !== NO_VECTOR) this.own.interrupts.raise(vector);
  }
}

function configSpace(
  { path, model }: DeviceFunctionOptions<AdminVqOptions>,
  vectors: number,
  regions: FunctionRegions,
): ConfigSpace {
  const tableSize = 2 * msixPendingOffset(vectors);
  return new ConfigSpace({
    identity: {
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID,
      revision: REVISION,
      classCode: CLASS_CODE,
      subsystemVendorId: VENDOR_ID,
      subsystemId: model.info.deviceId,
    },
    bars: [
      { index: REGISTERS_BAR, size: REGISTERS_BAR_SIZE, wide: false, prefetchable: false },
      { index: MSIX_BAR, size: tableSize, wide: false, prefetchable: false },
      ...regions.bar(REGIONS_BAR),
    ],
    capabilities: [
      ...regions.capabilities,
      expressCapability(path),
      msixCapability(vectors, MSIX_BAR),
    ],
  });
}
