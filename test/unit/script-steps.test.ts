// Scripts on devices of every type: each step ends well, each wrong expectation is told by its number and with
// what was found, and a reset may come between at any time.
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/rig.ts';
import type { ScenarioParts } from '../support/scenarios.ts';
import { memoryDisk } from '../support/scenarios.ts';

type Steps = readonly Readonly<Record<string, unknown>>[];

const DEVICES = {
  blk: memoryDisk(0),
  rng: { type: 'rng', bus: 'ffa0', number: 0 },
  i2c: { type: 'i2c', bus: 'ffa0', number: 0, clockStart: '2024-02-29 23:59:58' },
  gpio: { type: 'gpio', bus: 'ffa0', number: 0, loop: [[0, 1]] },
  console: { type: 'console', bus: 'ffa0', number: 0, ports: 2 },
  vsock: { type: 'vsock', bus: 'ffa0', number: 0 },
  balloon: { type: 'balloon', bus: 'ffa0', number: 0, pages: 256 },
  pmem: { type: 'pmem', bus: 'ffa0', number: 0, size: '64KiB' },
} as const;
type Type = keyof typeof DEVICES;

function partsOf(type: Type, steps: Steps, more: object = {}): ScenarioParts {
  return {
    devices: { dut: { ...DEVICES[type], ...more } },
    workloads: [{ type: 'script', device: 'dut', steps }],
    until: { workloads: 'done', atMost: '500ms' },
  };
}

function run(type: Type, steps: Steps, more: object = {}) {
  const rig = new Rig(partsOf(type, steps, more));
  const ending = rig.run();
  const complaints = rig.violations
    .filter(({ code }) => code === 'VERIFY')
    .map(({ text }) => text.replace('script.dut: ', ''));
  return { rig, ending, complaints, result: rig.result() };
}

/** Steps that all end as they should, by device. */
const GOOD: Readonly<Record<Type, Steps>> = {
  blk: [
    { do: 'write', at: '4KiB', pattern: 'cafe' },
    { do: 'read', at: '4KiB', pattern: 'c?fe' },
    { do: 'config', field: 'capacity', is: 2048 },
    { do: 'config', at: 0, is: '0008????00000000' },
    { do: 'features', has: ['VERSION_1'], lacks: ['RO', 'RING_PACKED'] },
    { do: 'waitFor', field: 'capacity', is: 2048 },
    { do: 'waitFor', within: '1ms', expect: 'timeout' },
  ],
  rng: [
    { do: 'read' },
    { do: 'sleep', for: '100us' },
    { do: 'read', length: '100B' },
    { do: 'resetDevice' },
    { do: 'read', length: '64KiB' },
  ],
  i2c: [
    { do: 'transfer', address: 0x68 },
    { do: 'transfer', address: 0x20, expect: 'error' },
    { do: 'transfer', address: 0x68, write: 0, read: 7, is: '5?592305290224' },
    { do: 'transfer', address: 0x68, write: '08cafe' },
    { do: 'transfer', address: 0x68, write: 8 },
    { do: 'transfer', address: 0x68, read: 2, is: 'cafe' },
  ],
  gpio: [
    { do: 'setDirection', line: 0, to: 'out' },
    { do: 'setDirection', line: 1, to: 'in' },
    { do: 'getDirection', line: 1, is: 'in' },
    { do: 'waitInterrupt', line: 1, expect: 'error' },
    { do: 'setInterrupt', line: 1, type: 'rising' },
    { do: 'setValue', line: 0, to: 1 },
    { do: 'waitInterrupt', line: 1 },
    { do: 'getValue', line: 1, is: 1 },
    { do: 'setValue', line: 0, to: 0 },
    { do: 'waitInterrupt', line: 1, within: '1ms', expect: 'timeout' },
    { do: 'setInterrupt', line: 1, type: 'none' },
    { do: 'setInterrupt', line: 1, type: 'high' },
    { do: 'setValue', line: 0, to: 1 },
    { do: 'waitInterrupt', line: 1 },
    // The level is still there.
    { do: 'waitInterrupt', line: 1 },
    { do: 'setValue', line: 77, to: 1, expect: 'error' },
    { do: 'config', field: 'ngpio', is: 8 },
  ],
  console: [
    { do: 'write', port: 1, text: 'hello\n' },
    { do: 'receive', port: 1, text: 'hel' },
    { do: 'receive', port: 1, bytes: '6c6f??' },
    { do: 'receive', port: 1, text: 'more', within: '1ms', expect: 'timeout' },
    { do: 'write', bytes: 0 },
    { do: 'receive', bytes: 0 },
    { do: 'config', field: 'cols', is: 80 },
    { do: 'setConfig', field: 'emergWr', to: 65 },
  ],
  vsock: [
    { do: 'send', text: 'nobody', expect: 'closed' },
    { do: 'connect', port: 8, expect: 'refused' },
    { do: 'connect' },
    { do: 'connect', expect: 'refused' },
    { do: 'send', text: 'hello' },
    { do: 'receive', text: 'he' },
    { do: 'receive', text: 'llo' },
    { do: 'receive', text: 'more', within: '1ms', expect: 'timeout' },
    { do: 'shutdown' },
    { do: 'connect', socket: 'seqpacket' },
    { do: 'send', bytes: '0102' },
    { do: 'send', bytes: 3 },
    { do: 'receive', bytes: '01?2' },
    { do: 'receive', bytes: 3 },
    { do: 'shutdown' },
    { do: 'config', field: 'guestCid', is: 3 },
  ],
  balloon: [
    { do: 'waitForSize', size: '1MiB' },
    { do: 'config', field: 'actual', is: 256 },
    { do: 'waitForSize', size: '2MiB', within: '1ms', expect: 'timeout' },
    { do: 'setConfig', field: 'actual', to: '00010000' },
    { do: 'config', at: 4, is: '00010000' },
  ],
  pmem: [
    { do: 'write', at: '4KiB', pattern: 'cafe' },
    { do: 'flush' },
    { do: 'read', at: '4KiB', pattern: 'c?fe' },
    { do: 'read', at: '1MiB', expect: 'ioerr' },
    { do: 'features', has: ['SHMEM_REGION'] },
  ],
};

/** Steps that end well right after a reset, again and again. */
const LASTING: Readonly<Record<Type, Steps>> = {
  blk: GOOD.blk.slice(0, 4),
  rng: [{ do: 'read' }, { do: 'read' }],
  i2c: GOOD.i2c.slice(0, 3),
  // What lines were set to is set again by the driver.
  gpio: [
    { do: 'setDirection', line: 0, to: 'out' },
    { do: 'setValue', line: 0, to: 1 },
    { do: 'getDirection', line: 0, is: 'out' },
    { do: 'getValue', line: 0, is: 1 },
  ],
  console: [
    { do: 'write', text: 'a' },
    { do: 'config', field: 'rows', is: 25 },
  ],
  vsock: [{ do: 'connect' }, { do: 'connect' }, { do: 'send', text: 'a', expect: 'closed' }],
  balloon: [
    { do: 'waitForSize', size: '1MiB' },
    { do: 'waitForSize', size: '1MiB' },
  ],
  pmem: [GOOD.pmem[0], GOOD.pmem[2], GOOD.pmem[3]],
};
const TYPES = Object.keys(GOOD) as Type[];

describe.each(TYPES)('a script on a device of type %s', (type) => {
  it('ends well', () => {
    const { ending, complaints, result, rig } = run(type, GOOD[type]);
    expect([ending, complaints, rig.violations]).toEqual(['done', [], []]);
    expect(result).toMatchObject({ errors: 0, failure: null });
    expect(result.steps).toEqual({ total: GOOD[type].length, wrong: 0 });
    expect(result.verified).toBeGreaterThan(0);
  });

  it('goes on after the device has failed at any time', () => {
    const whole = run(type, GOOD[type]).rig.kernel.now / 1e6;
    for (const share of [0.1, 0.35, 0.6, 0.85]) {
      const needsReset = [`${Math.round(whole * share)}us`];
      const { ending, result, rig, complaints } = run(type, GOOD[type], { needsReset });
      expect([share, ending, result.failure]).toEqual([share, 'done', null]);
      expect(result.steps!.total).toBe(GOOD[type].length);
      // What was lost is told, and nothing else goes wrong.
      expect(complaints.length).toBe(result.steps!.wrong);
      expect(rig.violationCodes.filter((code) => code !== 'VERIFY')).toEqual([]);
    }
  });

  it('is reset between all of its steps', () => {
    const steps = LASTING[type].flatMap((step) => [{ do: 'resetDevice' }, step]);
    const { ending, rig, result } = run(type, steps);
    expect([ending, rig.violations, result.steps!.wrong]).toEqual(['done', [], 0]);
  });

  it('is the same on the interpreter', () => {
    const parts = partsOf(type, GOOD[type]);
    const digests = (['compiled', 'xstate'] as const).map((engine) => {
      const rig = new Rig(parts, { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

describe('a step that ends otherwise than expected', () => {
  it.each<readonly [Type, Steps[number], string]>([
    ['blk', { do: 'read', pattern: 1 }, 'step 1 (read) found 00 at byte 0, not 01'],
    ['blk', { do: 'read', expect: 'ioerr' }, "step 1 (read) ended in 'ok', not 'ioerr'"],
    [
      'blk',
      { do: 'config', field: 'capacity', is: 7 },
      'step 1 (config) found capacity 2048, not 7',
    ],
    ['blk', { do: 'config', at: 1, is: '0?f' + '0' }, 'step 1 (config) found 00 at byte 1, not f0'],
    [
      'blk',
      { do: 'config', at: 4000, is: 0 },
      'step 1 (config) found only 60 bytes of configuration',
    ],
    [
      'blk',
      { do: 'waitFor', field: 'capacity', is: 9, within: '1ms' },
      "step 1 (waitFor) ended in 'timeout', not 'ok': found capacity 2048, not 9",
    ],
    [
      'blk',
      { do: 'features', has: ['MQ', 'RO'], lacks: ['VERSION_1'] },
      'step 1 (features) does not find MQ, RO and finds VERSION_1',
    ],
    ['blk', { do: 'resetQueue' }, "step 1 (resetQueue) ended in 'unsupported', not 'ok'"],
    [
      'rng',
      { do: 'read', expect: 'lost' },
      "step 1 (read) ended in 'ok', not 'lost': 64 of 64 bytes",
    ],
    ['i2c', { do: 'transfer', address: 1 }, "step 1 (transfer) ended in 'error', not 'ok'"],
    [
      'i2c',
      { do: 'transfer', address: 0x68, write: 2, read: 1, is: 0x24 },
      'step 1 (transfer) found 23 at byte 0, not 24',
    ],
    ['gpio', { do: 'getValue', line: 1, is: 1 }, 'step 1 (getValue) found line 1 0, not 1'],
    [
      'gpio',
      { do: 'getDirection', line: 1, is: 'out' },
      'step 1 (getDirection) found line 1 none, not out',
    ],
    [
      'gpio',
      { do: 'waitInterrupt', line: 1 },
      "step 1 (waitInterrupt) ended in 'error', not 'ok': the line has no interrupt yet",
    ],
    [
      'console',
      { do: 'receive', text: 'abc', within: '1ms' },
      "step 1 (receive) ended in 'timeout', not 'ok': found 0 bytes of 3",
    ],
    [
      'vsock',
      { do: 'connect', port: 1 },
      "step 1 (connect) ended in 'refused', not 'ok': the peer refused the connection",
    ],
    [
      'vsock',
      { do: 'shutdown' },
      "step 1 (shutdown) ended in 'closed', not 'ok': there is no connection",
    ],
    [
      'balloon',
      { do: 'waitForSize', size: '4KiB', within: '1ms' },
      "step 1 (waitForSize) ended in 'timeout', not 'ok': found 1048576 bytes",
    ],
  ])('%s %o', (type, step, text) => {
    const { ending, complaints, result } = run(type, [step, { do: 'sleep' }]);
    expect([ending, complaints]).toEqual(['done', [text]]);
    expect(result).toMatchObject({ errors: 1, steps: { total: 2, wrong: 1 }, failure: null });
  });

  it('is told of what comes back changed', () => {
    const talk: Readonly<Partial<Record<Type, Steps>>> = {
      console: [
        { do: 'write', text: 'abc' },
        { do: 'receive', text: 'abd' },
      ],
      vsock: [{ do: 'connect' }, { do: 'send', text: 'abc' }, { do: 'receive', text: 'abd' }],
    };
    for (const [type, steps] of Object.entries(talk)) {
      const { complaints } = run(type as Type, steps);
      expect(complaints).toEqual([`step ${steps.length} (receive) found 63 at byte 2, not 64`]);
    }
    const { complaints } = run('vsock', [
      { do: 'connect', socket: 'seqpacket' },
      { do: 'send', text: 'abc' },
      { do: 'receive', text: 'ab' },
    ]);
    expect(complaints).toEqual(['step 3 (receive) found a message of 3 bytes, not 2']);
  });

  it('tells nothing of a source whose bytes others have read, if it is not to verify', () => {
    const devices = { dut: DEVICES.rng };
    const other = { type: 'entropy', device: 'dut', operations: 3, verify: false };
    const complaintsOf = (verify: boolean) => {
      const steps = [
        { do: 'sleep', for: '5ms' },
        { do: 'read', verify },
      ];
      const rig = new Rig({
        devices,
        workloads: [other, { type: 'script', device: 'dut', steps }],
      });
      rig.run();
      return rig.violations.map(({ text }) => text);
    };
    expect(complaintsOf(false)).toEqual([]);
    expect(complaintsOf(true)).toEqual(['script.dut: step 2 (read) found 64 other bytes']);
  });
});

describe('a script that suspends its device', () => {
  it.each(TYPES)('%s: goes on when it is in use again', (type) => {
    const steps = GOOD[type].flatMap((step) => [step, { do: 'suspend', for: '50us' }]);
    // A suspension that is planned makes the device offer it.
    const { rig, ending, result } = run(type, steps, { suspends: [{ at: '450ms', for: '1us' }] });
    expect([ending, rig.violations]).toEqual(['done', []]);
    expect(result.steps).toEqual({ total: 2 * GOOD[type].length, wrong: 0 });
  });

  it('is told when it cannot', () => {
    const { complaints } = run('rng', [{ do: 'suspend' }]);
    expect(complaints).toEqual(["step 1 (suspend) ended in 'unsupported', not 'ok'"]);
  });
});

describe('a script that waits', () => {
  it('hears of a change of the configuration', () => {
    const { complaints, result } = run(
      'blk',
      [
        { do: 'config', field: 'capacity', is: 2048 },
        { do: 'waitFor' },
        { do: 'config', field: 'capacity', is: 4096 },
        { do: 'waitFor', field: 'capacity', is: 6144, within: '20ms' },
      ],
      {
        resize: [
          { at: '3ms', capacity: '2MiB' },
          { at: '4ms', capacity: '1MiB' },
          { at: '5ms', capacity: '3MiB' },
        ],
      },
    );
    expect(complaints).toEqual([]);
    expect(result.elapsedPs).toBeLessThan(20e9);
  });

  it('follows a balloon that changes its mind', () => {
    const { complaints } = run(
      'balloon',
      [
        { do: 'waitForSize', size: '1MiB' },
        { do: 'waitFor', field: 'numPages', is: 16 },
        { do: 'waitForSize', size: '64KiB' },
      ],
      { pressure: [{ at: '5ms', pages: 16 }] },
    );
    expect(complaints).toEqual([]);
  });

  it('waits for a port that is still to be plugged in', () => {
    const steps = [
      { do: 'write', port: 1, text: 'early', within: '1ms', expect: 'timeout' },
      { do: 'write', port: 1, text: 'late' },
      { do: 'receive', port: 1, text: 'late' },
    ];
    const { complaints, result } = run('console', steps, { plug: [{ at: '5ms', port: 1 }] });
    expect([complaints, result.failure]).toEqual([[], null]);
    expect(result.elapsedPs).toBeGreaterThan(4e9);
  });

  it('is told of a write to the configuration that a failure comes between', () => {
    const steps = [
      { do: 'sleep', for: '300us' },
      ...Array.from({ length: 50 }, () => ({ do: 'setConfig', field: 'emergWr', to: 65 })),
    ];
    const { complaints } = run('console', steps, { needsReset: ['410us'] });
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatch(/^step \d+ \(setConfig\) ended in 'lost', not 'ok'$/);
  });

  it('gives up with its device', () => {
    const steps = [
      { do: 'read', pattern: 0 },
      { do: 'sleep', for: '5ms' },
      { do: 'read', pattern: 0 },
    ];
    const { rig, ending, result } = run('blk', steps, { removeAt: '3ms' });
    expect(ending).toBe('done');
    expect(result).toMatchObject({ requests: 1, steps: { total: 3, wrong: 0 } });
    expect(result.failure).toMatch(/\w/);
    expect(result.failure).toBe(rig.outcome.workloads[0].downReason);
  });
});
