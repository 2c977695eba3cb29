// A workload that does what the scenario says, step by step, and checks what comes of each. Which steps there
// are is the drivers' own affair; those of `common` every device has.
import { type ZodObject, z } from 'zod';
import type {
  DevicePlan,
  WorkloadDefinition,
  WorkloadEnvironment,
  WorkloadResult,
} from '../../platform/contracts/index.ts';
import { nearestName } from '../../platform/scenario/index.ts';
import { LayoutCodec } from '../../platform/wire/index.ts';
import {
  type AnyStep,
  CommonPlayer,
  commonRows,
  type DriverRow,
  type DriverWatcher,
  type ScriptPort,
  type StepEnd,
  type StepPlayer,
  type StepRows,
  stepSchema,
  type VirtioDriver,
} from '../common/index.ts';
import { WorkloadBase } from './workload-base.ts';

type Drivers = Readonly<Record<string, DriverRow>>;

interface ScriptOptions {
  readonly steps: readonly AnyStep[];
}

const GO_ON = 0;
const EXPIRED = 1;

class Script extends WorkloadBase implements DriverWatcher {
  readonly #steps: readonly AnyStep[];
  readonly #driver: VirtioDriver;
  readonly #rows: StepRows;
  readonly #ownRows: StepRows;
  readonly #players: readonly StepPlayer<AnyStep>[];
  readonly #kinds: readonly string[];
  readonly #timer: number;
  /** The step under way, or the last one that was. */
  #at = -1;
  #since = 0;
  /** Steps that ended otherwise than expected. */
  #wrong = 0;
  /** A step waits for the device; is under way; is being begun at this instant. */
  #held = false;
  #busy = false;
  #beginning = false;
  /** How the step under way has ended that was just begun. */
  #ended: StepEnd | null = null;

  constructor(environment: WorkloadEnvironment<ScriptOptions, VirtioDriver>, row: DriverRow) {
    const { node, plan, driver, finished } = environment;
    const { steps } = plan.options;
    const ownRows = row.steps?.rows ?? {};
    const rows: StepRows = { ...commonRows(row), ...ownRows };
    const kinds = [...new Set(steps.map((step) => step.do))].filter((kind) => rows[kind].isRequest);
    super({
      node,
      name: plan.name,
      duration: Infinity,
      depth: 1,
      thinkTime: 0,
      operations: kinds,
      finished,
    });
    this.#steps = steps;
    this.#driver = driver;
    this.#rows = rows;
    this.#ownRows = ownRows;
    this.#kinds = kinds;
    this.#timer = node.add({ deliver: (kind, at) => this.#due(kind, at) });
    this.#players = this.#open(environment, row);
    driver.observe(this);
  }

  deviceLive(): void {
    for (const player of this.#players) player.deviceLive?.();
    if (this.#held) this.#begin();
    this.ready();
  }

  deviceInterrupted(): void {
    for (const player of this.#players) player.deviceInterrupted?.();
  }

  deviceDown(reason: string): void {
    this.down(reason);
    for (const player of this.#players) player.deviceDown?.(reason);
  }

  deviceConfigChanged(): void {
    for (const player of this.#players) player.deviceConfigChanged?.();
  }

  override progress(): number | null {
    return Math.max(0, this.#at) / this.#steps.length;
  }

  override result(): WorkloadResult {
    return { ...super.result(), steps: { total: this.#steps.length, wrong: this.#wrong } };
  }

  protected override next(): boolean {
    if (this.#at + 1 === this.#steps.length) return false;
    this.#at++;
    this.#held = !this.#driver.live;
    if (!this.#held) this.#begin();
    return true;
  }

  /** One player for the common steps, one for those of the driver's own. */
  #open(
    { node, driver, device }: WorkloadEnvironment<ScriptOptions, VirtioDriver>,
    row: DriverRow,
  ): StepPlayer<AnyStep>[] {
    const portOf = (own: boolean): ScriptPort<never, never> => ({
      node,
      driver: driver as never,
      device,
      steps: this.#steps.filter((step) => this.#isOwn(step) === own) as never[],
      expireAfter: (time) => node.kernel.schedule(this.#timer, time, EXPIRED, this.#at),
      end: (end = {}) => this.#end(end),
    });
    const players: StepPlayer<never>[] = [new CommonPlayer(portOf(false), row)];
    if (row.steps !== undefined) players.push(row.steps.open(portOf(true)));
    return players as unknown as StepPlayer<AnyStep>[];
  }

  #isOwn(step: AnyStep): boolean {
    return Object.hasOwn(this.#ownRows, step.do);
  }

  #playerOf(step: AnyStep): StepPlayer<AnyStep> {
    return this.#players[this.#isOwn(step) ? 1 : 0];
  }

  #begin(): void {
    const step = this.#steps[this.#at];
    this.#held = false;
    this.#busy = true;
    this.#beginning = true;
    this.#since = this.node.kernel.now;
    this.#playerOf(step).begin(step);
    this.#beginning = false;
  }

  #due(kind: number, at: number): void {
    if (at !== this.#at || this.failure !== null) return;
    if (kind === GO_ON) this.#finish(this.#ended!);
    else if (this.#busy) this.#playerOf(this.#steps[at]).expired?.();
  }

  /** A step that ends while it is being begun is over an event later, so that no step calls the next. */
  #end(end: StepEnd): void {
    if (!this.#busy) return;
    this.#busy = false;
    if (!this.#beginning) return this.#finish(end);
    this.#ended = end;
    this.node.kernel.schedule(this.#timer, 0, GO_ON, this.#at);
  }

  #finish({ outcome, detail = null, wrong, bytes = 0 }: StepEnd): void {
    const step = this.#steps[this.#at];
    const { isRequest, outcomes } = this.#rows[step.do];
    const expected = outcomes.length === 0 || outcome === step.expect;
    if (wrong !== undefined) this.verified++;
    if (!expected) {
      const why = detail === null ? '' : `: ${detail}`;
      this.#complain(`ended in '${outcome}', not '${step.expect}'${why}`);
    } else if (typeof wrong === 'string') this.#complain(wrong);
    const failed = !expected || typeof wrong === 'string';
    if (failed) this.#wrong++;
    if (isRequest) {
      const moved = outcome === outcomes[0] ? bytes : 0;
      const latency = this.node.kernel.now - this.#since;
      return this.over(this.firstSlot, latency, failed, moved, this.#kinds.indexOf(step.do));
    }
    if (failed) this.errors++;
    this.goOn(this.firstSlot);
  }

  #complain(text: string): void {
    const what = `step ${this.#at + 1} (${this.#steps[this.#at].do})`;
    this.node.violations.report('VERIFY', `${this.name}: ${what} ${text}`);
  }
}

/** What a script takes whose steps are these. */
function optionsWith(step: z.ZodType): ZodObject {
  const steps = z.array(step).min(1).describe('What to do, one after another: see the steps.');
  return z.strictObject({ steps });
}

const schemasOf = (rows: StepRows) =>
  Object.entries(rows).map(([name, row]) => stepSchema(name, row)) as [ZodObject, ...ZodObject[]];

/** The steps of every device, with the names that some of them know. */
export function stepsOfAll(drivers: Drivers): StepRows {
  const rows = Object.values(drivers);
  const layouts = rows.map(({ config }) => config?.layout);
  return commonRows({
    features: Object.assign({}, ...rows.map(({ features }) => features)),
    config: new LayoutCodec('any configuration', Object.assign({}, ...layouts)),
    writable: rows.flatMap(({ writable = [] }) => writable),
  });
}

/** All steps of all devices, for editors; which of them a script may have depends on its device. */
function generalOptions(drivers: Drivers): ZodObject {
  const own = Object.values(drivers).flatMap(({ type, steps }) =>
    schemasOf(steps?.rows ?? {}).map((schema) => schema.describe(`${type}: ${schema.description}`)),
  );
  const common = stepsOfAll(drivers);
  const known = [common, ...Object.values(drivers).map(({ steps }) => steps?.rows ?? {})];
  const names = new Set(known.flatMap(Object.keys));
  const error = 'no device has such a step with these keys';
  const step = z.union([...schemasOf(common), ...own], { error });
  return optionsWith(oneOfKinds([...names], (kind) => `there is no step '${kind}'`, step));
}

/** A step whose kind must be one of these; `objection` says what is wrong with another. */
function oneOfKinds(
  known: readonly string[],
  objection: (kind: string) => string,
  step: z.ZodType,
): z.ZodType {
  return z.preprocess((raw, context) => {
    if (typeof raw !== 'object' || raw === null) return raw;
    const { do: kind } = raw as Readonly<Record<string, unknown>>;
    if (typeof kind === 'string' && known.includes(kind)) return raw;
    const message = kind === undefined ? "a step says by 'do' what it is" : objection(String(kind));
    const expected = `one of ${known.join(', ')}`;
    const nearest = typeof kind === 'string' ? nearestName(kind, known) : null;
    const params = { code: 'UNKNOWN_NAME', expected, nearest };
    context.addIssue({ code: 'custom', path: ['do'], message, params });
    return raw;
  }, step);
}

/** Chooses the steps of each type of device. */
class StepSchemas {
  readonly #drivers: Drivers;
  readonly #known = new Map<string, z.ZodType>();

  constructor(drivers: Drivers) {
    this.#drivers = drivers;
  }

  /** The options of a script on this device. */
  optionsOn({ name, type }: DevicePlan): ZodObject {
    const rows = this.rowsOf(type);
    const variants = this.#known.get(type) ?? z.discriminatedUnion('do', schemasOf(rows));
    this.#known.set(type, variants);
    const objection = (kind: string) => this.#objectionTo(kind, `${name} is of type ${type}`);
    return optionsWith(oneOfKinds(Object.keys(rows), objection, variants));
  }

  #objectionTo(kind: string, instead: string): string {
    const types = Object.keys(this.#drivers);
    const owners = types.filter((type) => Object.hasOwn(this.rowsOf(type), kind));
    if (owners.length === 0) return `there is no step '${kind}'`;
    return `step '${kind}' is for ${owners.join(', ')}, ${instead}`;
  }

  /** Kinds of steps that a type of device has. */
  rowsOf(type: string): StepRows {
    const row = this.#drivers[type] ?? {};
    return { ...commonRows(row), ...row.steps?.rows };
  }
}

/** The row of scripts, which drive whatever has a driver. */
export function scriptFor(drivers: Drivers): WorkloadDefinition {
  const schemas = new StepSchemas(drivers);
  return {
    type: 'script',
    drives: Object.keys(drivers),
    doc: 'Does on any device what a list of steps says, and checks what comes of each.',
    spec: 'busbar',
    options: generalOptions(drivers),
    optionsOn: (device) => schemas.optionsOn(device),
    timing: [],
    create: (environment: WorkloadEnvironment<never, never>) =>
      new Script(
        environment as unknown as WorkloadEnvironment<ScriptOptions, VirtioDriver>,
        drivers[environment.device.type],
      ),
  };
}
