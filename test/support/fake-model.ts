// A device model for transport tests that does nothing by itself: what it is, what it says and what it
// accepts are fields, and every call is noted.
import type {
  DeviceInfo,
  DeviceModel,
  DeviceTransport,
  QueueSetup,
  SharedRegion,
} from '../../platform/contracts/index.ts';
import { F, STATUS } from '../../platform/virtio/index.ts';

export class FakeModel implements DeviceModel {
  readonly log: string[] = [];
  info: DeviceInfo = {
    deviceId: 2,
    vendorId: 0x1234,
    featureBlocks: 2,
    configSize: 24,
    queuesMax: 2,
    adminStart: 0,
    adminCount: 0,
  };
  features = F.VERSION_1 | F.ACCESS_PLATFORM | 0x21n;
  driverFeatures = 0n;
  status = 0;
  configGeneration = 0;
  readonly config = Uint8Array.from({ length: 24 }, (_, i) => i);
  /** Sizes of the queues; 0 for one that cannot be used. */
  queueSizes: readonly number[] = [256, 8];
  readonly setups: (QueueSetup | null)[] = [null, null];
  regions: readonly SharedRegion[] = [];
  /** What a write of status 0 shows at first: not 0 while a reset takes its time. */
  resetStatus = 0;
  /** Whether FEATURES_OK sticks. */
  acceptsFeatures = true;
  /** Whether configuration writes are applied. */
  acceptsConfig = true;
  transport: DeviceTransport | null = null;

  connect(transport: DeviceTransport): void {
    this.transport = transport;
  }

  setDriverFeatures(features: bigint): void {
    this.driverFeatures = features;
  }

  setStatus(status: number): number {
    this.log.push(`status ${status}`);
    if (status === 0) {
      this.driverFeatures = 0n;
      this.setups.fill(null);
      this.status = this.resetStatus;
    } else {
      this.status = this.acceptsFeatures ? status : status & ~STATUS.FEATURES_OK;
    }
    return this.status;
  }

  readConfig(offset: number, target: Uint8Array, targetOffset: number, length: number): void {
    for (let i = 0; i < length; i++) target[targetOffset + i] = this.config[offset + i];
  }

  writeConfig(offset: number, source: Uint8Array): boolean {
    this.log.push(`config ${offset} ${Buffer.from(source).toString('hex')}`);
    if (this.acceptsConfig) this.config.set(source, offset);
    return this.acceptsConfig;
  }

  queueSizeMax(index: number): number {
    return this.queueSizes[index] ?? 0;
  }

  queueSetup(index: number): QueueSetup | null {
    return this.setups[index] ?? null;
  }

  setQueue(setup: QueueSetup): void {
    this.log.push(`queue ${setup.index} size ${setup.size}`);
    this.setups[setup.index] = setup;
  }

  resetQueue(index: number): void {
    this.log.push(`reset queue ${index}`);
    this.setups[index] = null;
  }

  serveAdminQueue(setup: QueueSetup | null): void {
    this.log.push(`admin queue of ${setup?.size ?? 0}`);
  }

  available(queue: number, next: number): void {
    this.log.push(`available ${queue} ${next}`);
  }
}
