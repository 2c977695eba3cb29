// Questions about the tree of state nodes that XState builds from a machine's configuration.
import type { AnyStateMachine, AnyStateNode } from 'xstate';

/** True for states without children in a configuration. */
export function isLeaf(node: AnyStateNode): boolean {
  return node.type === 'atomic' || node.type === 'final';
}

/** The child states that can be active, in definition order. */
export function childStates(node: AnyStateNode): AnyStateNode[] {
  return Object.values<AnyStateNode>(node.states).filter((child) => child.type !== 'history');
}

/** The history pseudo-states right below this node. */
export function historyChildren(node: AnyStateNode): AnyStateNode[] {
  return Object.values<AnyStateNode>(node.states).filter((child) => child.type === 'history');
}

/** True when `node` lies strictly below `ancestor`. Everything lies below undefined. */
export function isBelow(node: AnyStateNode, ancestor: AnyStateNode | undefined): boolean {
  if (ancestor === undefined) return true;
  for (let above = node.parent; above !== undefined; above = above.parent) {
    if (above === ancestor) return true;
  }
  return false;
}

/** The nodes strictly between `node` and `limit` (or the outside of the root), from inside out. */
export function ancestorsBelow(node: AnyStateNode, limit?: AnyStateNode): AnyStateNode[] {
  const result: AnyStateNode[] = [];
  if (node === limit) return result;
  for (let above = node.parent; above !== undefined && above !== limit; above = above.parent) {
    result.push(above);
  }
  return result;
}

/** Every node of a machine in definition order, the root first. */
export function allNodes(machine: AnyStateMachine): AnyStateNode[] {
  const result: AnyStateNode[] = [];
  const visit = (node: AnyStateNode): void => {
    result.push(node);
    for (const child of Object.values<AnyStateNode>(node.states)) visit(child);
  };
  visit(machine.root);
  return result;
}

/** How a node is named in messages. */
export function nodeText(node: AnyStateNode): string {
  return node.path.length === 0 ? 'the root' : `state ${node.path.join('.')}`;
}

/** The node at a `#id` or at a dotted path below `from`, or undefined. */
export function findNode(from: AnyStateNode, reference: string): AnyStateNode | undefined {
  if (reference.startsWith('#')) {
    try {
      return from.machine.getStateNodeById(reference);
    } catch {
      return undefined;
    }
  }
  let node: AnyStateNode | undefined = from;
  for (const key of reference.split('.')) node = node?.states[key];
  return node;
}

/**
 * The cause of a RunError CHART when a set of active states is impossible: a state without its parent,
 * a compound state without exactly one child, a parallel one without all. XState arrives there when a
 * transition to a history state is taken together with one that leaves the parent of that state.
 */
export class ImpossibleStates extends Error {
  override name = 'ImpossibleStates';
}

/** Throws ImpossibleStates unless `nodes` can be active together. */
export function checkActive(nodes: readonly AnyStateNode[]): void {
  const active = new Set(nodes);
  for (const node of nodes) {
    const children = childStates(node).filter((child) => active.has(child)).length;
    const expected = node.type === 'parallel' ? childStates(node).length : isLeaf(node) ? 0 : 1;
    const hasParent = node.parent === undefined || active.has(node.parent);
    if (children !== expected || !hasParent) {
      const paths = nodes.map((each) => each.path.join('.') || '(root)').join(' ');
      throw new ImpossibleStates(
        `transitions taken together make impossible states active: ${paths}`,
      );
    }
  }
}
