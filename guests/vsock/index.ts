// The row of the socket driver, and what workloads know of it.
import type { DriverDefinition } from '../../platform/contracts/index.ts';
import { VsockDriver } from './vsock-driver.ts';

export type { VsockClient } from './socket.ts';
export { VsockDriver } from './vsock-driver.ts';

export const vsock: DriverDefinition = {
  type: 'vsock',
  doc: 'Socket driver: streams and seqpackets to the host, with credit flow control.',
  spec: 'virtio 1.4 §5.10',
  create: (environment) => new VsockDriver(environment),
};
