// What the hypervisor answers when a domain asks it to map pages of another one.
import type { Packet } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { readU32, writeU8 } from '../../platform/wire/index.ts';

/**
 * Makes the answer to a packet of kind GRANT_MAP. `map` maps one reference and returns its status, 0 or
 * negative.
 */
export function mappingAnswer(
  node: Node,
  { a: count, bytes }: Packet,
  map: (reference: number) => number,
): Packet {
  const answer = node.kernel.packets.acquire(count);
  for (let i = 0; i < count; i++) writeU8(answer.bytes, i, -map(readU32(bytes, i * 4)));
  return answer;
}
