// Draws statecharts from a seed: nested and parallel states, history, final states, eventless and
// delayed transitions, raised events, wildcards, guards on context and on other states. Every loop that
// takes no time burns fuel, so that charts come to rest.
import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  type EventObject,
  emit,
  enqueueActions,
  not,
  or,
  raise,
  setup,
  stateIn,
} from 'xstate';
import { type RandomStream, randomStream } from '../../platform/kernel/index.ts';
import type { EventSource } from './machine-equivalence.ts';

export interface RandomChart {
  readonly machine: AnyStateMachine;
  readonly events: readonly EventSource[];
  /** Written by the machine's action functions. */
  readonly journal: unknown[];
}

interface Context {
  readonly a: number;
  readonly b: number;
  readonly fuel: number;
}

interface Happening extends EventObject {
  readonly value?: number;
  readonly output?: unknown;
}

const EVENT_TYPES = ['E0', 'E1', 'E2', 'res.GET', 'res.SET', 'res.SET.bad', 'odd'];
const DESCRIPTORS = [...EVENT_TYPES, 'LATER', 'R0', 'R1', 'R2', 'res.*', 'res.SET.*', '*'];
const DELAYS = ['SHORT', 'LONG', 'COMPUTED'];

/** Draws one chart. */
export function randomChart(seed: number): RandomChart {
  const journal: unknown[] = [];
  const random = randomStream(seed, 'random chart');
  const builder = new ConfigBuilder(random);
  const context: Context = { a: 0, b: 0, fuel: 8 };
  const config = { ...builder.root(), id: `random${seed}`, context };
  const machine: unknown = implementations(journal).createMachine(config as never);
  const events = EVENT_TYPES.map((type) => {
    return (draw: RandomStream): EventObject & { value: number } => ({
      type,
      value: draw.below(6),
    });
  });
  return { machine: machine as AnyStateMachine, events, journal };
}

function implementations(journal: unknown[]) {
  return setup({
    types: {} as { context: Context; events: Happening; emitted: EventObject },
    delays: {
      SHORT: 100,
      LONG: 1000,
      COMPUTED: ({ context, event }) => 1 + context.a * 10 + (event.value ?? 0),
      ONCE: ({ context, event }) => (breeds(event) ? Infinity : 1 + context.b * 7),
    },
    guards: {
      even: ({ context }) => context.a % 2 === 0,
      below: ({ context }, params: { max: number }) => context.b < params.max,
      large: ({ event }) => (event.value ?? 0) > 2,
      fuelled: ({ context }) => context.fuel > 0,
      evenAndFuelled: and(['even', 'fuelled']),
    },
    actions: {
      count: assign({ a: ({ context }) => (context.a + 1) % 7, b: 3 }),
      add: assign(({ context, event }, params: { by: number }) => ({
        b: (context.b + params.by + (event.value ?? 0)) % 11,
      })),
      burn: assign({ fuel: ({ context }) => context.fuel - 1 }),
      refill: assign(() => ({ fuel: 8 })),
      note: emit({ type: 'noted' }),
      tell: emit(({ context, event }, params: { tag: number } | undefined) => ({
        ...{ type: 'told', of: event.type, output: event.output },
        ...{ a: context.a, b: context.b, tag: params?.tag },
      })),
      write: ({ context, event }, params: { tag: number }) => {
        journal.push([context.a, event.type, params.tag]);
      },
      later: raise({ type: 'LATER' }, { id: 'later', delay: 'ONCE' }),
      laterWithValue: raise(({ context }) => ({ type: 'LATER', value: context.b }), {
        id: 'later',
        delay: ({ context, event }) => (breeds(event) ? Infinity : 2 + context.a * 5),
      }),
      cancelLater: cancel('later'),
      raise0: raise({ type: 'R0' }),
      raise1: raise(({ context }) => ({ type: 'R1', value: context.a })),
      raise2: raise({ type: 'R2' }),
      choose: enqueueActions(({ context, enqueue, check }) => {
        if (check('even' as never)) enqueue.assign({ b: context.b + 1 });
        enqueue('note' as never);
        enqueue({ type: 'tell', params: { tag: context.b } } as never);
        if (check({ type: 'below', params: { max: 3 } } as never)) enqueue.raise({ type: 'R2' });
      }),
    },
  });
}

/** A delayed event must not start more delayed events than it was, or they multiply. */
function breeds(event: EventObject): boolean {
  return event.type === 'LATER' || /^R\d$/.test(event.type);
}

interface Node {
  readonly id: string;
  readonly key: string;
  readonly config: Record<string, unknown>;
  readonly parent: Node | null;
  readonly children: Node[];
}

/** Builds the configuration: first the tree, then everything that refers to it. */
class ConfigBuilder {
  readonly #random: RandomStream;
  readonly #nodes: Node[] = [];

  constructor(random: RandomStream) {
    this.#random = random;
  }

  root(): Record<string, unknown> {
    const root = this.#node(null, 'top', 0);
    for (const node of this.#nodes) this.#addBehaviour(node);
    return root.config;
  }

  #chance(numerator: number, denominator: number): boolean {
    return this.#random.ratio(numerator, denominator);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)];
  }

  #node(parent: Node | null, key: string, depth: number): Node {
    const id = `n${this.#nodes.length}`;
    const node: Node = { id, key, config: { id }, parent, children: [] };
    this.#nodes.push(node);
    const branches = depth === 0 || (depth < 4 && this.#chance(2, 5));
    if (branches) this.#addChildren(node, depth);
    return node;
  }

  #addChildren(node: Node, depth: number): void {
    const { config } = node;
    const parallel = this.#chance(1, 3);
    const count = 2 + this.#random.below(2);
    for (let i = 0; i < count; i++) node.children.push(this.#node(node, `s${i}`, depth + 1));
    if (parallel) {
      config['type'] = 'parallel';
    } else {
      const target = `s${this.#random.below(count)}`;
      config['initial'] = this.#chance(1, 3) ? { target, actions: this.#actions(3) } : target;
      if (this.#chance(1, 4)) node.children.push(this.#leaf(node, 'end', { type: 'final' }));
    }
    if (this.#chance(1, 3)) {
      const history = this.#chance(1, 2) ? 'deep' : 'shallow';
      const target = this.#chance(1, 2) ? { target: 's1' } : {};
      node.children.push(this.#leaf(node, 'last', { type: 'history', history, ...target }));
    }
    config['states'] = Object.fromEntries(node.children.map((child) => [child.key, child.config]));
  }

  #leaf(parent: Node, key: string, config: Record<string, unknown>): Node {
    const id = `n${this.#nodes.length}`;
    const node: Node = { id, key, config: { id, ...config }, parent, children: [] };
    this.#nodes.push(node);
    return node;
  }

  #addBehaviour(node: Node): void {
    const { config } = node;
    if (config['type'] === 'history') return;
    if (this.#chance(1, 2)) config['entry'] = this.#actions(3);
    if (this.#chance(1, 2)) config['exit'] = this.#actions(3);
    if (config['type'] === 'final') {
      if (this.#chance(1, 2)) config['output'] = ({ context }: { context: Context }) => context.a;
      return;
    }
    const on: Record<string, unknown> = {};
    const handled = 1 + this.#random.below(6);
    for (let i = 0; i < handled; i++) {
      const descriptor = this.#pick(DESCRIPTORS);
      on[descriptor] = this.#handler(descriptor);
    }
    config['on'] = on;
    if (this.#chance(1, 4)) config['after'] = { [this.#pick(DELAYS)]: this.#transitions(0) };
    if (this.#chance(1, 5)) config['always'] = this.#fuelled();
    if (node.children.length > 0 && this.#chance(1, 2)) config['onDone'] = this.#fuelled();
  }

  #handler(descriptor: string): unknown {
    // It also takes the events that the chart raises and those of final states.
    if (descriptor === '*') return this.#fuelled();
    return this.#transitions(/^R\d$/.test(descriptor) ? Number(descriptor[1]) + 1 : 0);
  }

  #transitions(raisesFrom: number): unknown {
    if (this.#chance(1, 12)) return undefined;
    if (this.#chance(1, 8)) return `#${this.#target()}`;
    const count = 1 + this.#random.below(2);
    return Array.from({ length: count }, () => this.#transition(raisesFrom));
  }

  #transition(raisesFrom: number): Record<string, unknown> {
    const transition: Record<string, unknown> = {};
    if (this.#chance(3, 4)) transition['target'] = this.#targets();
    if (this.#chance(1, 3)) transition['reenter'] = true;
    if (this.#chance(1, 2)) transition['guard'] = this.#guard(2);
    if (this.#chance(2, 3)) transition['actions'] = this.#actions(raisesFrom);
    return transition;
  }

  /** A transition that takes no time: it must burn fuel, or it could be taken for ever. */
  #fuelled(): unknown {
    const transition = this.#transition(3);
    const guard = this.#chance(1, 2) ? 'fuelled' : and(['fuelled', this.#guard(1) as never]);
    return [{ ...transition, guard, actions: ['burn', ...this.#actions(3)] }];
  }

  #target(): string {
    return this.#pick(this.#nodes.slice(1)).id;
  }

  /** One target, or one in each of some regions of a parallel state. */
  #targets(): unknown {
    const parallel = this.#nodes.filter((node) => node.config['type'] === 'parallel');
    if (parallel.length === 0 || this.#chance(4, 5)) return `#${this.#target()}`;
    const regions = this.#pick(parallel).children.filter(
      (child) => child.config['type'] !== 'history',
    );
    return regions.slice(this.#random.below(regions.length)).map((region) => {
      const below = this.#nodes.filter((node) => isWithin(node, region));
      return `#${this.#pick(below).id}`;
    });
  }

  #guard(depth: number): unknown {
    const below = { type: 'below', params: { max: this.#random.below(8) } };
    const computed = {
      type: 'below',
      params: ({ context }: { context: Context }) => ({ max: context.a }),
    };
    const inState = stateIn(`#${this.#target()}`);
    if (depth > 0 && this.#chance(1, 3)) {
      const parts = [this.#guard(depth - 1), this.#guard(depth - 1)] as never[];
      return this.#pick([and(parts), or(parts), not(parts[0])]);
    }
    return this.#pick(['even', 'large', 'evenAndFuelled', below, computed, inState]);
  }

  /** Up to two actions; events R below `raisesFrom` are not raised, so that they cannot go round. */
  #actions(raisesFrom: number): unknown[] {
    const raises = ['raise0', 'raise1', 'raise2'].slice(raisesFrom);
    const tag = this.#random.below(100);
    const choices = [
      ...['count', 'refillOrNote', 'note', 'tell', 'later', 'laterWithValue', 'cancelLater'],
      ...raises,
      ...(raisesFrom < 3 ? ['choose'] : []),
      { type: 'add', params: { by: 1 } },
      { type: 'add', params: ({ context }: { context: Context }) => ({ by: context.a }) },
      { type: 'tell', params: { tag } },
      { type: 'write', params: { tag } },
    ];
    return Array.from({ length: 1 + this.#random.below(2) }, () => {
      const choice = this.#pick(choices);
      // Fuel comes with events from outside only.
      if (choice !== 'refillOrNote') return choice;
      return raisesFrom === 0 ? 'refill' : 'note';
    });
  }
}

function isWithin(node: Node, ancestor: Node): boolean {
  for (let each: Node | null = node; each !== null; each = each.parent) {
    if (each === ancestor) return true;
  }
  return false;
}
