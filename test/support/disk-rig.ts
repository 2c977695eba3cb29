// A disk over FF-A with a test as its user: every request by hand, every outcome noted.
import type { BlkClient, BlkDriver } from '../../guests/blk/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import type { EngineName } from '../../platform/machine/index.ts';
import { BLK_T } from '../../platform/virtio/index.ts';
import { Rig } from './rig.ts';
import { memoryDisk, type ScenarioParts } from './scenarios.ts';

export const BLOCK = 4096;

export interface Completion {
  readonly slot: number;
  readonly status: number;
  readonly at: number;
  readonly latency: number;
}

interface DiskRigParts extends ScenarioParts {
  readonly slots?: number;
  readonly engine?: EngineName;
}

export class DiskRig implements BlkClient {
  readonly rig: Rig;
  readonly driver: BlkDriver;
  readonly log: string[] = [];
  readonly completions: Completion[] = [];
  whenReady: () => void = () => {};
  whenCompleted: (slot: number, status: number) => void = () => {};
  whenRecovered: () => void = () => {};

  constructor(disk: object, { slots = 64, engine = 'compiled', ...parts }: DiskRigParts = {}) {
    let driver: BlkDriver | null = null;
    const row = tables.drivers.blk;
    const create: typeof row.create = (environment) => {
      driver = row.create(environment) as BlkDriver;
      return driver;
    };
    const spied: ModelTables = {
      ...tables,
      drivers: { ...tables.drivers, blk: { ...row, create } },
    };
    const devices = { disk0: memoryDisk(0, { ...disk }) };
    this.rig = new Rig({ devices, until: { atMost: '60s' }, ...parts }, { tables: spied, engine });
    this.driver = driver as unknown as BlkDriver;
    this.driver.reserve(this, slots, BLOCK);
  }

  blkReady(capacity: number): void {
    this.log.push(`ready ${capacity}`);
    this.whenReady();
  }

  blkCompleted(slot: number, status: number, latency: number): void {
    this.completions.push({ slot, status, at: this.rig.kernel.now, latency });
    this.whenCompleted(slot, status);
  }

  blkDown(reason: string): void {
    this.log.push(`down: ${reason}`);
  }

  blkRecovered(): void {
    this.log.push('recovered');
    this.whenRecovered();
  }

  blkResized(capacity: number): void {
    this.log.push(`resized ${capacity}`);
  }

  /** Writes a block of one value. */
  write(slot: number, block: number, value: number): void {
    this.driver.node.memory.fill(this.driver.dataAddress(slot), BLOCK, value);
    this.driver.submit(slot, BLK_T.OUT, block * BLOCK, BLOCK);
  }

  read(slot: number, block: number): void {
    this.driver.node.memory.fill(this.driver.dataAddress(slot), BLOCK, 0xdd);
    this.driver.submit(slot, BLK_T.IN, block * BLOCK, BLOCK);
  }

  flush(slot: number): void {
    this.driver.submit(slot, BLK_T.FLUSH, 0, 0);
  }

  /** First byte of a slot's buffer; -1 when not all bytes are alike. */
  valueOf(slot: number): number {
    const bytes = new Uint8Array(BLOCK);
    this.driver.node.memory.copyOut(this.driver.dataAddress(slot), bytes, 0, BLOCK);
    return bytes.every((byte) => byte === bytes[0]) ? bytes[0] : -1;
  }

  /** Statuses of the completions so far, in the order of slots. */
  get statuses(): number[] {
    return [...this.completions].sort((a, b) => a.slot - b.slot).map(({ status }) => status);
  }
}
