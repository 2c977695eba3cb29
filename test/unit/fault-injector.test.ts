// Fault rules: which message they match, from when on, how often, and in what order.
import { describe, expect, it } from 'vitest';
import type { FaultPlan } from '../../platform/contracts/index.ts';
import { FaultInjector, PASS } from '../../platform/faults/index.ts';
import { Kernel } from '../../platform/kernel/index.ts';

function rule(more: Partial<FaultPlan>): FaultPlan {
  const plan = {
    bus: 0,
    at: 0,
    action: 'drop',
    message: 'EVENT_USED',
    count: 1,
    amount: 0,
  } as const;
  return { ...plan, ...more };
}

function injector(...rules: Partial<FaultPlan>[]) {
  const kernel = new Kernel(1);
  return { kernel, faults: new FaultInjector(kernel, rules.map(rule)) };
}

describe('a fault rule', () => {
  it('drops the messages of its name, as many as it says', () => {
    const { faults } = injector({ count: 2 });
    const fates = ['EVENT_AVAIL', 'EVENT_USED', 'EVENT_USED', 'EVENT_USED'].map((name) =>
      faults.onMessage(name),
    );
    expect(fates).toEqual([PASS, Infinity, Infinity, PASS]);
    expect(faults.acted).toBe(2);
  });

  it('delays by its amount', () => {
    const { faults } = injector({ action: 'delay', amount: 5000, count: Infinity });
    expect([faults.onMessage('EVENT_USED'), faults.onMessage('EVENT_USED')]).toEqual([5000, 5000]);
  });

  it('sleeps until its instant', () => {
    const { kernel, faults } = injector({ at: 1000 });
    kernel.now = 999;
    expect(faults.onMessage('EVENT_USED')).toBe(PASS);
    kernel.now = 1000;
    expect(faults.onMessage('EVENT_USED')).toBe(Infinity);
  });

  it('that leaves out or shrinks has nothing to do with messages on their way', () => {
    const { faults } = injector(
      { action: 'omit', message: 'AREA_SHARE' },
      { action: 'shrink', message: 'AREA_SHARE', amount: 3 },
    );
    expect(faults.onMessage('AREA_SHARE')).toBe(PASS);
    expect([faults.omits('AREA_SHARE'), faults.omits('AREA_SHARE')]).toEqual([true, false]);
    expect([faults.shrinksBy('AREA_SHARE'), faults.shrinksBy('AREA_SHARE')]).toEqual([3, 0]);
    expect(faults.acted).toBe(2);
  });

  it('that drops comes before one that delays, whatever their order', () => {
    const { faults } = injector({ action: 'delay', amount: 7 }, {});
    expect([faults.onMessage('EVENT_USED'), faults.onMessage('EVENT_USED')]).toEqual([Infinity, 7]);
  });

  it('is followed by the next of its kind once it is used up', () => {
    const { faults } = injector({ action: 'delay', amount: 1 }, { action: 'delay', amount: 2 });
    const fates = [1, 2, 3].map(() => faults.onMessage('EVENT_USED'));
    expect(fates).toEqual([1, 2, PASS]);
  });

  it('need not be looked for when there is none', () => {
    expect(injector().faults.active).toBe(false);
    expect(injector({}).faults.active).toBe(true);
  });
});
