// Packets between the two sides of a loopback bus, which are on one node.
import type { BusEnvironment } from '../../platform/contracts/index.ts';
import { copyBytes } from '../../platform/node/index.ts';
import type { LoopbackOptions } from './options.ts';

type Environment = BusEnvironment<LoopbackOptions>;

/** Sends a packet to the other side, `delay` ps from now. */
export function sendAcross(
  environment: Environment,
  to: 'kernel' | 'process',
  kind: number,
  delay: number,
  a = 0,
  b = 0,
): void {
  sendMessageAcross(environment, to, kind, delay, a, b, EMPTY, 0);
}

const EMPTY = new Uint8Array(0);

/** The same with a message in it. */
export function sendMessageAcross(
  { node, plan }: Environment,
  to: 'kernel' | 'process',
  kind: number,
  delay: number,
  a: number,
  b: number,
  bytes: Uint8Array,
  length: number,
): void {
  const packet = node.kernel.packets.acquire(length);
  packet.label(kind, a, b);
  if (length > 0) copyBytes(bytes, 0, packet.bytes, 0, length);
  const port = to === 'kernel' ? plan.driverPort : plan.devicePort;
  node.kernel.send(node.index, node.index, port, delay, packet);
}
