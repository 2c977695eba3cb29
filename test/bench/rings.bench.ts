// Chains per second through a virtqueue in memory: a driver ring on one side and the device's ring on
// the other, DMA being plain copies, so that what is measured is the rings and not a bus.
import type { Bench } from 'tinybench';
import { type DeviceRing, Fetch } from '../../devices/common/device-ring.ts';
import type { Chain } from '../../devices/common/index.ts';
import { makeDeviceRing } from '../../devices/common/make-device-ring.ts';
import type { DmaPort } from '../../platform/contracts/index.ts';
import { Memory } from '../../platform/node/index.ts';
import {
  type DriverRing,
  F,
  PackedDriverRing,
  packedRingAreas,
  SplitDriverRing,
  splitRingAreas,
} from '../../platform/virtio/index.ts';
import { addTask } from './suite.ts';

const SIZE = 256;
const BATCH = 32;
const SEGMENTS = 3;
const CHAINS = 1024;
/** As the profiles have it. */
const FETCH = {
  batch: BATCH,
  availPrefetch: 0,
  descriptorBurst: 64,
  descriptorCache: 0,
  dataReads: SIZE,
};

/** DMA without time: gathered reads and writes on a memory. */
class InstantDma implements DmaPort {
  readonly bytes = new Uint8Array(65536);
  readonly #memory: Memory;
  #length = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  readSegment(address: number, length: number): void {
    this.#memory.copyOut(address, this.bytes, this.#length, length);
    this.#length += length;
  }

  read(): void {
    this.#length = 0;
  }

  writeSegment(address: number, source: Uint8Array, offset: number, length: number): void {
    this.#memory.copyIn(address, source, offset, length);
  }

  write(): boolean {
    return true;
  }
}

/** One look of the device, and all the reads that follow from it. */
function fetch(device: DeviceRing, dma: InstantDma, chains: Chain[]): void {
  device.gatherLook(dma);
  dma.read();
  let found = device.looked(dma.bytes);
  while (found === Fetch.more) {
    device.gatherMore(dma);
    dma.read();
    found = device.fetched(dma.bytes);
  }
  if (found !== Fetch.done) throw new Error(`a look ended with ${found}`);
  chains.push(...device.batch.splice(0));
}

/** Passes batches of chains of three segments from the driver to the device and back. */
function circulation(features: bigint): () => void {
  const memory = new Memory(2 ** 20);
  const packed = (features & F.RING_PACKED) !== 0n;
  const { length } = packed ? packedRingAreas(0, SIZE) : splitRingAreas(0, SIZE);
  const start = memory.allocate(length, 4096);
  const table = memory.allocate(SIZE * SEGMENTS * 16, 4096);
  const indirect =
    (features & F.INDIRECT_DESC) === 0n
      ? null
      : { address: table, busAddress: table, segmentsMax: SEGMENTS };
  const options = { eventIndex: (features & F.EVENT_IDX) !== 0n, indirect };
  const driver: DriverRing = packed
    ? new PackedDriverRing(memory, start, SIZE, options)
    : new SplitDriverRing(memory, start, SIZE, options);
  const { descriptor, driver: driverArea, device: deviceArea } = driver.areas;
  const setup = { index: 0, size: SIZE, descriptorArea: descriptor, driverArea, deviceArea };
  const device = makeDeviceRing(setup, features, FETCH);
  const dma = new InstantDma(memory);
  const chains: Chain[] = [];
  return () => {
    for (let done = 0; done < CHAINS; done += BATCH) {
      for (let i = 0; i < BATCH; i++) {
        for (let s = 0; s < SEGMENTS; s++) driver.addSegment(0x1000 * s, 16, s === SEGMENTS - 1);
        driver.commit();
      }
      driver.takeNotify();
      while (chains.length < BATCH) fetch(device, dma, chains);
      for (const chain of chains) {
        device.gatherUsed(dma, chain, 1);
        device.usedWritten(chain);
      }
      chains.length = 0;
      for (let i = 0; i < BATCH; i++) {
        if (driver.reap() < 0) throw new Error('a chain was lost');
      }
    }
  };
}

const FORMATS: Readonly<Record<string, bigint>> = {
  split: 0n,
  'split, indirect, event index': F.INDIRECT_DESC | F.EVENT_IDX,
  packed: F.RING_PACKED,
  'packed, indirect, event index': F.RING_PACKED | F.INDIRECT_DESC | F.EVENT_IDX,
};

export function addRingTasks(bench: Bench): void {
  for (const [name, features] of Object.entries(FORMATS)) {
    addTask(bench, {
      name,
      unit: 'chains',
      count: CHAINS,
      prepare: () => circulation(features),
    });
  }
}
