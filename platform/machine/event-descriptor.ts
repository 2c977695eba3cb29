// Which keys of `on` an event matches: its own type, then wildcards, the longest key first.
import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** True when `descriptor` (`a.b`, `a.*` or `*`) covers events of this type. */
function matchesDescriptor(type: string, descriptor: string): boolean {
  if (descriptor === type || descriptor === '*') return true;
  if (!descriptor.endsWith('.*')) return false;
  const prefix = descriptor.slice(0, -2);
  // A star is a wildcard only at the end.
  if (prefix.split('.').includes('*')) return false;
  return type === prefix || type.startsWith(`${prefix}.`);
}

/** The transitions of one node for events of this type, in order of preference. */
export function matchingTransitions(node: AnyStateNode, type: string): AnyTransitionDefinition[] {
  const wildcards = [...node.transitions.keys()]
    .filter((descriptor) => descriptor !== type && matchesDescriptor(type, descriptor))
    .sort((left, right) => right.length - left.length);
  return [type, ...wildcards].flatMap((descriptor) => node.transitions.get(descriptor) ?? []);
}
