// The steps of a script: how a driver says which ones its device has, what a step may say, and what plays it.
import { type ZodObject, type ZodRawShape, z } from 'zod';
import type { DevicePlan } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { DriverWatcher } from './driver-control.ts';
import type { VirtioDriver } from './virtio-driver.ts';

/** A kind of step. */
export interface StepRow {
  readonly doc: string;
  /** What such a step may say, besides what it is and what is expected of it. */
  readonly fields: ZodRawShape;
  /** Says what would be right of a step whose fields do not go together, or null. */
  readonly rule?: (step: Readonly<Record<string, unknown>>) => string | null;
  /** How it may end, as it usually does first; empty when it can only end well or be wrong. */
  readonly outcomes: readonly string[];
  /** Counts as a request in the report, with its latency. */
  readonly isRequest?: boolean;
}

/** Kinds of steps by name. */
export type StepRows = Readonly<Record<string, StepRow>>;

/** A step of a script, whatever its kind. */
export interface AnyStep {
  readonly do: string;
  readonly expect?: string;
}

/** A step of one of these kinds. */
export type StepOf<Rows extends StepRows> = {
  readonly [Name in keyof Rows & string]: AnyStep & { readonly do: Name } & Readonly<
      z.output<ZodObject<Rows[Name]['fields']>>
    >;
}[keyof Rows & string];

/** How a step ended. */
export interface StepEnd {
  /** One of the kind's outcomes. */
  readonly outcome?: string;
  /** What there is to say of an outcome that nobody expected. */
  readonly detail?: string | null;
  /** What was found that should not be; null when what was found was compared and is right. */
  readonly wrong?: string | null;
  /** Bytes that were moved. */
  readonly bytes?: number;
}

/** What a player knows of its script. */
export interface ScriptPort<D, Step> {
  readonly node: Node;
  readonly driver: D;
  readonly device: DevicePlan;
  /** The steps that are the player's, in their order. */
  readonly steps: readonly Step[];
  /** Has `expired` called after so many ps, if the step under way is still the same then. */
  expireAfter(time: number): void;
  /** The step under way is over. */
  end(end?: StepEnd): void;
}

/** Plays steps, one at a time; it is told of the device whatever step is under way. */
export interface StepPlayer<Step> extends Partial<DriverWatcher> {
  /** Begins a step. The device is live. */
  begin(step: Step): void;
  expired?(): void;
}

/** The steps of a driver's own, and what plays them. */
export interface DriverSteps {
  readonly rows: StepRows;
  /** Makes the player for a script, before the device is live. */
  open(port: ScriptPort<never, never>): StepPlayer<never>;
}

/** Types the steps of a driver. */
export function defineSteps<D extends VirtioDriver, Rows extends StepRows>(
  rows: Rows,
  open: (port: ScriptPort<D, StepOf<Rows>>) => StepPlayer<StepOf<Rows>>,
): DriverSteps {
  return { rows, open: open as unknown as DriverSteps['open'] };
}

/** Types the kinds of steps of a driver. */
export function defineRows<const Rows extends StepRows>(rows: Rows): Rows {
  return rows;
}

/** A rule of steps: they have exactly one of two fields. */
export function oneOf(one: string, other: string): NonNullable<StepRow['rule']> {
  return (step) =>
    (step[one] === undefined) === (step[other] === undefined)
      ? `either '${one}' or '${other}'`
      : null;
}

/** The schema of one kind of step. */
export function stepSchema(name: string, { doc, fields, rule, outcomes }: StepRow): ZodObject {
  const [usual] = outcomes;
  const schema = z.strictObject({
    do: z.literal(name).describe(doc),
    ...fields,
    ...(usual === undefined
      ? {}
      : { expect: z.enum(outcomes).default(usual).describe('How it must end.') }),
  });
  if (rule === undefined) return schema.describe(doc);
  const checked = schema.superRefine((step: Readonly<Record<string, unknown>>, context) => {
    const expected = rule(step);
    if (expected === null) return;
    const message = `the keys of this step '${name}' do not go together`;
    context.addIssue({ code: 'custom', message, params: { code: 'BAD_VALUE', expected } });
  });
  return checked.describe(doc);
}
