// Which of the features that a device offers a driver takes (virtio 1.4 §2.2.1).
import { F } from '../../platform/virtio/index.ts';

/** What every driver here can do, and takes when it is offered. */
const CORE_FEATURES =
  F.VERSION_1 |
  F.ACCESS_PLATFORM |
  F.RING_PACKED |
  F.EVENT_IDX |
  F.INDIRECT_DESC |
  F.NOTIFICATION_DATA |
  F.NOTIF_CONFIG_DATA |
  F.IN_ORDER |
  F.ORDER_PLATFORM |
  F.RING_RESET |
  F.ADMIN_VQ |
  F.SUSPEND;

/** What a driver says of features. */
export interface FeatureTraits {
  /** Features it would take, besides those every driver here takes. */
  readonly features: bigint;
  /** Those of them without which it can't work. */
  readonly requiredFeatures?: bigint;
  /** Features that are of use only with one of `needs`. */
  readonly dependentFeatures?: readonly { readonly feature: bigint; readonly needs: bigint }[];
}

/** What is offered, known to the driver and possible, but for features that lack another which they need. */
export function agreeableFeatures(
  offered: bigint,
  traits: FeatureTraits,
  { impossible }: { readonly impossible: bigint },
): bigint {
  const { features, dependentFeatures = [] } = traits;
  let agreeable = offered & (features | CORE_FEATURES) & ~impossible;
  for (let before = -1n; before !== agreeable; ) {
    before = agreeable;
    for (const { feature, needs } of dependentFeatures) {
      if ((agreeable & needs) === 0n) agreeable &= ~feature;
    }
  }
  return agreeable;
}
