// What befalls any device: resets that take their time, and failures that the scenario has planned.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import { STATUS } from '../../platform/virtio/index.ts';
import { DeviceBench } from '../support/device-bench.ts';

const MICROSECOND = 1_000_000;
const LIVE = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK;

describe('a reset that takes its time', () => {
  function slow() {
    const bench = new DeviceBench('rng', { options: { resetTime: '50us' } });
    expect(bench.start()).toBe(LIVE);
    return bench;
  }

  it('RST-3 MUST: shows 0 when it is complete, not before', () => {
    const { device, kernel } = slow();
    const asked = kernel.now;
    expect(device.setStatus(0)).toBe(LIVE);
    kernel.runUntil(asked + 49 * MICROSECOND);
    expect(device.status).toBe(LIVE);
    kernel.runUntil(asked + 51 * MICROSECOND);
    expect([device.status, device.driverFeatures]).toEqual([0, 0n]);
  });

  it('leaves the queues alone from its beginning', () => {
    const bench = slow();
    bench.device.setStatus(0);
    bench.send(0, [], [16]);
    bench.device.available(0, 0);
    bench.kernel.runUntil(bench.kernel.now + 100 * MICROSECOND);
    expect([bench.returned, bench.dma.accesses]).toEqual([[], []]);
    expect(bench.device.queueSetup(0)).toBeNull();
  });

  it('is not begun again by a second wish, and takes no other status', () => {
    const { device, kernel, node } = slow();
    const asked = kernel.now;
    device.setStatus(0);
    kernel.runUntil(asked + 40 * MICROSECOND);
    device.setStatus(0);
    device.setStatus(LIVE | STATUS.FAILED);
    kernel.runUntil(asked + 51 * MICROSECOND);
    expect(device.status).toBe(0);
    expect(node.violations.described.map(({ code }) => code)).toEqual(['ILLEGAL_STEP']);
  });

  it('takes none for a device that shows 0 already', () => {
    const { device, kernel } = slow();
    device.setStatus(0);
    kernel.runUntil(kernel.now + 51 * MICROSECOND);
    expect(device.setStatus(0)).toBe(0);
    expect(device.setStatus(STATUS.ACKNOWLEDGE)).toBe(STATUS.ACKNOWLEDGE);
  });

  it('is refused on a bus whose revision has none', () => {
    const text = [
      'name: slow',
      'nodes: { linux: { kind: vm }, storage: { kind: partition } }',
      'buses:',
      '  ffa0: { type: ffa, driver: linux, device: storage }',
      'devices: { rng0: { type: rng, bus: ffa0, number: 0, resetTime: 1ms } }',
    ].join('\n');
    const load = (revision: string) => () => {
      const changed = text.replace('storage }\ndev', `storage, revision: ${revision} }\ndev`);
      parseScenario({ text: changed, file: 'slow.yaml', folder: '.' }, tables);
    };
    expect(load('v2')).not.toThrow();
    for (const revision of ['v1', 'rfc3']) {
      expect(load(revision)).toThrow(ScenarioError);
      expect(load(revision)).toThrow(/slow\.yaml:4:64: 'rng0' takes time for a reset/);
    }
  });
});

describe('a failure', () => {
  it('comes at its instant: status, configuration event, and no queue is served', () => {
    const bench = new DeviceBench('rng', { options: { needsReset: ['30us'] } });
    bench.start();
    bench.kernel.runUntil(29 * MICROSECOND);
    expect([bench.device.status, bench.configEvents]).toEqual([LIVE, 0]);
    bench.kernel.runUntil(31 * MICROSECOND);
    const failed = LIVE | STATUS.DEVICE_NEEDS_RESET;
    expect([bench.device.status, bench.configEvents]).toEqual([failed, 1]);
    bench.send(0, [], [16]);
    bench.device.available(0, 0);
    bench.kernel.runUntil(100 * MICROSECOND);
    expect(bench.returned).toEqual([]);
  });

  it('means nothing to a device that no driver has brought up', () => {
    const bench = new DeviceBench('rng', { options: { needsReset: ['30us'] } });
    bench.kernel.runUntil(31 * MICROSECOND);
    expect([bench.device.status, bench.configEvents]).toEqual([0, 0]);
    expect(bench.start()).toBe(LIVE);
  });
});
