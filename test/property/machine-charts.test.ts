// Every chart of the project: written as charts are here, and the same on both engines. Charts are found
// by themselves; one whose guards read fields of events, or that takes input, has a row below.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, StateMachine } from 'xstate';
import type { RandomStream } from '../../platform/kernel/index.ts';
import { lintMachine } from '../../platform/machine/index.ts';
import { type EventSource, equivalenceCheck } from '../support/machine-equivalence.ts';
import { listFiles, ROOT, readSource } from '../support/source-files.ts';

interface Row {
  readonly input?: unknown;
  /** Fields of events by type, as drawn for each event. */
  readonly fields?: Readonly<Record<string, (random: RandomStream) => object>>;
}

/** By the id of the machine. Values straddle what the guards compare with. */
const ROWS: Readonly<Record<string, Row>> = {
  admin: { input: { retriesMax: 2 } },
  adminVqSession: { input: { timeout: 3000 } },
  balloon: { input: { retryInterval: 4000 } },
  vsockConnection: { input: { closeTimeout: 4000 } },
  vsockSocket: { input: { connectTimeout: 3000, closeTimeout: 4000 } },
  device: {
    fields: {
      FEATURES_OK: (random) => ({ acceptable: random.ratio(1, 2) }),
      SUSPEND: (random) => ({ negotiated: random.ratio(3, 4) }),
    },
  },
  ffaDevice: { fields: { VERSION: (random) => ({ matches: random.ratio(1, 2) }) } },
  ffaDriver: { input: { timeout: 3000, busyRetry: 1000 } },
  ffaPoll: { input: { interval: 5000 } },
  tcp: { input: { timeWait: 5000 } },
  ivshmemDevice: { input: { readyAfter: 5000 } },
  ivshmemDriver: { input: { readyPoll: 2000 } },
  linkSession: { input: { asks: true, timeout: 3000, pingInterval: 2000 } },
  loopbackKernel: { input: { byMessage: true } },
  loopbackSpin: { input: { timeout: 3000 } },
  mailboxDevice: { input: { readyAfter: 4000, readyPoll: 1000 } },
  ringSender: { input: { fullRetry: 1000 } },
  ringReceiver: { input: { ringsMax: 2, continues: false } },
  pciPeer: { input: { checksLayout: true, interval: 1000, looksMax: 3 } },
  pciPoll: { input: { interval: 2000 } },
  pcieProbe: { input: { readyTime: 2000 } },
  suspend: {
    input: { pollInterval: 1000, looksMax: 3 },
    fields: {
      BEGIN: (random) => ({ time: 1000 * (1 + random.below(5)) }),
      'reply.status': (random) => ({ status: [15, 27, 31, 79, 91][random.below(5)] }),
    },
  },
  watchdog: { input: { timeout: 4000 } },
  workload: { input: { duration: 10_000 } },
  exchange: { input: { timeout: 3000, retriesMax: 2, pollInterval: 1000 } },
  driver: {
    input: { deviceId: 2, queueCount: 2, requiredFeatures: 1n, configSize: 8 },
    fields: {
      QUEUES: (random) => ({ count: 1 + random.below(3) }),
      'reply.info': (random) => ({
        info: { deviceId: random.ratio(7, 8) ? 2 : 1, queuesMax: 4, configSize: 8 },
      }),
      'reply.features': (random) => ({ features: random.ratio(3, 4) ? 3n : 2n }),
      'reply.status': (random) => ({ status: [0, 1, 3, 11, 15, 15][random.below(6)] }),
      'reply.queue': (random) => ({ sizeMax: 256, size: random.ratio(1, 2) ? 256 : 0 }),
      'reply.failed': () => ({ reason: 'no reason' }),
    },
  },
};

const SEEDS = 12;
const STEPS = 150;

const machines = await findMachines();

/** Machines exported by any module that makes one. */
async function findMachines(): Promise<AnyStateMachine[]> {
  const files = listFiles(['devices', 'buses', 'guests', 'platform'], ['.ts']);
  const found = new Set<AnyStateMachine>();
  for (const path of files.filter((file) => readSource(file).text.includes('.createMachine('))) {
    const module: Record<string, unknown> = await import(join(ROOT, path));
    for (const value of Object.values(module)) {
      if (value instanceof StateMachine) found.add(value as AnyStateMachine);
    }
  }
  return [...found];
}

/** One source for each type of event that the machine names, and one that it does not. */
function eventsOf(machine: AnyStateMachine): EventSource[] {
  const fields = ROWS[machine.id]?.fields ?? {};
  const types = machine.events.map((type) => String(type).replace(/\*$/, 'UNHEARD_OF'));
  return types
    .filter((type) => !type.startsWith('xstate.'))
    .map((type) => (random) => ({ type, ...fields[type]?.(random) }));
}

test('charts are found, and rows are of charts', () => {
  const ids = machines.map(({ id }) => id);
  expect(ids.length).toBeGreaterThanOrEqual(8);
  expect(new Set(ids).size).toBe(ids.length);
  expect(Object.keys(ROWS).filter((id) => !ids.includes(id))).toEqual([]);
});

describe.each(machines.map((machine) => ({ id: machine.id, machine })))('chart $id', (row) => {
  const { machine } = row;

  test('is written as charts are here', () => {
    expect(lintMachine(machine)).toEqual([]);
  });

  test(`does the same on both engines, ${STEPS} steps from seeds 1 … ${SEEDS}`, () => {
    const states = new Set<string>();
    const { input } = ROWS[machine.id] ?? {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      const report = equivalenceCheck(machine, eventsOf(machine), { steps: STEPS, seed, input });
      expect(report.failed, `${machine.id} failed; does it need a row in ROWS?`).toBe(false);
      for (const state of report.states) states.add(state);
    }
    expect(states.size).toBeGreaterThan(1);
  });
});
