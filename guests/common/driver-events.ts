// What the chart of a driver hears, and what it asks for.
import type { TransportReply } from '../../platform/contracts/index.ts';

export type DriverEvent =
  | TransportReply
  | { readonly type: 'QUEUES'; readonly count: number }
  | { readonly type: 'ONLINE' }
  | { readonly type: 'OFFLINE' }
  /** The device is away for a while, and will have forgotten everything. */
  | { readonly type: 'AWAY' }
  /** The device asks for a reset; `busy` while an operation is under way. */
  | { readonly type: 'NEEDS_RESET'; readonly busy: boolean }
  /** The driver itself wants a reset, and what is under way done again after it. */
  | { readonly type: 'RESTART'; readonly busy: boolean }
  /** Requests come back again after a recovery. */
  | { readonly type: 'PROGRESS' };

export type DriverEffect =
  | { readonly type: 'getInfo' }
  | { readonly type: 'setStatus'; readonly status: number }
  | { readonly type: 'getFeatures' }
  | { readonly type: 'setFeatures' }
  | { readonly type: 'getConfig' }
  | { readonly type: 'getRegion' }
  | { readonly type: 'getQueue'; readonly index: number }
  | { readonly type: 'allocate' }
  | { readonly type: 'setQueue'; readonly index: number }
  | { readonly type: 'plan' }
  | { readonly type: 'remember'; readonly reply: TransportReply }
  | { readonly type: 'operationOver'; readonly reply: TransportReply }
  | { readonly type: 'live' }
  | { readonly type: 'needsReset' }
  | { readonly type: 'recover' }
  | { readonly type: 'down'; readonly reason: string };

/** Effects that ask the transport for something. */
export const ASKING_EFFECTS: ReadonlySet<DriverEffect['type']> = new Set([
  'getInfo',
  'setStatus',
  'getFeatures',
  'setFeatures',
  'getConfig',
  'getRegion',
  'getQueue',
  'allocate',
  'setQueue',
]);

export interface DriverInput {
  readonly deviceId: number;
  /** Queues that the device must have at the least. */
  readonly queueCount: number;
  /** Features without which the driver can't work. */
  readonly requiredFeatures: bigint;
  /** Bytes of configuration space that the driver needs; 0 to read none. */
  readonly configSize: number;
  /** The shared memory region that the driver needs, or -1. */
  readonly shmid: number;
}
