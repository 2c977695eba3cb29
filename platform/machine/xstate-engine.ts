// The reference engine: XState's own interpreter. An actor whose clock is the kernel and whose errors
// are caught at each step, because XState itself reports them late, in a later turn of the host.
import {
  type Actor,
  type ActorLogic,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
} from 'xstate';
import type { ChartEngine, ChartInstance, ChartPort, ChartTimer } from './chart.ts';
import { MICROSTEPS_MAX } from './limits.ts';
import { stateText } from './state-text.ts';
import { allNodes, checkActive } from './state-tree.ts';

// The machine's parameters are erased here: the host is typed at its border, `ChartHost.start`.
// biome-ignore lint/suspicious/noExplicitAny: XState's own erased types are written with any.
type Logic = ActorLogic<AnyMachineSnapshot, EventObject, unknown, any, any>;

/** Runs charts on XState's interpreter. */
export const xstateEngine: ChartEngine = {
  name: 'xstate',
  create: (machine, port, input) => new XStateInstance(machine, port, input),
};

class XStateInstance implements ChartInstance {
  eventType = '';
  readonly #machine: AnyStateMachine;
  readonly #port: ChartPort;
  readonly #input: unknown;
  /** Only then can XState arrive at an impossible set of states. */
  readonly #hasHistory: boolean;
  #actor: Actor<Logic> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(machine: AnyStateMachine, port: ChartPort, input: unknown) {
    this.#machine = machine;
    this.#port = port;
    this.#input = input;
    this.#hasHistory = allNodes(machine).some((node) => node.type === 'history');
    // A cycle of eventless transitions would never return otherwise.
    machine.options.maxIterations = Math.min(
      machine.options.maxIterations ?? MICROSTEPS_MAX,
      MICROSTEPS_MAX,
    );
  }

  begin(): void {
    const machine = this.#machine;
    const port = this.#port;
    this.eventType = 'xstate.init';
    // The machine's logic, with the event noted, also for timers, which XState delivers by itself.
    const logic: Logic = {
      transition: (snapshot, event, scope) => {
        this.eventType = event.type;
        return machine.transition(snapshot, event, scope);
      },
      getInitialSnapshot: (scope, input) => machine.getInitialSnapshot(scope, input as never),
      getPersistedSnapshot: (snapshot) => machine.getPersistedSnapshot(snapshot),
    };
    const clock = {
      setTimeout: (fire: () => void, delay: number): unknown => port.startTimer(fire, delay),
      clearTimeout: (timer: unknown): void => port.cancelTimer(timer as ChartTimer),
    };
    const actor = createActor(logic, { clock: clock as never, input: this.#input });
    actor.on('*', (effect) => port.emit(effect));
    actor.subscribe({
      error: (error) => {
        this.#failure = { error };
      },
    });
    this.#actor = actor;
    actor.start();
    this.#check();
  }

  step(event: EventObject): void {
    this.#actor!.send(event);
    this.#check();
  }

  fire(payload: unknown): void {
    (payload as () => void)();
    this.#check();
  }

  get context(): unknown {
    return this.#snapshot.context;
  }

  get state(): string {
    return stateText(this.#snapshot._nodes);
  }

  matches(path: string): boolean {
    return this.#snapshot.matches(path);
  }

  get done(): boolean {
    return this.#snapshot.status === 'done';
  }

  get #snapshot(): AnyMachineSnapshot {
    return this.#actor!.getSnapshot();
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#hasHistory) checkActive(this.#snapshot._nodes);
  }
}
