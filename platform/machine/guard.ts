// Guards resolved to functions. Whether a state is active is settled when the guard is resolved, since
// that is done once for each set of active states.
import { type AnyStateMachine, type AnyStateNode, and, not, or } from 'xstate';
import { fault } from './chart-fault.ts';
import type { UserFunction } from './operation.ts';
import { findNode, isLeaf } from './state-tree.ts';

/** A guard to be called as `call(args, params)`; a null call always passes. */
export interface Guard {
  readonly call: UserFunction | null;
  readonly params: unknown;
}

const ALWAYS: Guard = { call: null, params: undefined };
const NAMES_DEEP_MAX = 100;

type GuardReference =
  | string
  | { readonly type: string; readonly params?: unknown }
  | (UserFunction & BuiltInGuard);

/** What XState's guard creators leave on the functions they return. */
interface BuiltInGuard {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
  readonly stateValue?: unknown;
}

// Combined guards are told apart by the function with which XState evaluates them.
const CHECK_NOT = (not('') as unknown as BuiltInGuard).check;
const CHECK_AND = (and([]) as unknown as BuiltInGuard).check;
const CHECK_OR = (or([]) as unknown as BuiltInGuard).check;

/** Resolves a guard for the time while `active` are active. Throws RunError CHART. */
export function compileGuard(
  machine: AnyStateMachine,
  active: readonly AnyStateNode[],
  reference: unknown,
  depth = 0,
): Guard {
  if (!reference) return ALWAYS;
  const guard = reference as GuardReference;
  if (typeof guard === 'function') return compileFunction(machine, active, guard, depth);
  const name = typeof guard === 'string' ? guard : guard.type;
  const implementation = machine.implementations.guards[name] as unknown;
  if (implementation === undefined) throw fault(machine, `guard ${name} is not provided`);
  if (depth > NAMES_DEEP_MAX) throw fault(machine, `guard ${name} refers to itself`);
  if (typeof implementation !== 'function' || 'check' in implementation) {
    return compileGuard(machine, active, implementation, depth + 1);
  }
  const call = implementation as UserFunction;
  const params = typeof guard === 'string' ? undefined : guard.params;
  if (typeof params === 'function') {
    return { call: (args) => call(args, params(args)), params: undefined };
  }
  return { call, params };
}

function compileFunction(
  machine: AnyStateMachine,
  active: readonly AnyStateNode[],
  guard: UserFunction & BuiltInGuard,
  depth: number,
): Guard {
  if (!('check' in guard)) return { call: guard, params: undefined };
  if (guard.guards === undefined) {
    const holds = isActive(machine, active, guard.stateValue);
    return { call: () => holds, params: undefined };
  }
  const parts = guard.guards.map((part) => compileGuard(machine, active, part, depth + 1));
  const passes = (part: Guard, args: unknown): boolean => {
    return part.call === null || Boolean(part.call(args, part.params));
  };
  switch (guard.check) {
    case CHECK_NOT:
      return { call: (args) => !passes(parts[0], args), params: undefined };
    case CHECK_AND:
      return { call: (args) => parts.every((part) => passes(part, args)), params: undefined };
    case CHECK_OR:
      return { call: (args) => parts.some((part) => passes(part, args)), params: undefined };
    default:
      throw fault(machine, `guard ${guard.name} cannot be compiled`);
  }
}

/** Tells whether a state value (`#id`, dotted path, or object of paths) is active. */
function isActive(
  machine: AnyStateMachine,
  active: readonly AnyStateNode[],
  value: unknown,
  from: AnyStateNode = machine.root,
): boolean {
  if (typeof value === 'string') {
    const node = findNode(from, value);
    if (node === undefined && value.startsWith('#')) {
      throw fault(machine, `stateIn names ${value}, which does not exist`);
    }
    return node !== undefined && active.includes(node);
  }
  // XState writes a leaf as a string, and no object is like it.
  const isLeafInside = active.some((node) => node.parent === from && isLeaf(node));
  if (from.type === 'compound' && isLeafInside) return false;
  return Object.entries(value as object).every(([key, inner]) => {
    const node = from.states[key] as AnyStateNode | undefined;
    return node !== undefined && active.includes(node) && isActive(machine, active, inner, node);
  });
}
