// What a node has once as a Xen domain, however many buses it is on: its grant table and its event
// channels. A domain's id is the index of its node.
import { GrantTable } from '../../platform/memory/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { EventChannels } from './event-channels.ts';

export class XenDomain {
  readonly grants: GrantTable;
  readonly events: EventChannels;

  constructor(node: Node, grantFrames: number) {
    this.grants = new GrantTable(node.memory, grantFrames);
    this.events = new EventChannels(node);
  }
}

const domains = new WeakMap<Node, XenDomain>();

/** The domain that a node is. `grantFrames` is the size of its grant table, the same for all its buses. */
export function domainOf(node: Node, grantFrames: number): XenDomain {
  const known = domains.get(node);
  if (known !== undefined) return known;
  const domain = new XenDomain(node, grantFrames);
  domains.set(node, domain);
  return domain;
}
