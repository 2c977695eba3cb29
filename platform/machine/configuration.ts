// A set of active states with all that is known about it: which transitions each event may take, in
// which order, and what taking them does. The heart of the compiled engine: `select` is its jump table.
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { matchingTransitions } from './event-descriptor.ts';
import { compileGuard } from './guard.ts';
import type { Operation, UserFunction } from './operation.ts';
import { stateText } from './state-text.ts';
import { ancestorsBelow, isLeaf } from './state-tree.ts';
import type { History } from './transition-plan.ts';

/** The effect of taking some transitions at once. */
export interface Microstep {
  readonly operations: readonly Operation[];
  /** The effects, when the operations do nothing but emit fixed ones; otherwise null. */
  readonly effects: readonly unknown[] | null;
  readonly next: Configuration;
  /** The machine is done afterwards. */
  readonly finishes: boolean;
  /** States or history change, so eventless transitions have to be tried again. */
  readonly changes: boolean;
}

/** Where configurations get microsteps from: the tables of their machine. */
export interface MicrostepSource {
  readonly machine: AnyStateMachine;
  /** What taking these transitions does from this configuration. */
  microstep(from: Configuration, transitions: readonly AnyTransitionDefinition[]): Microstep;
}

/** A transition that an event may take. */
interface Candidate {
  /** Null when nothing guards it. */
  readonly guard: UserFunction | null;
  readonly params: unknown;
  readonly transition: AnyTransitionDefinition;
  /** Its effect when taken alone; made when first needed. */
  microstep: Microstep | null;
}

/**
 * How transitions are chosen: in every region of its own, or else the first candidate that passes.
 * Most selectors have no regions, because only one part of the chart handles the event.
 */
interface Selector {
  readonly regions: readonly Selector[];
  readonly candidates: readonly Candidate[];
}

const NOTHING: Selector = { regions: [], candidates: [] };

export class Configuration {
  /** The active nodes, ancestors included, in the order in which they were entered. */
  readonly nodes: readonly AnyStateNode[];
  readonly history: History;
  /** True when eventless transitions may be taken from here. */
  readonly hasAlways: boolean;
  readonly #machine: MicrostepSource;
  readonly #always: Selector;
  readonly #nothingTaken: Taken;
  readonly #selectors = new Map<string, Selector>();
  // The last two types of events and what is known of them: most charts see few types in a state.
  #lastType: string | null = null;
  #lastSelector: Selector = NOTHING;
  #otherType: string | null = null;
  #otherSelector: Selector = NOTHING;
  #state: string | null = null;
  #paths: ReadonlySet<string> | null = null;

  constructor(machine: MicrostepSource, nodes: readonly AnyStateNode[], history: History) {
    this.#machine = machine;
    this.nodes = nodes;
    this.history = history;
    this.#always = this.#alwaysSelector();
    this.hasAlways = this.#always !== NOTHING;
    this.#nothingTaken = new Taken(machine, this, []);
  }

  /** The leaves, as `Chart.state` shows them. */
  get state(): string {
    this.#state ??= stateText(this.nodes);
    return this.#state;
  }

  /** Dotted paths of all active nodes. */
  get paths(): ReadonlySet<string> {
    this.#paths ??= new Set(this.nodes.map((node) => node.path.join('.')));
    return this.#paths;
  }

  /** What an event of this type does, or null when nothing handles it. */
  select(type: string, args: unknown): Microstep | null {
    if (type === this.#lastType) return this.#choose(this.#lastSelector, args);
    if (type === this.#otherType) return this.#choose(this.#otherSelector, args);
    this.#otherType = this.#lastType;
    this.#otherSelector = this.#lastSelector;
    this.#lastType = type;
    this.#lastSelector = this.#selectors.get(type) ?? this.#selectorOf(type);
    return this.#choose(this.#lastSelector, args);
  }

  /** What the eventless transitions do, or null when none is enabled. */
  selectAlways(args: unknown): Microstep | null {
    return this.#choose(this.#always, args);
  }

  #choose(selector: Selector, args: unknown): Microstep | null {
    if (selector.regions.length > 0) {
      const taken = takeTogether(selector, args, this.#nothingTaken);
      return taken === this.#nothingTaken ? null : taken.microstep;
    }
    const { candidates } = selector;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i];
      if (candidate.guard === null || candidate.guard(args, candidate.params)) {
        candidate.microstep ??= this.#nothingTaken.with(candidate.transition).microstep;
        return candidate.microstep;
      }
    }
    return null;
  }

  #selectorOf(type: string): Selector {
    const selector = this.#nodeSelector(this.#machine.machine.root, type);
    this.#selectors.set(type, selector);
    return selector;
  }

  /** Inner states go before outer ones; regions of a parallel state each have their say. */
  #nodeSelector(node: AnyStateNode, type: string): Selector {
    const own = matchingTransitions(node, type).map((transition) => this.#candidate(transition));
    const inner = this.nodes
      .filter((child) => child.parent === node)
      .map((child) => this.#nodeSelector(child, type))
      .filter((selector) => selector.regions.length + selector.candidates.length > 0);
    if (inner.length === 0) return { regions: [], candidates: own };
    if (inner.length === 1) {
      const [{ regions, candidates }] = inner;
      return { regions, candidates: [...candidates, ...own] };
    }
    return { regions: inner, candidates: own };
  }

  /** Each leaf has its say: the first eventless transition that passes, from inside out. */
  #alwaysSelector(): Selector {
    const chains: AnyTransitionDefinition[][] = [];
    for (const leaf of this.nodes.filter(isLeaf)) {
      const chain = [leaf, ...ancestorsBelow(leaf)].flatMap((node) => node.always ?? []);
      const isNew = !chains.some((other) => {
        return other.length === chain.length && other.every((each, i) => each === chain[i]);
      });
      if (chain.length > 0 && isNew) chains.push(chain);
    }
    const selectors = chains.map((chain) => ({
      regions: [],
      candidates: chain.map((transition) => this.#candidate(transition)),
    }));
    if (selectors.length === 0) return NOTHING;
    return selectors.length === 1 ? selectors[0] : { regions: selectors, candidates: [] };
  }

  #candidate(transition: AnyTransitionDefinition): Candidate {
    const { machine } = this.#machine;
    const { call, params } = compileGuard(machine, this.nodes, transition.guard);
    return { guard: call, params, transition, microstep: null };
  }
}

/** Transitions taken together from one configuration, in order. Equal lists are one object. */
class Taken {
  readonly #machine: MicrostepSource;
  readonly #from: Configuration;
  readonly #transitions: readonly AnyTransitionDefinition[];
  readonly #longer = new Map<AnyTransitionDefinition, Taken>();
  #microstep: Microstep | null = null;

  constructor(
    machine: MicrostepSource,
    from: Configuration,
    transitions: readonly AnyTransitionDefinition[],
  ) {
    this.#machine = machine;
    this.#from = from;
    this.#transitions = transitions;
  }

  /** The list with one more; the same list when it is in already. */
  with(transition: AnyTransitionDefinition): Taken {
    let longer = this.#longer.get(transition);
    if (longer === undefined) {
      longer = this.#transitions.includes(transition)
        ? this
        : new Taken(this.#machine, this.#from, [...this.#transitions, transition]);
      this.#longer.set(transition, longer);
    }
    return longer;
  }

  get microstep(): Microstep {
    this.#microstep ??= this.#machine.microstep(this.#from, this.#transitions);
    return this.#microstep;
  }
}

function takeTogether(selector: Selector, args: unknown, before: Taken): Taken {
  let taken = before;
  for (const region of selector.regions) taken = takeTogether(region, args, taken);
  if (taken !== before) return taken;
  for (const candidate of selector.candidates) {
    if (candidate.guard === null || candidate.guard(args, candidate.params)) {
      return before.with(candidate.transition);
    }
  }
  return before;
}
