// Balloon pages are conserved: whatever the schedule of targets, in the end device, driver and the node's
// allocator agree, and no page was in the balloon twice.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { BalloonDriver } from '../../guests/balloon/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { Device, ModelTables } from '../../platform/contracts/index.ts';
import { Rig } from '../support/rig.ts';

const schedule = fc.array(
  fc.record({ gap: fc.integer({ min: 1, max: 400 }), pages: fc.nat(900) }),
  { minLength: 1, maxLength: 12 },
);

it('agrees on the number of pages, over random schedules', () => {
  fc.assert(
    fc.property(schedule, fc.boolean(), (steps, deflateOnOom) => {
      let at = 500;
      const pressure = steps.map(({ gap, pages }) => ({ at: `${(at += gap)}us`, pages }));
      let device: Device | undefined;
      let driver: BalloonDriver | undefined;
      const { devices, drivers } = tables;
      const watched: ModelTables = {
        ...tables,
        devices: {
          ...devices,
          balloon: { ...devices.balloon, create: (e) => (device = devices.balloon.create(e)) },
        },
        drivers: {
          ...drivers,
          balloon: {
            ...drivers.balloon,
            create: (e) => (driver = drivers.balloon.create(e) as BalloonDriver),
          },
        },
      };
      const rig = new Rig(
        {
          devices: {
            balloon0: { type: 'balloon', bus: 'ffa0', number: 0, deflateOnOom, pressure },
          },
          workloads: [{ type: 'balloonCycle', device: 'balloon0' }],
        },
        { tables: watched },
      );
      expect(rig.run()).toBe('done');
      const { pages } = steps[steps.length - 1];
      const figures = device!.statistics!();
      expect(figures).toMatchObject({ pages, actual: pages, target: pages });
      expect(figures.pagesInflated - figures.pagesDeflated).toBe(pages);
      expect(driver!.held).toBe(pages);
      expect(rig.violations).toEqual([]);
      expect(rig.result().errors).toBe(0);
    }),
    { seed: 1, numRuns: 25 },
  );
});
