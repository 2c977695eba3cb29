// The driver's side of one virtio-mmio device: each operation as the register accesses it is made of.
import type {
  DriverTransport,
  QueueSetup,
  RegionMap,
  RegionMapClient,
  RegionPort,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { F } from '../../platform/virtio/index.ts';
import { readU32 } from '../../platform/wire/index.ts';
import { REGION_WINDOW } from '../common/index.ts';
import {
  CONFIG_SIZE,
  INTERRUPT_CONFIG,
  INTERRUPT_USED,
  MAGIC,
  NO_REGION,
  type RegisterName,
  registers,
  VERSION,
} from './registers.ts';

/** Blocks of features that are looked at; no feature is beyond them. */
const FEATURE_BLOCKS = 2;
/** Config reads that see a changing generation are started again this often at the most. */
const CONFIG_RESTARTS_MAX = 8;
/** What virtio-mmio can't tell of a device; its driver finds out queue by queue. */
const QUEUES_MAX = 65536;
const TWO_32 = 2 ** 32;

/** How a driver gets at registers, one access after another. */
export interface RegisterPort {
  /** Loads the register, or `size` bytes of configuration, 4 unless told. */
  read(device: number, offset: number, done: (value: number) => void, size?: number): void;
  /** Stores a register of 4 bytes. */
  write(device: number, offset: number, value: number, done?: () => void): void;
  /** Stores one byte, as only configuration space takes it. */
  writeByte(device: number, offset: number, value: number, done: () => void): void;
  /** Writes a register whose write nobody has to wait for. */
  signal(device: number, offset: number, value: number): void;
}

export interface MmioDriverOptions {
  readonly node: Node;
  readonly port: RegisterPort;
  /** What MagicValue has to be. */
  readonly magic?: number;
  /** Configuration is read in accesses that end where the wanted bytes do, not in whole words. */
  readonly exactConfig?: boolean;
  /** Number of the device's window. */
  readonly device: number;
  /** Notifications need not be waited for. */
  readonly ioeventfd: boolean;
  /** Regions that device models map into the guest; none when left out. */
  readonly regions?: RegionMap;
}

export class MmioDriverTransport implements DriverTransport, RegionMapClient {
  readonly impossible = F.NOTIF_CONFIG_DATA;
  readonly #options: MmioDriverOptions;
  #listener: TransportListener | null = null;
  /** An operation is being made of accesses. */
  #underWay = false;
  /** It is one of before the window was gone. */
  #isForgotten = false;
  /** The window is there again, as soon as that operation has come to its end. */
  #starts = false;
  /** Queues that were set up; an interrupt may be for any of them. */
  readonly #queues = new Set<number>();
  /** The region that is being mapped. */
  #region = { shmid: 0, length: 0 };

  constructor(options: MmioDriverOptions) {
    this.#options = options;
  }

  connect(listener: TransportListener): void {
    this.#listener = listener;
  }

  /** The window is there; nothing else announces it. */
  start(): void {
    this.#starts = this.#isForgotten;
    if (!this.#isForgotten) this.#listener!.online();
  }

  /** The window is gone, until it is there again; whatever comes of the operation under way is nothing. */
  stop(reason: string): void {
    this.#isForgotten = this.#underWay;
    this.#starts = false;
    this.#options.regions?.unmap(this.#options.device);
    this.#listener!.offline(reason);
  }

  getInfo(): void {
    this.#underWay = true;
    this.#readAll(
      ['MagicValue', 'Version', 'DeviceID', 'VendorID'],
      ([magic, version, id, vendor]) => {
        if (magic !== (this.#options.magic ?? MAGIC) || version !== VERSION || id === 0) {
          return this.#reply({ type: 'reply.failed', reason: 'no virtio-mmio device is there' });
        }
        const info = {
          deviceId: id,
          vendorId: vendor,
          featureBlocks: FEATURE_BLOCKS,
          configSize: CONFIG_SIZE,
          queuesMax: QUEUES_MAX,
          adminStart: 0,
          adminCount: 0,
        };
        this.#reply({ type: 'reply.info', info });
      },
    );
  }

  getFeatures(): void {
    this.#underWay = true;
    this.#write('DeviceFeaturesSel', 0);
    this.#read('DeviceFeatures', (low) => {
      this.#write('DeviceFeaturesSel', 1);
      this.#read('DeviceFeatures', (high) => {
        const features = BigInt(low) | (BigInt(high) << 32n);
        this.#reply({ type: 'reply.features', features });
      });
    });
  }

  setFeatures(features: bigint): void {
    this.#underWay = true;
    for (let block = 0; block < FEATURE_BLOCKS; block++) {
      this.#write('DriverFeaturesSel', block);
      const value = Number((features >> BigInt(32 * block)) & 0xffff_ffffn);
      const last = block === FEATURE_BLOCKS - 1;
      this.#write('DriverFeatures', value, () => {
        if (last) this.#reply({ type: 'reply.featuresSet' });
      });
    }
  }

  getStatus(): void {
    this.#underWay = true;
    this.#read('Status', (status) => this.#reply({ type: 'reply.status', status }));
  }

  setStatus(status: number): void {
    this.#underWay = true;
    if (status === 0) {
      this.#queues.clear();
      this.#options.regions?.unmap(this.#options.device);
    }
    this.#write('Status', status);
    if (status === 0) this.#awaitReset();
    else this.getStatus();
  }

  /** A reset is over when 0 is read (§2.4.2). */
  #awaitReset(): void {
    this.#read('Status', (status) => {
      if (status === 0) this.#reply({ type: 'reply.status', status });
      else this.#awaitReset();
    });
  }

  getConfig(offset: number, length: number): void {
    this.#underWay = true;
    this.#readConfig(offset, length, 0);
  }

  /** Whole words where they are aligned, so that a field of 4 bytes changes at once. */
  setConfig(offset: number, data: Uint8Array): void {
    this.#underWay = true;
    const { port, device } = this.#options;
    for (let i = 0; i < data.length; ) {
      const at = registers.Config.at + offset + i;
      const asWord = at % 4 === 0 && data.length - i >= 4;
      const last = i + (asWord ? 4 : 1) === data.length;
      // The register block has no way to refuse a write.
      const done = () => {
        if (last) this.#reply({ type: 'reply.configSet', applied: true });
      };
      if (asWord) port.write(device, at, readU32(data, i), done);
      else port.writeByte(device, at, data[i], done);
      i += asWord ? 4 : 1;
    }
  }

  getQueue(index: number): void {
    this.#underWay = true;
    this.#write('QueueSel', index);
    this.#readAll(['QueueSizeMax', 'QueueReady'], ([sizeMax, ready]) =>
      this.#reply({ type: 'reply.queue', index, sizeMax, size: ready === 1 ? sizeMax : 0 }),
    );
  }

  setQueue({ index, size, descriptorArea, driverArea, deviceArea }: QueueSetup): void {
    this.#underWay = true;
    this.#write('QueueSel', index);
    this.#write('QueueSize', size);
    this.#writeAddress('QueueDescLow', 'QueueDescHigh', descriptorArea);
    this.#writeAddress('QueueDriverLow', 'QueueDriverHigh', driverArea);
    this.#writeAddress('QueueDeviceLow', 'QueueDeviceHigh', deviceArea);
    this.#write('QueueReady', 1, () => {
      this.#queues.add(index);
      this.#reply({ type: 'reply.queueSet', index });
    });
  }

  resetQueue(index: number): void {
    this.#underWay = true;
    this.#write('QueueSel', index);
    this.#write('QueueReset', 1);
    this.#read('QueueReset', () => {
      this.#queues.delete(index);
      this.#reply({ type: 'reply.queueReset', index });
    });
  }

  get regions(): RegionPort | null {
    return this.#options.regions ?? null;
  }

  getRegion(shmid: number): void {
    this.#underWay = true;
    this.#write('SHMSel', shmid);
    this.#readAll(
      ['SHMLenLow', 'SHMLenHigh', 'SHMBaseLow', 'SHMBaseHigh'],
      ([lengthLow, lengthHigh, baseLow, baseHigh]) => {
        const isNone = lengthLow === NO_REGION && lengthHigh === NO_REGION;
        this.#region = { shmid, length: isNone ? 0 : lengthLow + lengthHigh * TWO_32 };
        const { regions, device } = this.#options;
        if (isNone || regions === undefined) return this.regionMapped(0, null);
        const place = baseLow + baseHigh * TWO_32 - REGION_WINDOW;
        regions.map(device, place, this.#region.length, this);
      },
    );
  }

  regionMapped(address: number, reason: string | null): void {
    if (reason !== null) return this.#reply({ type: 'reply.failed', reason });
    this.#reply({ type: 'reply.region', ...this.#region, address });
  }

  allocate(length: number): void {
    this.#underWay = true;
    const bytes = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    const address = this.#options.node.memory.allocate(bytes, PAGE_SIZE);
    this.#reply({ type: 'reply.memory', address });
  }

  /** The device model sees guest-physical addresses. */
  busAddress(address: number): number {
    return address;
  }

  notify(queue: number, next: number): void {
    const { port, device, ioeventfd } = this.#options;
    // With NOTIFICATION_DATA the upper half says how far the ring is (§4.2.3.3).
    const wrap = next >= 2 ** 31 ? 0x8000 : 0;
    const value = (queue | (((next & 0x7fff) | wrap) << 16)) >>> 0;
    if (ioeventfd) port.signal(device, registers.QueueNotify.at, value);
    else port.write(device, registers.QueueNotify.at, value);
  }

  /** The interrupt handler, on a core: what is it, and acknowledge. */
  interrupted(): void {
    this.#read('InterruptStatus', (status) => {
      this.#write('InterruptACK', status, () => {
        if ((status & INTERRUPT_USED) !== 0) {
          // Which queue is not told: all are looked at.
          for (const queue of this.#queues) this.#listener!.used(queue);
        }
        if ((status & INTERRUPT_CONFIG) !== 0) {
          this.#read('Status', (now) => this.#listener!.configChanged(now));
        }
      });
    });
  }

  #readConfig(offset: number, length: number, restarts: number): void {
    const { port, device, exactConfig = false } = this.#options;
    const data = new Uint8Array(length);
    this.#read('ConfigGeneration', (before) => {
      for (let at = 0; at < length; ) {
        const start = at;
        // Whole words, of which the last one may bring bytes that were not asked for; or what fits.
        const size = exactConfig ? widestAccess(offset + start, length - start) : 4;
        const place = registers.Config.at + offset + start;
        const take = (word: number) => {
          for (let i = 0; i < size && start + i < length; i++) data[start + i] = word >>> (8 * i);
        };
        port.read(device, place, take, size);
        at += size;
      }
      this.#read('ConfigGeneration', (after) => {
        if (after === before) return this.#reply({ type: 'reply.config', data });
        if (restarts < CONFIG_RESTARTS_MAX) return this.#readConfig(offset, length, restarts + 1);
        this.#reply({ type: 'reply.failed', reason: 'the configuration never stood still' });
      });
    });
  }

  #read(name: RegisterName, done: (value: number) => void): void {
    this.#options.port.read(this.#options.device, registers[name].at, done);
  }

  /** Reads registers; some ports serve some of them sooner. */
  #readAll(names: readonly RegisterName[], done: (values: number[]) => void): void {
    const values: number[] = [];
    let left = names.length;
    names.forEach((name, i) => {
      this.#read(name, (value) => {
        values[i] = value;
        left--;
        if (left === 0) done(values);
      });
    });
  }

  #write(name: RegisterName, value: number, done?: () => void): void {
    this.#options.port.write(this.#options.device, registers[name].at, value, done);
  }

  #writeAddress(low: RegisterName, high: RegisterName, address: number): void {
    this.#write(low, address % TWO_32);
    this.#write(high, Math.floor(address / TWO_32));
  }

  #reply(reply: TransportReply): void {
    this.#underWay = false;
    if (!this.#isForgotten) return this.#listener!.reply(reply);
    this.#isForgotten = false;
    if (this.#starts) this.start();
  }
}

/** The largest aligned access of 1, 2 or 4 bytes that brings no more than `left` bytes. */
function widestAccess(offset: number, left: number): number {
  if (offset % 4 === 0 && left >= 4) return 4;
  return offset % 2 === 0 && left >= 2 ? 2 : 1;
}
