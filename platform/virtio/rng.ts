// What both sides of virtio-rng agree on (virtio 1.4 §5.4): one queue, no features, no configuration.

export const RNG_DEVICE_ID = 4;

/** Name of the stream a modelled entropy source draws from; the verifying workload draws it too. */
export function rngStreamName(device: string): string {
  return `rng/${device}`;
}
