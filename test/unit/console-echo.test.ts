// The consoleEcho workload and the console driver over FF-A: verified bytes, ports without and with
// control queues, ports that vanish, devices that say odd things.
import { describe, expect, it } from 'vitest';
import type { ConsoleDevice } from '../../devices/console/console-device.ts';
import type { ConsoleDriver, PortInfo } from '../../guests/console/index.ts';
import { EchoCheck } from '../../guests/workloads/echo-check.ts';
import { consoleEcho } from '../../guests/workloads/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables } from '../../platform/contracts/index.ts';
import { randomStream } from '../../platform/kernel/index.ts';
import { CONSOLE_EVENT } from '../../platform/virtio/index.ts';
import { Rig } from '../support/rig.ts';
import type { ScenarioParts } from '../support/scenarios.ts';

const parts = (workload: object, device: object = {}, rest: ScenarioParts = {}): ScenarioParts => ({
  devices: { con0: { type: 'console', bus: 'ffa0', number: 0, ...device } },
  workloads: [{ type: consoleEcho.type, device: 'con0', operations: 20, ...workload }],
  ...rest,
});

describe('echo', () => {
  it.each([
    ['one byte at a time', { messageSize: '1B' }, {}],
    ['a port among many', { port: 30 }, { ports: 31 }],
    ['no control queues', { messageSize: '3000B' }, { multiport: false }],
    ['many at a time', { depth: 64, operations: 200, messageSize: '100B' }, { queueSize: 8 }],
    ['messages beyond the receive buffers', { messageSize: '16KiB', depth: 3 }, {}],
    ['a packed ring', { depth: 8, operations: 100 }, { ring: 'packed', eventIdx: true }],
    ['indirect tables', { depth: 8 }, { indirect: true, eventIdx: true }],
  ])('%s', (_, workload, device) => {
    const rig = new Rig(parts(workload, device));
    expect(rig.run()).toBe('done');
    const { requests, errors, verified, failure } = rig.result();
    expect({ errors, failure }).toEqual({ errors: 0, failure: null });
    expect(verified).toBe(requests);
    expect(rig.violations).toEqual([]);
  });

  it('two workloads on two ports do not mix', () => {
    const workload = (port: number) => ({ type: 'consoleEcho', device: 'con0', port, depth: 4 });
    const rig = new Rig(parts({}, { ports: 2 }, { workloads: [workload(0), workload(1)] }));
    rig.run();
    expect(rig.outcome.workloads.map(({ result }) => result.errors)).toEqual([0, 0]);
    expect(rig.violations).toEqual([]);
  });

  it('is the same on both engines', () => {
    const digests = (['xstate', 'compiled'] as const).map((engine) => {
      const rig = new Rig(parts({ depth: 3 }, { ports: 2, names: ['x'] }), { engine });
      rig.run();
      return rig.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });
});

/** Tables that let a test see the device and the driver that a run makes. */
function watched(seen: { device?: ConsoleDevice; driver?: ConsoleDriver }): ModelTables {
  const device = tables.devices.console;
  const driver = tables.drivers.console;
  return {
    ...tables,
    devices: {
      ...tables.devices,
      console: { ...device, create: (e) => (seen.device = device.create(e) as ConsoleDevice) },
    },
    drivers: {
      ...tables.drivers,
      console: { ...driver, create: (e) => (seen.driver = driver.create(e) as ConsoleDriver) },
    },
  };
}

describe('the emergency write', () => {
  it('reaches the device before the first message', () => {
    const seen: { device?: ConsoleDevice } = {};
    const rig = new Rig(parts({ emergency: 'early boot' }), { tables: watched(seen) });
    rig.run();
    expect(seen.device!.emergencyOutput).toBe('early boot');
    expect(rig.result().errors).toBe(0);
  });

  it('is an error where the device does not offer it', () => {
    const rig = new Rig(parts({ emergency: 'x' }, { emergencyWrite: false }));
    rig.run();
    expect(rig.result()).toMatchObject({ errors: 1, requests: 20 });
    expect(rig.violationCodes).toEqual(['VERIFY']);
  });
});

describe('ports', () => {
  it('are known with name, kind and size, which may change', () => {
    const seen: { driver?: ConsoleDriver } = {};
    const device = {
      ports: 2,
      names: ['', 'org.busbar.lög'],
      resize: [{ at: '2ms', cols: 132, rows: 50 }],
    };
    const rig = new Rig(parts({}, device, { workloads: [], until: { atMost: '10ms' } }), {
      tables: watched(seen),
    });
    const infos: PortInfo[] = [];
    const client = {
      consoleReady: (port: PortInfo) => infos.push(port),
      consoleReceived: () => {},
      consoleSent: () => {},
      consoleEmergency: () => {},
      consoleDown: () => {},
    };
    seen.driver!.reserve(client, 0, 1, 64);
    seen.driver!.reserve(client, 1, 1, 64);
    rig.run();
    expect(infos).toMatchObject([
      { index: 0, name: '', terminal: true, cols: 132, rows: 50 },
      { index: 1, name: 'org.busbar.lög', terminal: false },
    ]);
    expect(rig.violations).toEqual([]);
  });

  it('that are taken away end their workload', () => {
    const rig = new Rig(parts({ operations: 5000 }, { unplug: [{ at: '3ms', port: 0 }] }));
    expect(rig.run()).toBe('done');
    expect(rig.result().failure).toMatch(/taken away/);
  });

  it('that are plugged in later make their workload wait', () => {
    const rig = new Rig(parts({ port: 1 }, { ports: 2, plug: [{ at: '7ms', port: 1 }] }));
    rig.runUntil(7e9);
    expect(rig.result().requests).toBe(0);
    expect(rig.run()).toBe('done');
    const { requests, verified, errors } = rig.result();
    expect([errors, verified]).toEqual([0, requests]);
    expect(requests).toBeGreaterThan(0);
    expect(rig.violations).toEqual([]);
  });

  it('that the device does not have end their workload', () => {
    const rig = new Rig(parts({ port: 3 }, { ports: 2 }));
    rig.run();
    expect(rig.result().failure).toMatch(/no port 3/);
  });
});

describe('a device that says odd things', () => {
  /** Changes the next control message of this kind on its way into the driver's memory. */
  function bend(kind: number, change: (message: Uint8Array) => void) {
    const seen: { device?: ConsoleDevice } = {};
    const rig = new Rig(parts({}, { terminals: [] }, { until: { atMost: '20ms' } }), {
      tables: watched(seen),
    });
    let bent = false;
    rig.filter = ({ packet }) => {
      const { bytes, length } = packet;
      for (let at = 0; !bent && at + 8 <= length; at++) {
        // Port 0, the kind, then a value of 0 or 1.
        const isMessage =
          bytes[at] === 0 &&
          bytes[at + 1] === 0 &&
          bytes[at + 2] === 0 &&
          bytes[at + 3] === 0 &&
          bytes[at + 4] === kind &&
          bytes[at + 5] === 0 &&
          bytes[at + 6] === 1 &&
          bytes[at + 7] === 0;
        if (!isMessage || packet.kind !== 102) continue;
        change(bytes.subarray(at, at + 8));
        bent = true;
      }
      return true;
    };
    rig.run();
    expect(bent).toBe(true);
    return rig;
  }

  it.each([
    ['about a port that cannot be', (message: Uint8Array) => void (message[0] = 200)],
    ['of an unknown kind', (message: Uint8Array) => void (message[4] = 77)],
    [
      'that a port exists already',
      (message: Uint8Array) => {
        message[4] = CONSOLE_EVENT.DEVICE_ADD;
      },
    ],
  ])('%s is told as a violation', (_, change) => {
    const rig = bend(CONSOLE_EVENT.PORT_OPEN, change);
    expect(rig.violationCodes).toEqual(['BAD_REQUEST']);
    // Nobody opened the port on the far side, so the workload never began.
    expect(rig.result().requests).toBe(0);
  });
});

describe('the check of what comes back', () => {
  it('sees a changed byte, a surplus and nothing else', () => {
    const answers: (readonly [number, boolean])[] = [];
    const check = new EchoCheck(randomStream(1, 'x'), (slot, ok) => answers.push([slot, ok]));
    const [first, second] = [new Uint8Array(10), new Uint8Array(10)];
    check.compose(3, first);
    check.compose(4, second);
    expect(check.received(Uint8Array.from([...first, ...second.subarray(0, 5)]), 15)).toBe(0);
    const rest = Uint8Array.from(second.subarray(5));
    rest[2] ^= 1;
    expect(check.received(rest, 5)).toBe(0);
    expect(answers).toEqual([
      [3, true],
      [4, false],
    ]);
    expect(check.received(first, 10)).toBe(10);
    check.compose(5, first);
    check.clear();
    expect(check.received(first, 10)).toBe(10);
  });
});

describe('a device that fails and is reset', () => {
  const slow = { timing: { 'console.echo': '1ms' } };
  const failing = (at: readonly string[], workload: object, rest: ScenarioParts = slow) =>
    new Rig(parts(workload, { needsReset: at }, rest));

  it.each([
    ['a few at a time', { depth: 4 }],
    ['more than the queue holds', { depth: 64, operations: 80 }],
    ['one at a time', { depth: 1, operations: 3 }],
  ])('gets what it had not returned once more, in order: %s', (_, workload) => {
    const rig = failing(['600us'], workload);
    expect(rig.run()).toBe('done');
    // The first write is with the program behind the port for a millisecond: none was returned.
    const { requests, errors, verified, failure } = rig.result();
    expect({ errors, failure, verified }).toEqual({ errors: 0, failure: null, verified: requests });
    expect(rig.violations).toEqual([]);
  });

  it('loses what it had taken, and no more than that', () => {
    let lost = 0;
    for (let at = 1000; at < 9000; at += 373) {
      const rig = failing([`${at}us`], { depth: 4, operations: 12 });
      expect(rig.run(), `at ${at} us`).toBe('done');
      const { requests, errors, verified, failure } = rig.result();
      expect([requests, failure, rig.violations]).toEqual([12, null, []]);
      // A message comes back before the program is through with the next one.
      expect(errors).toBeLessThanOrEqual(1);
      expect(verified).toBe(requests - errors);
      lost += errors;
    }
    expect(lost).toBeLessThan(5);
  });

  it('comes back again and again, with its other ports', () => {
    const workload = (port: number) => ({
      ...{ type: 'consoleEcho', device: 'con0', port, depth: 8, operations: 100 },
    });
    const rest = { workloads: [workload(0), workload(2)] };
    const rig = new Rig(parts({}, { ports: 3, needsReset: ['100us', '300us', '420us'] }, rest));
    expect(rig.run()).toBe('done');
    for (const { result } of rig.outcome.workloads) {
      expect([result.requests, result.failure]).toEqual([100, null]);
      expect(result.verified).toBe(100 - result.errors);
    }
    expect(rig.violations).toEqual([]);
  });
});
