// Steps that every device has: waiting, resets, its configuration, the features in force.
import { z } from 'zod';
import { PS_PER_MS, PS_PER_US } from '../../platform/kernel/index.ts';
import { count, time } from '../../platform/scenario/fields.ts';
import { coreFeatures } from '../../platform/virtio/index.ts';
import { type BitTable, type LayoutCodec, masksOf } from '../../platform/wire/index.ts';
import { type Bytes, bytesOf, differenceOf, lengthOf, valueField } from './step-bytes.ts';
import {
  type AnyStep,
  defineRows,
  type ScriptPort,
  type StepEnd,
  type StepPlayer,
  type StepRow,
  type StepRows,
} from './steps.ts';
import type { VirtioDriver } from './virtio-driver.ts';

const WITHIN = 100 * PS_PER_MS;

/** What a driver says of its device that steps name. */
export interface DeviceTables {
  /** Feature bits of the device's own. */
  readonly features?: BitTable;
  /** The configuration space. */
  readonly config?: Pick<LayoutCodec, 'layout' | 'places'>;
  /** Fields of it that a driver may write. */
  readonly writable?: readonly string[];
}

/** How long a step may wait for what must come. */
export const withinField = () =>
  time({ min: 1 })
    .default(WITHIN)
    .describe('How long it may take, otherwise it ends in `timeout`.');

const simpleRows = defineRows({
  sleep: {
    doc: 'Waits.',
    fields: { for: time({ min: 1 }).default(PS_PER_US).describe('How long.') },
    outcomes: [],
  },
  resetDevice: {
    doc: 'Resets the device, and goes on when it can be used again.',
    fields: {},
    outcomes: ['ok'],
  },
  resetQueue: {
    doc: 'Resets one queue, and goes on when it is in use again.',
    fields: { queue: count().default(0).describe('Which one.') },
    outcomes: ['ok', 'unsupported', 'lost'],
  },
  suspend: {
    doc: 'Suspends the device, resumes it after a time, and goes on when it is in use again.',
    fields: { for: time({ min: 1 }).default(PS_PER_US).describe('How long.') },
    outcomes: ['ok', 'unsupported', 'lost'],
  },
});

/** Where in the configuration space, and what must be there. */
function configFields({ config }: DeviceTables) {
  const names = namesOf(config);
  return {
    ...(names.length > 0
      ? { field: z.enum(names).optional().describe('A field of the configuration.') }
      : {}),
    at: count({ max: 4095 }).optional().describe('Or a place in bytes from its beginning.'),
  };
}

/** Says what would be right of a step that looks at the configuration. */
function configRule({ field, at, is }: Readonly<Record<string, unknown>>): string | null {
  if ((field === undefined) === (at === undefined)) return "either 'field' or 'at'";
  return at !== undefined && typeof is === 'number' && is > 255
    ? "hexadecimal digits in quotes with 'at'"
    : null;
}

function configRows(tables: DeviceTables): StepRows {
  const fields = configFields(tables);
  const writable = tables.writable ?? [];
  const is =
    'What must be there: a number for a field, or its bytes in hexadecimal digits, ? for any.';
  return {
    config: {
      doc: 'Reads from the configuration space and compares.',
      fields: { ...fields, is: valueField().describe(is) },
      rule: configRule,
      outcomes: [],
    },
    waitFor: {
      doc: 'Waits until the configuration changes, or until something is to be found there.',
      fields: { ...fields, is: valueField().optional().describe(is), within: withinField() },
      // Without a place, any change will do.
      rule: (step) =>
        step.is === undefined && step.field === undefined && step.at === undefined
          ? null
          : (configRule(step) ?? (step.is === undefined ? "'is' as well" : null)),
      outcomes: ['ok', 'timeout'],
    },
    ...(writable.length === 0
      ? {}
      : {
          setConfig: {
            doc: 'Writes a field of the configuration space.',
            fields: {
              field: z.enum(writable).describe('The field.'),
              to: valueField().describe('A number, or bytes in hexadecimal digits.'),
            },
            outcomes: ['ok', 'refused', 'lost'],
          },
        }),
  };
}

/** Kinds of steps that a device has whatever its type. */
export function commonRows(tables: DeviceTables): Readonly<Record<string, StepRow>> {
  const names = z.array(z.enum(Object.keys({ ...tables.features, ...coreFeatures })));
  return {
    ...simpleRows,
    ...configRows(tables),
    features: {
      doc: 'Compares the features that device and driver have agreed on.',
      fields: {
        has: names.default([]).describe('Features that must be in force.'),
        lacks: names.default([]).describe('Features that must not be.'),
      },
      outcomes: [],
    },
  };
}

/** Names of fields, but not of reserved bytes. */
function namesOf(config: DeviceTables['config']): string[] {
  const fields = Object.entries(config?.layout ?? {});
  return fields.filter(([, { form }]) => form === 'fixed').map(([name]) => name);
}

/** A step as the schemas above let it through. */
interface CommonStep extends AnyStep {
  readonly for: number;
  readonly queue: number;
  readonly field?: string;
  readonly at?: number;
  readonly is?: Bytes;
  readonly to: Bytes;
  readonly within: number;
  readonly has: readonly string[];
  readonly lacks: readonly string[];
}

/** Plays the common steps. */
export class CommonPlayer implements StepPlayer<CommonStep> {
  readonly #port: ScriptPort<VirtioDriver, CommonStep>;
  readonly #tables: DeviceTables;
  /** The step under way, if it is one of these. */
  #step: CommonStep | null = null;
  /** A look at the configuration is under way; it has changed since that was asked for. */
  #looking = false;
  #stale = false;
  /** In what the last look differs from what the step waits for. */
  #last: string | null = null;

  constructor(port: ScriptPort<VirtioDriver, CommonStep>, tables: DeviceTables) {
    this.#port = port;
    this.#tables = tables;
  }

  begin(step: CommonStep): void {
    const { driver } = this.#port;
    this.#step = step;
    this.#last = null;
    switch (step.do) {
      case 'sleep':
        return this.#port.expireAfter(step.for);
      case 'resetDevice':
        return driver.resetDevice();
      case 'resetQueue':
        return driver.resetQueue(step.queue, this.#over);
      case 'suspend':
        return driver.suspendDevice(step.for, this.#over);
      case 'features':
        return this.#compareFeatures(step);
      case 'setConfig':
        return this.#write(step);
      case 'waitFor':
        this.#port.expireAfter(step.within);
        if (step.is !== undefined) this.#look();
        return;
      default:
        return this.#look();
    }
  }

  expired(): void {
    if (this.#step?.do === 'sleep') this.#end();
    else if (this.#step !== null) this.#end({ outcome: 'timeout', detail: this.#last });
  }

  deviceLive(): void {
    if (this.#step?.do === 'resetDevice') this.#end({ outcome: 'ok' });
    // A look that a reset has come between is taken again.
    else if (this.#step?.is !== undefined) this.#look();
  }

  deviceConfigChanged(): void {
    if (this.#step?.do !== 'waitFor') return;
    if (this.#step.is === undefined) this.#end({ outcome: 'ok' });
    else this.#look();
  }

  /** The end of what the device may not be able to do, or what a loss may come between. */
  readonly #over = (done: boolean): void => {
    const refused = this.#port.driver.live ? 'unsupported' : 'lost';
    this.#end({ outcome: done ? 'ok' : refused });
  };

  #end(end: StepEnd = {}): void {
    this.#step = null;
    this.#port.end(end);
  }

  /** Looks at what the step under way is about. */
  #look(): void {
    this.#stale = this.#looking;
    if (this.#looking) return;
    const step = this.#step!;
    const { at, length } = this.#placeOf(step);
    const { driver } = this.#port;
    const size = driver.info?.configSize ?? 0;
    if (at + length > size)
      return this.#end({ wrong: `found only ${size} bytes of configuration` });
    this.#looking = true;
    driver.inspectConfig(at, length, (data) => {
      this.#looking = false;
      // Another look will be taken when the device is back, if this step still wants it.
      if (data === null || this.#step === null) return;
      if (this.#step !== step || this.#stale) return this.#look();
      this.#found(step, data);
    });
  }

  #found(step: CommonStep, data: Uint8Array): void {
    const wrong = differenceFrom(step, data);
    if (step.do === 'config') this.#end({ wrong });
    else if (wrong === null) this.#end({ outcome: 'ok', wrong });
    else this.#last = wrong;
  }

  #write(step: CommonStep): void {
    const { at, length } = this.#placeOf(step);
    const data = new Uint8Array(length);
    if (typeof step.to === 'string') data.set(bytesOf(step.to).subarray(0, length));
    else for (let i = 0; i < length; i++) data[i] = Math.floor(step.to / 256 ** i);
    this.#port.driver.changeConfig(at, data, (applied) => {
      const refused = this.#port.driver.live ? 'refused' : 'lost';
      this.#end({ outcome: applied ? 'ok' : refused });
    });
  }

  #compareFeatures({ has, lacks }: CommonStep): void {
    const masks: Readonly<Record<string, bigint>> = masksOf({
      ...this.#tables.features,
      ...coreFeatures,
    });
    const { features } = this.#port.driver;
    const missing = has.filter((name) => (features & masks[name]) === 0n);
    const surplus = lacks.filter((name) => (features & masks[name]) !== 0n);
    const parts = [
      ...(missing.length > 0 ? [`does not find ${missing.join(', ')}`] : []),
      ...(surplus.length > 0 ? [`finds ${surplus.join(', ')}`] : []),
    ];
    this.#end({ wrong: parts.length === 0 ? null : parts.join(' and ') });
  }

  #placeOf({ field, at = 0, is = 0 }: CommonStep): {
    readonly at: number;
    readonly length: number;
  } {
    const place = this.#tables.config?.places.find(({ name }) => name === field);
    if (place === undefined) return { at, length: lengthOf(is) };
    return { at: place.at, length: place.width ?? 0 };
  }
}

/** Says in what the configuration differs from what a step wants; null if in nothing. */
function differenceFrom({ field, is = 0 }: CommonStep, data: Uint8Array): string | null {
  if (field === undefined || typeof is === 'string') return differenceOf(data, data.length, is);
  const value = data.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return value === BigInt(is) ? null : `found ${field} ${value}, not ${is}`;
}
