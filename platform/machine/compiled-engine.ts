// The fast engine: runs a machine's tables with the very guards, assigns and effect functions of the
// machine. It gives the same states, contexts, effects and timers as XState's interpreter.
//
// Deviation: functions get `context`, `event` and their parameters; `self`, `system` and `spawn`, which
// belong to XState's actors, throw when read. The argument object is reused: read it, do not keep it.
import { assign, cancel, type EventObject, emit, raise } from 'xstate';
import type { ChartEngine, ChartInstance, ChartPort, ChartTimer } from './chart.ts';
import { type CompiledMachine, compileMachine } from './compiled-machine.ts';
import type { Configuration, Microstep } from './configuration.ts';
import { compileGuard } from './guard.ts';
import { MICROSTEPS_MAX } from './limits.ts';
import { compileAction, Kind, type Operation, type UserFunction } from './operation.ts';

/** Runs charts from tables made of their machines. */
export const compiledEngine: ChartEngine = {
  name: 'compiled',
  create: (machine, port, input) => new CompiledInstance(compileMachine(machine), port, input),
};

// biome-ignore lint/suspicious/noExplicitAny: the context of any machine.
type Context = any;

/** What guards and actions are called with. */
class Arguments {
  context: Context = {};
  event: EventObject = { type: '' };

  get self(): never {
    throw new Error('a compiled chart has no actor: self cannot be used');
  }

  get system(): never {
    throw new Error('a compiled chart has no actor system: system cannot be used');
  }

  get spawn(): never {
    throw new Error('a compiled chart cannot spawn actors');
  }
}

/** What the context factory is called with. */
class ContextArguments {
  readonly input: unknown;

  constructor(input: unknown) {
    this.input = input;
  }

  get self(): never {
    throw new Error('a compiled chart has no actor: self cannot be used');
  }

  get spawn(): never {
    throw new Error('a compiled chart cannot spawn actors');
  }
}

/** A delayed event; operations with a fixed event serve as their own payload. */
type Payload = Pick<Operation, 'value' | 'timer'>;

class CompiledInstance implements ChartInstance {
  done = false;
  readonly #tables: CompiledMachine;
  readonly #port: ChartPort;
  readonly #input: unknown;
  readonly #args = new Arguments();
  #configuration: Configuration;
  readonly #raised: EventObject[] = [];
  /** Pending timers by the number of their id. */
  readonly #timers: (ChartTimer | undefined)[] = [];
  /** Set by every assignment, for the loop of eventless transitions. */
  #assigned = false;

  constructor(tables: CompiledMachine, port: ChartPort, input: unknown) {
    this.#tables = tables;
    this.#port = port;
    this.#input = input;
    this.#configuration = tables.initial.next;
  }

  get context(): unknown {
    return this.#args.context;
  }

  get state(): string {
    return this.#configuration.state;
  }

  get eventType(): string {
    return this.#args.event.type;
  }

  matches(path: string): boolean {
    return this.#configuration.paths.has(path);
  }

  begin(): void {
    const args = this.#args;
    const { machine, initial } = this.#tables;
    const { context } = machine.config;
    args.event = { type: 'xstate.init', input: this.#input } as EventObject;
    if (typeof context === 'function') {
      args.context = { ...context(new ContextArguments(this.#input) as never) };
    } else if (context) {
      args.context = context;
    }
    this.#take(initial);
    this.#settle();
  }

  step(event: EventObject): void {
    const args = this.#args;
    const configuration = this.#configuration;
    args.event = event;
    try {
      const microstep = configuration.select(event.type, args);
      if (microstep !== null) this.#take(microstep);
      if (this.#raised.length > 0 || this.#configuration.hasAlways) this.#settle();
    } catch (error) {
      // A failed step is reported with its own event and the state it began in.
      args.event = event;
      this.#configuration = configuration;
      throw error;
    }
  }

  fire(payload: unknown): void {
    const { value, timer } = payload as Payload;
    if (timer >= 0) this.#timers[timer] = undefined;
    this.step(value!);
  }

  /** Takes eventless transitions and raised events until nothing is left to do. */
  #settle(): void {
    const args = this.#args;
    const { event } = args;
    const raised = this.#raised;
    let next = 0;
    let tryAlways = true;
    for (let steps = 0; !this.done; steps++) {
      if (steps === MICROSTEPS_MAX) {
        throw new Error(`more than ${MICROSTEPS_MAX} transitions in one step: they go in a circle`);
      }
      const eventless: Microstep | null = tryAlways ? this.#configuration.selectAlways(args) : null;
      if (eventless !== null) {
        this.#assigned = false;
        this.#take(eventless);
        // One that changes nothing would stay enabled for ever.
        tryAlways = eventless.changes || this.#assigned;
        continue;
      }
      if (next === raised.length) break;
      args.event = raised[next++];
      const microstep = this.#configuration.select(args.event.type, args);
      if (microstep !== null) this.#take(microstep);
      tryAlways = true;
    }
    raised.length = 0;
    args.event = event;
  }

  #take(microstep: Microstep): void {
    const { effects, operations } = microstep;
    if (effects !== null) {
      if (effects.length > 0) this.#port.emitAll(effects);
    } else {
      for (let i = 0; i < operations.length; i++) this.#run(operations[i]);
    }
    this.#configuration = microstep.next;
    if (microstep.finishes) this.done = true;
  }

  #run(operation: Operation): void {
    const args = this.#args;
    const { call, paramsOf } = operation;
    const params = paramsOf === null ? operation.params : paramsOf(args);
    switch (operation.kind) {
      case Kind.emit:
        this.#port.emit(operation.value);
        break;
      case Kind.emitCall:
        this.#port.emit(call!(args, params));
        break;
      case Kind.assignCall:
        this.#assign(call!(args, params));
        break;
      case Kind.assignKeys:
        this.#assignKeys(operation, params);
        break;
      case Kind.raise:
        this.#raised.push(operation.value!);
        break;
      case Kind.raiseCall:
        this.#raise({ value: call!(args, params), timer: operation.timer }, operation, params);
        break;
      case Kind.timer:
        this.#raise(operation, operation, params);
        break;
      case Kind.cancel:
        this.#cancel(operation, params);
        break;
      case Kind.custom:
        call!(args, params);
        break;
      case Kind.enqueue:
        this.#enqueue(call!, params);
        break;
      case Kind.done:
        this.#raiseDone(operation);
        break;
    }
  }

  #assign(update: object | undefined): void {
    this.#args.context = Object.assign({ ...this.#args.context }, update);
    this.#assigned = true;
  }

  #assignKeys(operation: Operation, params: unknown): void {
    const args = this.#args;
    const { keys, sources } = operation;
    const context = { ...args.context };
    for (let i = 0; i < keys.length; i++) {
      const source = sources[i];
      context[keys[i]] = typeof source === 'function' ? source(args, params) : source;
    }
    args.context = context;
    this.#assigned = true;
  }

  #raise(payload: Payload, operation: Operation, params: unknown): void {
    const { delay } = operation;
    const length = typeof delay === 'function' ? delay(this.#args, params) : delay;
    if (typeof length !== 'number') {
      this.#raised.push(payload.value!);
      return;
    }
    const timer = this.#port.startTimer(payload, length);
    if (payload.timer >= 0) this.#timers[payload.timer] = timer;
  }

  #raiseDone({ value, call }: Operation): void {
    const event = call === null ? value! : { ...value!, output: call(this.#args) };
    this.#raised.push(event);
  }

  #cancel({ timer, call }: Operation, params: unknown): void {
    const id = call === null ? timer : this.#tables.timers.numberOf(call(this.#args, params));
    const pending = this.#timers[id];
    if (pending === undefined) return;
    this.#timers[id] = undefined;
    this.#port.cancelTimer(pending);
  }

  /** Collects actions from a function of `enqueueActions`, then runs them. */
  #enqueue(collect: UserFunction, params: unknown): void {
    const { machine, timers } = this.#tables;
    const { context, event } = this.#args;
    const actions: unknown[] = [];
    const enqueue = Object.assign((action: unknown) => void actions.push(action), {
      assign: (assignment: never) => void actions.push(assign(assignment)),
      emit: (effect: never) => void actions.push(emit(effect)),
      raise: (raised: never, options: never) => void actions.push(raise(raised, options)),
      cancel: (id: never) => void actions.push(cancel(id)),
    });
    const check = (reference: unknown): boolean => {
      const guard = compileGuard(machine, this.#configuration.nodes, reference);
      return guard.call === null || Boolean(guard.call(this.#args, guard.params));
    };
    collect({ context, event, enqueue, check }, params);
    // Made anew at each call, so not worth keeping.
    for (const action of actions) this.#run(compileAction(machine, timers, action));
  }
}
