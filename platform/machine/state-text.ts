// How the active states of a chart are written: `running.polling`, parallel leaves joined by commas.
import type { AnyStateNode } from 'xstate';

/** Writes the leaves among these nodes in definition order. */
export function stateText(nodes: readonly AnyStateNode[]): string {
  return nodes
    .filter((node) => node.type === 'atomic' || node.type === 'final')
    .sort((left, right) => left.order - right.order)
    .map((node) => node.path.join('.'))
    .join(',');
}
