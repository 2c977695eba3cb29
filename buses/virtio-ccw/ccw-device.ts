// The control unit of one virtio-ccw device: it does channel commands on the device model, and sets
// indicators in guest memory when the model has something to tell.
import type { DeviceModel, DeviceTransport, DmaPort } from '../../platform/contracts/index.ts';
import { F, featureBlocks, withFeatureBlocks } from '../../platform/virtio/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import {
  type AdapterArea,
  readAdapterArea,
  readBe16,
  readBe64,
  readQueueInfo,
  writeBe16,
} from './blocks.ts';
import { CLASSIC_QUEUES_MAX, CONTROL_UNIT_TYPE, type CommandName, commands } from './commands.ts';

/** Features that are reserved on this transport (§4.3.4). */
const RESERVED_FEATURES = F.RING_RESET | F.ADMIN_VQ;
const REVISIONS = [1, 2];
const NO_REVISION = 0;
/** Indicators are one big-endian number of 8 bytes; this is its lowest byte. */
const LOWEST_BYTE = 7;

export interface CcwDeviceOptions {
  readonly model: DeviceModel;
  readonly dma: DmaPort;
  /** Sets a bit of a byte of guest memory; with a summary, the adapter interrupt may follow. */
  setBits(address: number, bits: number, summary: number): void;
  /** The subchannel has something to tell. */
  alert(): void;
}

export class CcwDeviceTransport implements DeviceTransport {
  readonly dma: DmaPort;
  readonly #options: CcwDeviceOptions;
  #revision = NO_REVISION;
  /** Where the indicators are; 0 or null while the driver has not told. */
  #indicators = 0;
  #configIndicators = 0;
  #adapter: AdapterArea | null = null;

  constructor(options: CcwDeviceOptions) {
    this.#options = options;
    this.dma = options.dma;
    options.model.connect(this);
  }

  notifyUsed(queue: number): void {
    const { setBits, alert } = this.#options;
    if (this.#adapter !== null) {
      const { summary, indicators, firstBit } = this.#adapter;
      const bit = firstBit + queue;
      return setBits(indicators + Math.floor(bit / 8), 0x80 >> (bit % 8), summary);
    }
    if (this.#indicators === 0 || queue >= CLASSIC_QUEUES_MAX) return;
    setBits(this.#indicators + LOWEST_BYTE - (queue >>> 3), 1 << (queue & 7), 0);
    alert();
  }

  notifyConfig(): void {
    if (this.#configIndicators === 0) return;
    this.#options.setBits(this.#configIndicators + LOWEST_BYTE, 1, 0);
    this.#options.alert();
  }

  /** Notification data, by DIAGNOSE or by ioeventfd. */
  notified(data: number): void {
    this.#options.model.available(data & 0xffff, data >>> 16);
  }

  /** The subchannel was enabled: no revision is selected. */
  forgetRevision(): void {
    this.#revision = NO_REVISION;
  }

  /** The device was taken away. */
  gone(): void {
    this.#forgetIndicators();
    this.#options.model.setStatus(0);
  }

  /**
   * Does a command. `data` is what the guest gave, `count` how much room it has. Returns what the guest
   * is to get, or null when the command is rejected.
   */
  execute(name: CommandName, data: Uint8Array, count: number): Uint8Array | null {
    if (commands[name].revision > this.#revision) return null;
    switch (name) {
      case 'NOP':
        return NOTHING;
      case 'SENSE_ID':
        return this.#identity();
      case 'SET_VIRTIO_REV':
        return this.#setRevision(readBe16(data, 0), readBe16(data, 2));
      case 'READ_FEAT':
        return this.#readFeatures(data);
      case 'WRITE_FEAT':
        return this.#writeFeatures(data);
      case 'READ_CONF':
        return this.#readConfig(count);
      case 'WRITE_CONF':
        return this.#writeConfig(data);
      case 'READ_STATUS':
        return Uint8Array.of(this.#options.model.status);
      case 'READ_VQ_CONF':
        return this.#readQueue(data);
      default:
        return this.#change(name, data);
    }
  }

  /** Commands that bring nothing. */
  #change(name: CommandName, data: Uint8Array): Uint8Array | null {
    const { model } = this.#options;
    switch (name) {
      case 'VDEV_RESET':
        this.#forgetIndicators();
        // Whether it is complete, READ_STATUS tells.
        model.setStatus(0);
        return NOTHING;
      case 'WRITE_STATUS':
        return this.#writeStatus(data[0]);
      case 'SET_VQ':
        model.setQueue(readQueueInfo(data));
        return NOTHING;
      case 'SET_IND':
        if (this.#adapter !== null) return null;
        this.#indicators = readBe64(data, 0);
        return NOTHING;
      case 'SET_CONF_IND':
        this.#configIndicators = readBe64(data, 0);
        return NOTHING;
      case 'SET_IND_ADAPTER':
        if (this.#indicators !== 0) return null;
        this.#adapter = readAdapterArea(data);
        return NOTHING;
      default:
        return null;
    }
  }

  #identity(): Uint8Array {
    const identity = new Uint8Array(commands.SENSE_ID.size);
    identity[0] = 0xff;
    writeBe16(identity, 1, CONTROL_UNIT_TYPE);
    identity[3] = this.#options.model.info.deviceId;
    return identity;
  }

  #setRevision(revision: number, length: number): Uint8Array | null {
    if (this.#revision !== NO_REVISION || length !== 0) return null;
    if (!REVISIONS.includes(revision)) return null;
    this.#revision = revision;
    return NOTHING;
  }

  #readFeatures(data: Uint8Array): Uint8Array {
    const offered = this.#options.model.features & ~RESERVED_FEATURES;
    const block = data.slice(0, commands.READ_FEAT.size);
    writeU32(block, 0, featureBlocks(offered, block[4], 1)[0]);
    return block;
  }

  #writeFeatures(data: Uint8Array): Uint8Array {
    const { model } = this.#options;
    const features = withFeatureBlocks(model.driverFeatures, data[4], [readU32(data, 0)]);
    // A feature that was not offered: FEATURES_OK will not stick, as the model sees VERSION_1 missing.
    model.setDriverFeatures((features & RESERVED_FEATURES) === 0n ? features : 0n);
    return NOTHING;
  }

  /** A status that isn't taken as it is leaves the old one, and is rejected (§4.3.2.3.2). */
  #writeStatus(status: number): Uint8Array | null {
    if (status === 0) return this.#change('VDEV_RESET', NOTHING);
    return this.#options.model.setStatus(status) === status ? NOTHING : null;
  }

  #readQueue(data: Uint8Array): Uint8Array {
    const block = data.slice(0, commands.READ_VQ_CONF.size);
    writeBe16(block, 2, this.#options.model.queueSizeMax(readBe16(block, 0)));
    return block;
  }

  #readConfig(count: number): Uint8Array {
    const { model } = this.#options;
    const config = new Uint8Array(Math.min(count, model.info.configSize));
    model.readConfig(0, config, 0, config.length);
    return config;
  }

  /**
   * What differs is what the driver has changed. Which fields it meant nobody can tell: a word is offered
   * to the model, and if that isn't one of its fields, each byte. What it refuses stays as it was.
   */
  #writeConfig(data: Uint8Array): Uint8Array {
    const { model } = this.#options;
    const present = this.#readConfig(data.length);
    for (let at = 0; at < present.length; at += 4) {
      const end = Math.min(at + 4, present.length);
      if (!differs(present, data, at, end)) continue;
      if (model.writeConfig(at, data.subarray(at, end))) continue;
      for (let i = at; i < end; i++) {
        if (present[i] !== data[i]) model.writeConfig(i, data.subarray(i, i + 1));
      }
    }
    return NOTHING;
  }

  #forgetIndicators(): void {
    this.#indicators = 0;
    this.#configIndicators = 0;
    this.#adapter = null;
  }
}

const NOTHING = new Uint8Array(0);

function differs(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return true;
  return false;
}
