// Packets between the two sides of a loopback bus, which are on one node.
import type { BusEnvironment } from '../../platform/contracts/index.ts';
import { copyBytes } from '../../platform/node/index.ts';
import type { LoopbackOptions } from './options.ts';

/** Sends a packet to the other side, with a message or without. */
export function sendAcross(
  { node, plan }: BusEnvironment<LoopbackOptions>,
  to: 'kernel' | 'process',
  kind: number,
  delay: number,
  content: {
    readonly a?: number;
    readonly b?: number;
    readonly bytes?: Uint8Array;
    readonly length?: number;
  } = {},
): void {
  const { a = 0, b = 0, bytes, length = 0 } = content;
  const packet = node.kernel.packets.acquire(length);
  packet.kind = kind;
  packet.a = a;
  packet.b = b;
  packet.c = 0;
  packet.d = 0;
  if (bytes !== undefined) copyBytes(bytes, 0, packet.bytes, 0, length);
  const port = to === 'kernel' ? plan.driverPort : plan.devicePort;
  node.kernel.send(node.index, node.index, port, delay, packet);
}
