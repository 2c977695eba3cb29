// The network driver, and what workloads on it need to know of the far ends that every stack has.
import { netConfig, netFeatures } from '../../platform/virtio/index.ts';
import type { DriverRow } from '../common/index.ts';
import { NetDriver } from './net-driver.ts';
import { netSteps } from './net-steps.ts';
import { servePacketCounts } from './packet-counter.ts';
import { serveStreams } from './stream-sink.ts';

export { type NetClient, NetDriver } from './net-driver.ts';
export {
  COUNTER_HEADER,
  COUNTER_KIND,
  COUNTER_PORT,
  type PacketCounts,
  readCounts,
} from './packet-counter.ts';
export type { DatagramPlace, NetStack, Station, TcpConnection, TcpHandler } from './stack/index.ts';
export type { NetStatistics } from './statistics.ts';
export {
  STREAM_ANSWER,
  STREAM_HEADER,
  STREAM_PORT,
  StreamPattern,
  streamNumber,
} from './stream-sink.ts';

export const net: DriverRow = {
  type: 'net',
  doc: 'Network driver and a small stack: IPv4 and IPv6, ICMP echo, UDP and TCP.',
  spec: 'virtio 1.4 §5.1',
  features: netFeatures,
  config: netConfig,
  steps: netSteps,
  create: (environment) => {
    const driver = new NetDriver(environment);
    serveStreams(environment.node, driver.stack);
    servePacketCounts(environment.node, driver.stack);
    return driver;
  },
};
