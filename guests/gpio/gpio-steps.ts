// The steps that a script may have a GPIO controller do: directions, values, interrupts.
import { z } from 'zod';
import { count } from '../../platform/scenario/fields.ts';
import { GPIO_DIRECTION, GPIO_MSG } from '../../platform/virtio/index.ts';
import {
  defineRows,
  defineSteps,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
  withinField,
} from '../common/index.ts';
import { type GpioClient, type GpioDriver, GpioResult } from './gpio-driver.ts';
import { GPIO_INTERRUPTS, interruptField } from './interrupt-types.ts';

const DIRECTIONS = {
  none: GPIO_DIRECTION.NONE,
  out: GPIO_DIRECTION.OUT,
  in: GPIO_DIRECTION.IN,
} as const;

const line = count({ max: 1023 }).describe('The line.');
const direction = () => z.enum(['none', 'out', 'in']);
const level = () => count({ max: 1 });
const request = { outcomes: ['ok', 'error', 'timeout', 'lost'], isRequest: true } as const;

const rows = defineRows({
  setDirection: {
    doc: 'Makes a line an output, an input, or neither.',
    fields: { line, to: direction().describe('What it is to be.') },
    ...request,
  },
  getDirection: {
    doc: 'Asks for the direction of a line.',
    fields: { line, is: direction().describe('What it must be.') },
    ...request,
  },
  setValue: {
    doc: 'Sets the level of an output, also before it is one.',
    fields: { line, to: level().describe('The level.') },
    ...request,
  },
  getValue: {
    doc: 'Asks for the level of a line.',
    fields: { line, is: level().describe('What it must be.') },
    ...request,
  },
  setInterrupt: {
    doc: 'Chooses when a line interrupts. What it has to tell is kept until a step waits for it.',
    fields: {
      line,
      type: interruptField().describe('On what.'),
    },
    ...request,
  },
  waitInterrupt: {
    doc: 'Waits for the next interrupt of a line that no step has waited for yet.',
    fields: { line, within: withinField() },
    outcomes: ['ok', 'timeout', 'error'],
  },
});

type GpioStep = StepOf<typeof rows>;
type RequestStep = Exclude<GpioStep, { readonly do: 'waitInterrupt' }>;

const OUTCOMES: Readonly<Record<GpioResult, string>> = {
  [GpioResult.ok]: 'ok',
  [GpioResult.error]: 'error',
  [GpioResult.timedOut]: 'timeout',
  [GpioResult.lost]: 'lost',
};

class GpioPlayer implements StepPlayer<GpioStep>, GpioClient {
  readonly #port: ScriptPort<GpioDriver, GpioStep>;
  readonly #slot: number;
  #step: GpioStep | null = null;
  /** By line whose interrupt was chosen: whether it is a level, and interrupts nobody has waited for. */
  readonly #heard = new Map<number, { readonly isLevel: boolean; count: number }>();

  constructor(port: ScriptPort<GpioDriver, GpioStep>) {
    this.#port = port;
    this.#slot = port.driver.reserve(this, 1);
  }

  begin(step: GpioStep): void {
    this.#step = step;
    if (step.do === 'waitInterrupt') this.#waitFor(step.line, step.within);
    else this.#port.driver.request(this.#slot, ...requestOf(step));
  }

  expired(): void {
    this.#step = null;
    this.#port.end({ outcome: 'timeout' });
  }

  gpioCompleted(_slot: number, result: GpioResult, value: number): void {
    const step = this.#step as RequestStep;
    const outcome = OUTCOMES[result];
    this.#step = null;
    if (result !== GpioResult.ok || !('is' in step)) {
      if (step.do === 'setInterrupt' && result === GpioResult.ok) this.#listen(step);
      return this.#port.end({ outcome });
    }
    const wanted = step.do === 'getDirection' ? DIRECTIONS[step.is] : step.is;
    const found = step.do === 'getDirection' ? (direction().options[value] ?? value) : value;
    const wrong = value === wanted ? null : `found line ${step.line} ${found}, not ${step.is}`;
    this.#port.end({ outcome, wrong });
  }

  /** The interrupt of a level stays masked until somebody waits for it: it would not cease. */
  gpioInterrupt(index: number): boolean {
    const heard = this.#heard.get(index);
    if (heard === undefined) return false;
    heard.count++;
    this.#take();
    return !heard.isLevel;
  }

  /** The script itself waits for the device. */
  gpioReady(): void {}
  gpioDown(): void {}

  #listen({ line: index, type }: Extract<GpioStep, { readonly do: 'setInterrupt' }>): void {
    const { driver } = this.#port;
    this.#heard.delete(index);
    if (type === 'none') return driver.mask(index);
    this.#heard.set(index, { isLevel: type === 'high' || type === 'low', count: 0 });
    driver.unmask(index, this);
  }

  #waitFor(index: number, within: number): void {
    const heard = this.#heard.get(index);
    if (heard === undefined) {
      const detail = 'the line has no interrupt yet';
      return this.#port.end({ outcome: 'error', detail });
    }
    if (heard.isLevel && heard.count === 0) this.#port.driver.unmask(index, this);
    this.#port.expireAfter(within);
    this.#take();
  }

  /** Ends the step under way if it is one that waits and has no need to any more. */
  #take(): void {
    if (this.#step?.do !== 'waitInterrupt') return;
    const heard = this.#heard.get(this.#step.line);
    if (heard === undefined || heard.count === 0) return;
    heard.count--;
    this.#step = null;
    this.#port.end({ outcome: 'ok' });
  }
}

/** Type, line and value of a request. */
function requestOf(step: RequestStep): readonly [type: number, line: number, value: number] {
  switch (step.do) {
    case 'setDirection':
      return [GPIO_MSG.SET_DIRECTION, step.line, DIRECTIONS[step.to]];
    case 'getDirection':
      return [GPIO_MSG.GET_DIRECTION, step.line, 0];
    case 'setValue':
      return [GPIO_MSG.SET_VALUE, step.line, step.to];
    case 'getValue':
      return [GPIO_MSG.GET_VALUE, step.line, 0];
    case 'setInterrupt':
      return [GPIO_MSG.SET_IRQ_TYPE, step.line, GPIO_INTERRUPTS[step.type]];
  }
}

export const gpioSteps = defineSteps(
  rows,
  (port: ScriptPort<GpioDriver, GpioStep>) => new GpioPlayer(port),
);
