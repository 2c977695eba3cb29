// Chooses the format of a device-side ring by the features that were negotiated.
import type { QueueSetup } from '../../platform/contracts/index.ts';
import { F } from '../../platform/virtio/index.ts';
import type { DeviceRing } from './device-ring.ts';
import type { FetchPlan } from './fetch.ts';
import { PackedDeviceRing } from './packed-device-ring.ts';
import { SplitDeviceRing } from './split-device-ring.ts';

/** Makes the ring that the negotiated features ask for. */
export function makeDeviceRing(setup: QueueSetup, features: bigint, fetch: FetchPlan): DeviceRing {
  const options = {
    fetch,
    eventIndex: (features & F.EVENT_IDX) !== 0n,
    indirect: (features & F.INDIRECT_DESC) !== 0n,
  };
  return (features & F.RING_PACKED) !== 0n
    ? new PackedDeviceRing(setup, options)
    : new SplitDeviceRing(setup, options);
}
