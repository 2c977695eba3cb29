// Which states a set of transitions leaves and enters. This is the SCXML algorithm as XState applies
// it, with its rules on ties and on history, so that both engines take the same path. It runs once
// for each combination of active states and transitions; its result is what the compiled engine keeps.
import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { ancestorsBelow, childStates, historyChildren, isBelow, isLeaf } from './state-tree.ts';

/** What a history state remembers: the nodes that were active, by history node. */
export type History = ReadonlyMap<AnyStateNode, readonly AnyStateNode[]>;

/** The parts of a transition that decide where it leads. */
export type Route = Pick<AnyTransitionDefinition, 'target' | 'source' | 'reenter'>;

export interface TransitionPlan<Taken extends Route> {
  /** The transitions that are left when conflicts are settled. */
  readonly taken: readonly Taken[];
  /** From inside out. */
  readonly exits: readonly AnyStateNode[];
  /** From outside in. */
  readonly entries: readonly AnyStateNode[];
  /** Entered nodes whose initial transition is taken, with its actions. */
  readonly defaults: ReadonlySet<AnyStateNode>;
  readonly history: History;
  /** The active nodes after the exits, in the order in which they were entered. */
  readonly kept: ReadonlySet<AnyStateNode>;
}

/** Works out what happens when `transitions` are taken together while `active` are active. */
export function planTransitions<Taken extends Route>(
  transitions: readonly Taken[],
  active: readonly AnyStateNode[],
  history: History,
): TransitionPlan<Taken> {
  const taken = withoutConflicts(transitions, active, history);
  const exits = [...exitSet(taken, active, history)].sort((a, b) => b.order - a.order);
  const newHistory = remember(exits, active, history);
  const kept = new Set(active);
  for (const node of exits) kept.delete(node);
  return { ...entryPlan(taken, newHistory), taken, exits, history: newHistory, kept };
}

/** Works out the entry into the initial state of a machine. */
export function planInitial(root: AnyStateNode): TransitionPlan<Route> {
  const target: AnyStateNode[] = [];
  const visit = (node: AnyStateNode): void => {
    target.push(node);
    if (node.type === 'compound') visit(node.initial.target[0]);
    if (node.type === 'parallel') for (const child of childStates(node)) visit(child);
  };
  visit(root);
  const history: History = new Map();
  const taken = [{ target, source: root, reenter: true }];
  const { entries, defaults } = entryPlan(taken, history);
  return {
    taken,
    exits: [],
    entries,
    defaults: new Set([...defaults, root]),
    history,
    kept: new Set([root]),
  };
}

/** The transitions of a set that can be taken together. A deeper source wins, then the earlier. */
function withoutConflicts<Taken extends Route>(
  transitions: readonly Taken[],
  active: readonly AnyStateNode[],
  history: History,
): Taken[] {
  let kept: Taken[] = [];
  for (const candidate of transitions) {
    const exits = exitSet([candidate], active, history);
    const rivals = kept.filter((other) => {
      return [...exitSet([other], active, history)].some((node) => exits.has(node));
    });
    if (rivals.every((other) => isBelow(candidate.source, other.source))) {
      kept = kept.filter((other) => !rivals.includes(other));
      kept.push(candidate);
    }
  }
  return kept;
}

function exitSet(
  transitions: readonly Route[],
  active: readonly AnyStateNode[],
  history: History,
): Set<AnyStateNode> {
  const exits = new Set<AnyStateNode>();
  for (const route of transitions) {
    if (route.target === undefined || route.target.length === 0) continue;
    const domain = domainOf(route, history);
    if (route.reenter && route.source === domain) exits.add(domain);
    for (const node of active) if (isBelow(node, domain)) exits.add(node);
  }
  return exits;
}

/** The innermost node that stays active throughout, or undefined when even the root is left. */
function domainOf(route: Route, history: History): AnyStateNode | undefined {
  const { source, reenter } = route;
  const targets = effectiveTargets(route.target, history);
  if (!reenter && targets.every((node) => node === source || isBelow(node, source))) return source;
  const [first, ...others] = [...targets, source];
  const common = ancestorsBelow(first).find((above) =>
    others.every((node) => isBelow(node, above)),
  );
  if (common !== undefined || reenter) return common;
  return source.machine.root;
}

/** The targets with each history state replaced by what it stands for. */
function effectiveTargets(targets: Route['target'], history: History): AnyStateNode[] {
  const result = new Set<AnyStateNode>();
  for (const node of targets ?? []) {
    const nodes =
      node.type === 'history'
        ? (history.get(node) ?? effectiveTargets(historyDefault(node), history))
        : [node];
    for (const each of nodes) result.add(each);
  }
  return [...result];
}

/** Where a history state leads that remembers nothing yet. */
export function historyDefault(node: AnyStateNode): readonly AnyStateNode[] {
  const parent = node.parent!;
  const { target } = node.config as { readonly target?: string | readonly string[] };
  if (target !== undefined && target !== '') {
    return [target].flat().map((reference) => historyTarget(parent, reference));
  }
  return parent.type === 'parallel' ? [parent] : parent.initial.target;
}

function historyTarget(parent: AnyStateNode, reference: string): AnyStateNode {
  if (reference.startsWith('#')) return parent.machine.getStateNodeById(reference);
  return reference
    .split('.')
    .reduce<AnyStateNode>((node, key) => (key === '' ? node : node.states[key]), parent);
}

/** Notes the active states of every node that is left and has history states. */
function remember(
  exits: readonly AnyStateNode[],
  active: readonly AnyStateNode[],
  history: History,
): History {
  let changed: Map<AnyStateNode, readonly AnyStateNode[]> | null = null;
  for (const left of exits) {
    for (const node of historyChildren(left)) {
      changed ??= new Map(history);
      const deep = node.history === 'deep';
      changed.set(
        node,
        active.filter((each) =>
          deep ? isLeaf(each) && isBelow(each, left) : each.parent === left,
        ),
      );
    }
  }
  return changed ?? history;
}

function entryPlan(
  routes: readonly Route[],
  history: History,
): { entries: AnyStateNode[]; defaults: Set<AnyStateNode> } {
  const collector = new EntryCollector(history);
  for (const route of routes) collector.addRoute(route);
  const entries = [...collector.entries].sort((a, b) => a.order - b.order);
  return { entries, defaults: collector.defaults };
}

/** Gathers the nodes to enter. */
class EntryCollector {
  readonly entries = new Set<AnyStateNode>();
  readonly defaults = new Set<AnyStateNode>();
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  addRoute(route: Route): void {
    const { source, reenter } = route;
    const domain = domainOf(route, this.#history);
    for (const node of route.target ?? []) {
      // The source itself stays when the transition is internal to it.
      const stays = source === node && source === domain && !reenter;
      if (node.type !== 'history' && !stays) this.#addDefault(node);
      this.#addBelow(node);
    }
    const limit = source.parent === undefined && reenter ? undefined : domain;
    for (const node of effectiveTargets(route.target, this.#history)) {
      const above = ancestorsBelow(node, domain);
      if (domain?.type === 'parallel') above.push(domain);
      this.#addAbove(above, limit);
    }
  }

  #addDefault(node: AnyStateNode): void {
    this.entries.add(node);
    this.defaults.add(node);
  }

  #addBelow(node: AnyStateNode): void {
    if (node.type === 'history') {
      this.#addRemembered(node);
    } else if (node.type === 'compound') {
      const initial = node.initial.target[0];
      if (initial.type !== 'history') this.#addDefault(initial);
      this.#addBelow(initial);
      this.#addAbove(ancestorsBelow(initial, node));
    } else if (node.type === 'parallel') {
      for (const child of this.#emptyRegions(node)) {
        this.#addDefault(child);
        this.#addBelow(child);
      }
    }
  }

  #addRemembered(node: AnyStateNode): void {
    const parent = node.parent!;
    const remembered = this.#history.get(node);
    const targets = remembered ?? historyDefault(node);
    for (const target of targets) {
      this.entries.add(target);
      if (remembered === undefined && targets === parent.initial?.target) {
        this.defaults.add(parent);
      }
      this.#addBelow(target);
    }
    for (const target of targets) this.#addAbove(ancestorsBelow(target, parent));
  }

  /** Adds ancestors of an entered node, and what the other regions of parallel ones need. */
  #addAbove(ancestors: readonly AnyStateNode[], limit?: AnyStateNode): void {
    for (const node of ancestors) {
      if (isBelow(node, limit)) this.entries.add(node);
      if (node.type !== 'parallel') continue;
      for (const child of this.#emptyRegions(node)) {
        this.entries.add(child);
        this.#addBelow(child);
      }
    }
  }

  /** Regions nothing below which is entered yet. Lazy, because filling one region may fill others. */
  *#emptyRegions(node: AnyStateNode): Generator<AnyStateNode> {
    for (const child of childStates(node)) {
      if (![...this.entries].some((entry) => isBelow(entry, child))) yield child;
    }
  }
}
