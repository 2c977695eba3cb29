// The virtio-msg PCI bus: every way of doing things, what a message costs, many devices, several FIFOs,
// and cards that come and go.
import { describe, expect, it } from 'vitest';
import { registers } from '../../buses/pci/registers.ts';
import { tables } from '../../platform/cli/tables.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';
import {
  busCounters,
  comingAndGoing,
  disk,
  fio,
  linkRig,
  linkTopology,
} from '../support/link-scenarios.ts';

const MILLISECOND = 1_000_000_000;
/** Accesses to configuration space for the scan of a root port with a slot behind it. */
const SCAN = 13;
const rigOf = (bus: object = {}, more: object = {}) =>
  linkRig({ type: 'pci', bus: { ...bus }, ...more });

const WAYS = {
  'with a FIFO in a BAR and MSI-X': {},
  'with MSI': { interrupts: 'msi' },
  'with INTx': { interrupts: 'intx' },
  'with polling': { interrupts: 'polling', pollInterval: '50us' },
  'with a FIFO in host memory': { fifoPlace: 'host' },
  'with a self-describing FIFO': { fifoLayout: 'selfDescribing' },
  'with a self-describing FIFO in host memory': { fifoLayout: 'selfDescribing', fifoPlace: 'host' },
  'with eight FIFOs': { fifos: 8 },
  'with three FIFOs in host memory, by MSI': { fifos: 3, fifoPlace: 'host', interrupts: 'msi' },
  'with three FIFOs by INTx': { fifos: 3, interrupts: 'intx' },
  'without an IOMMU': { iommu: false },
  'on a slow link behind two switches': { generation: 1, lanes: 1, switches: 2 },
  'with little credit': { postedHeaders: 1, postedData: '256B', requestHeaders: 1 },
  'with one tag': { tags: 1 },
  'after a reset of the function': { functionReset: true },
} as const;

describe.each(Object.entries(WAYS))('a PCI bus %s', (_, bus) => {
  it('carries two devices, whose data is verified', () => {
    const rig = rigOf(bus, {
      devices: { disk0: disk(), rng0: { type: 'rng', bus: 'bus0', number: 1 } },
      workloads: [fio(), { type: 'entropy', device: 'rng0', operations: 20 }],
    });
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    for (const index of [0, 1]) {
      const { requests, errors, verified } = rig.result(index);
      expect(errors).toBe(0);
      expect(Math.min(requests, verified)).toBeGreaterThan(0);
    }
    const driver = busCounters(rig, 'driver');
    const device = busCounters(rig, 'device');
    // The last ones may still be on their way.
    expect(device['messages'] - driver['ringReceived']).toBeLessThan(3);
    expect(driver['messages'] - device['ringReceived']).toBeLessThan(3);
  });
});

describe('what a message costs', () => {
  it('a core loads index and slot of a FIFO in a BAR, eight bytes at a time', () => {
    // One request at a time: the core finds one message at each waking, and looks once more.
    const rig = rigOf({}, { workloads: [fio({ depth: 1 })] });
    rig.run();
    const { loads, wakings, ringReceived } = busCounters(rig, 'driver');
    // Two registers, and two indexes each for sender and receiver when the FIFO is opened.
    const setUp = 2 + 2 * 2;
    const least = setUp + ringReceived * 8 + (wakings + ringReceived);
    // A doorbell that comes while it is awake makes it look once more.
    expect(loads).toBeGreaterThanOrEqual(least);
    expect(loads - least).toBeLessThan(5);
  });

  it('it loads less with wider loads, and nothing from host memory', () => {
    const loadsOf = (bus: object) => {
      const rig = rigOf(bus);
      rig.run();
      return busCounters(rig, 'driver')['loads'];
    };
    const [narrow, wide, none] = [{ loadWidth: 4 }, { loadWidth: 64 }, { fifoPlace: 'host' }];
    expect(loadsOf(narrow) / loadsOf({})).toBeGreaterThan(1.6);
    expect(loadsOf({}) / loadsOf(wide)).toBeGreaterThan(3);
    expect(loadsOf(none)).toBe(2);
  });

  it('a doorbell is a posted write for each message', () => {
    const rig = rigOf();
    rig.run();
    const { messages, doorbells, stores, ringReceived } = busCounters(rig, 'driver');
    expect(doorbells).toBe(messages);
    const msixSetUp = 4;
    // Slot, index and doorbell; and the consumer's index for each message received.
    expect(stores).toBe(msixSetUp + 3 * messages + ringReceived);
  });

  it('with polling there are no interrupts, and latency follows the interval', () => {
    const polled = rigOf(
      { interrupts: 'polling', pollInterval: '500us' },
      { workloads: [fio({ depth: 1 })] },
    );
    polled.run();
    expect(busCounters(polled, 'driver')['interrupts']).toBe(0);
    expect(busCounters(polled, 'device')['interruptsSent']).toBe(0);
    expect(polled.result().latency.p50).toBeGreaterThan(400_000);
    expect(polled.result().latency.max).toBeLessThan(550_000);
  });

  it('with INTx the handler reads which FIFO it was', () => {
    const rig = rigOf({ interrupts: 'intx' });
    rig.run();
    const { interrupts, loads } = busCounters(rig, 'driver');
    expect(interrupts).toBeGreaterThan(10);
    expect(loads).toBeGreaterThan(interrupts * 10);
    expect(registers.INTERRUPT_STATUS.at).toBe(0x08);
  });
});

describe('many devices', () => {
  it('are found window by window, wherever their numbers are', () => {
    const numbers = [0, 7, 399, 400, 4095, 65_535];
    const devices = Object.fromEntries(
      numbers.map((number) => [`rng${number}`, { type: 'rng', bus: 'bus0', number }]),
    );
    const rig = rigOf(
      {},
      {
        devices,
        workloads: numbers.map((number) => ({
          type: 'entropy',
          device: `rng${number}`,
          operations: 1,
        })),
      },
    );
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    expect(numbers.map((_, i) => rig.result(i).verified)).toEqual(numbers.map(() => 1));
    // 256 numbers at a time, empty stretches skipped.
    expect(busCounters(rig, 'driver')['GET_DEVICES']).toBe(4);
  });

  it('fill the FIFO, which is looked at again after a while', () => {
    const rig = rigOf(
      {},
      {
        driver: { memory: '64MiB' },
        devices: { rng: { type: 'rng', bus: 'bus0', number: 0, count: 100 } },
        workloads: [{ type: 'entropy', device: 'rng', operations: 1 }],
      },
    );
    expect(rig.run()).toBe('done');
    expect(rig.violations).toEqual([]);
    const { ringFull, backlogMax } = busCounters(rig, 'device');
    expect(ringFull).toBeGreaterThan(0);
    expect(backlogMax).toBeGreaterThan(1);
    // The Linux driver sleeps for 10 ms (pci.fullRetry).
    expect(rig.kernel.now).toBeGreaterThan(10 * MILLISECOND);
  });

  it('spread over FIFOs by their numbers', () => {
    const rig = rigOf(
      { fifos: 4 },
      {
        devices: { rng: { type: 'rng', bus: 'bus0', number: 0, count: 4 } },
        workloads: [{ type: 'entropy', device: 'rng', operations: 5 }],
      },
    );
    rig.run();
    expect(rig.violations).toEqual([]);
    const { interrupts, interruptsCoalesced } = busCounters(rig, 'driver');
    const { interruptsSent } = busCounters(rig, 'device');
    expect(interrupts + interruptsCoalesced).toBe(interruptsSent);
  });
});

describe('a card that is pulled out', () => {
  const forLong = { until: { atMost: '400ms' } };
  /** An entropy source that is asked all the time, for as long as it answers. */
  const busy = {
    devices: { rng0: { type: 'rng', bus: 'bus0', number: 0 } },
    workloads: [{ type: 'entropy', device: 'rng0', operations: 1_000_000, thinkTime: '100us' }],
    ...forLong,
  };

  it.each([{}, { fifoPlace: 'host' }, { fifoLayout: 'selfDescribing', handshakeInterval: '1ms' }])(
    'takes its devices away, and nothing else happens: %o',
    (bus) => {
      const rig = rigOf({ ...bus, removeAt: '20ms' }, busy);
      rig.run();
      const [workload] = rig.outcome.workloads;
      expect(workload.downReason).toMatch(/the card was pulled out/);
      expect(workload.result.requests).toBeGreaterThan(50);
      expect(rig.violations).toEqual([]);
    },
  );

  it.each([{}, { fifoPlace: 'host' }, { fifoLayout: 'selfDescribing', handshakeInterval: '1ms' }])(
    'is found again when it is put back, and its devices come up: %o',
    (bus) => {
      const rig = rigOf({ ...bus, removeAt: '20ms', insertAt: '30ms' }, busy);
      // Software waits 100 ms for a new link (pcie.readyTime).
      rig.runUntil(129 * MILLISECOND);
      expect(rig.outcome.workloads[0].driverState).not.toBe('live');
      rig.runUntil(150 * MILLISECOND);
      expect(rig.outcome.workloads[0]).toMatchObject({ driverState: 'live', downReason: null });
      expect(rig.violations).toEqual([]);
      expect(busCounters(rig, 'driver')['configAccesses']).toBe(SCAN + 2 * 25);
      expect(busCounters(rig, 'device')['resets']).toBe(1);
    },
  );
});

describe('a device that comes and goes', () => {
  it.each([{}, { fifoPlace: 'host' }, { fifos: 4 }])('is told of by EVENT_DEVICE: %o', (bus) => {
    const moving = comingAndGoing({ addAt: '3ms', removeAt: '5ms' });
    const rig = rigOf(bus, { ...moving, until: { atMost: '8ms' } });
    rig.runUntil(3 * MILLISECOND);
    const states = () => rig.outcome.workloads.map(({ driverState }) => driverState);
    expect(states()[0]).not.toBe('live');
    expect(states().slice(1)).toEqual(['live', 'live']);
    rig.runUntil(5 * MILLISECOND);
    expect(states()).toEqual(['live', 'live', 'live']);
    rig.run();
    expect([states()[0], states()[2]]).toEqual(['live', 'live']);
    expect(rig.outcome.workloads[1].downReason).toBe('the device was removed');
    expect(rig.violations).toEqual([]);
    expect(busCounters(rig, 'device')['EVENT_DEVICE']).toBe(2);
  });
});

describe('the watchdog', () => {
  it('sends PING while devices are in use', () => {
    const rig = rigOf({ pingInterval: '100us' });
    rig.run();
    expect(rig.violations).toEqual([]);
    const pings = busCounters(rig, 'driver')['PING'];
    expect(pings).toBeGreaterThan(3);
    expect(busCounters(rig, 'device')['PING']).toBeGreaterThanOrEqual(pings - 1);
  });

  it('takes devices away when nothing is heard', () => {
    const rig = rigOf(
      { pingInterval: '1ms' },
      {
        workloads: [fio({ operations: 5 })],
        faults: [
          { at: '5ms', on: 'bus0', drop: 'PING', count: 1000 },
          { at: '0us', on: 'bus0', drop: 'EVENT_USED', count: 1000 },
        ],
        until: { atMost: '20ms' },
      },
    );
    rig.run();
    expect(rig.outcome.workloads[0].downReason).toMatch(/doesn't answer PING/);
  });
});

describe('known defects', () => {
  const eight = {
    devices: { rng: { type: 'rng', bus: 'bus0', number: 0, count: 8 } },
    workloads: [{ type: 'entropy', device: 'rng', operations: 50 }],
    until: { atMost: '100ms' },
  };

  it('a card that takes one message for an interrupt leaves messages lie', () => {
    const leftFor = (quirks: readonly string[]) => {
      const rig = rigOf({ quirks, loadWidth: 64 }, eight);
      rig.run();
      return busCounters(rig, 'driver')['messages'] - busCounters(rig, 'device')['ringReceived'];
    };
    expect(leftFor([])).toBe(0);
    expect(leftFor(['oneMessage'])).toBeGreaterThan(3);
  });

  it('a driver that sends eight bytes of each message gets nowhere', () => {
    const rig = rigOf({ quirks: ['shortMessages'], discovery: 'static' }, eight);
    rig.run();
    for (let i = 0; i < 8; i++) expect(rig.result(i).verified).toBe(0);
    expect(rig.outcome.workloads[0].downReason).toMatch(/feature blocks/);
  });
});

describe('the order of digests', () => {
  it('is the same on both engines', () => {
    const digest = (engine: 'compiled' | 'xstate') => {
      const rig = linkRig({ type: 'pci', bus: { fifoLayout: 'selfDescribing' } }, { engine });
      rig.run();
      return rig.digest;
    };
    expect(digest('xstate')).toBe(digest('compiled'));
  });
});

describe('options', () => {
  it.each([
    [{ maxPayload: '200B' }, 'maxPayload'],
    [{ maxReadRequest: '8KiB' }, 'maxReadRequest'],
    [{ postedData: '128B' }, 'postedData'],
    [{ lanes: 3 }, 'lanes'],
    [{ fifos: 9 }, 'fifos'],
    [{ maxMessageSize: '40B' }, 'maxMessageSize'],
    [{ removeAt: '2ms', insertAt: '1ms' }, 'insertAt'],
    [{ uplinkLanes: 8 }, 'uplinkLanes'],
  ])('%o is refused', (bus, key) => {
    let error: unknown;
    try {
      linkTopology({ type: 'pci', bus });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ScenarioError);
    expect((error as ScenarioError).message).toContain(key);
  });

  it('cards that share a link agree on what it is', () => {
    const nodes = { host: { kind: 'host' }, a: { kind: 'card' }, b: { kind: 'card' } };
    const shared = { type: 'pci', driver: 'host', switches: 1, sharedUplink: 'sw' };
    const buses = { x: { ...shared, device: 'a' }, y: { ...shared, device: 'b', lanes: 8 } };
    const text = JSON.stringify({ name: 'two', nodes, buses, until: { atMost: '1ms' } });
    const source = { text, file: 'two.yaml', folder: import.meta.dirname };
    const message = /'sw' has generation 4, 4 lanes here and generation 4, 8 lanes elsewhere/;
    expect(() => parseScenario(source, tables)).toThrow(message);
  });

  it.each([
    [33, 1, /33 cards share the link 'sw'/],
    [32, 5, /290 bus numbers would be needed/],
  ])('%i cards behind %i switches are too many', (count, switches, message) => {
    const cards = {
      name: 'many',
      nodes: { host: { kind: 'host' }, card: { kind: 'card', count } },
    };
    const shared = { switches, sharedUplink: 'sw' };
    const bus = { type: 'pci', driver: 'host', device: 'card-{i}', count, ...shared };
    const text = JSON.stringify({ ...cards, buses: { pci: bus }, until: { atMost: '1ms' } });
    const source = { text, file: 'many.yaml', folder: import.meta.dirname };
    expect(() => parseScenario(source, tables)).toThrow(message);
  });
});
