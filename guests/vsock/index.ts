// The row of the socket driver, and what workloads know of it.
import { vsockConfig, vsockFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { VsockDriver } from './vsock-driver.ts';
import { vsockSteps } from './vsock-steps.ts';

export type { VsockClient } from './socket.ts';
export { VsockDriver } from './vsock-driver.ts';

export const vsock: DriverRow = {
  type: 'vsock',
  doc: 'Socket driver: streams and seqpackets to the host, with credit flow control.',
  spec: 'virtio 1.4 §5.10',
  features: vsockFeatures,
  config: vsockConfig,
  steps: vsockSteps,
  create: (environment) => new VsockDriver(environment),
};
