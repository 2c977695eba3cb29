// STRICT_CONFIG_GENERATION, the transport feature of virtio-msg v2: in force if both sides of a bus know it.
import { describe, expect, it } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { revision, TRANSPORT_F } from '../../platform/virtio/messages/index.ts';
import { MsgDeviceTransport } from '../../platform/virtio/transport/index.ts';
import { BUS_CASES, carriesAll, contractTopology, OLDER_TRANSPORTS } from '../contract/cases.ts';
import { FakeBus } from '../support/fake-bus.ts';
import { FakeModel } from '../support/fake-model.ts';
import { Rig } from '../support/rig.ts';
import { testNodes } from '../support/test-nodes.ts';

const DEVICE = 7;
const { codec } = revision('v2');
/** Not those of 32-bit device numbers, whose header is another one. */
const messageBuses = Object.keys(BUS_CASES).filter(
  (bus) => carriesAll(bus) && BUS_CASES[bus]['deviceNumbers'] === undefined,
);

/** Runs a balloon, which writes its configuration; returns the generations that its driver wrote with. */
function generations(strictGeneration: string, bus = messageBuses[0]) {
  const busOptions = { strictGeneration };
  const rig = new Rig(contractTopology({ bus, device: 'balloon', revision: 'v2', busOptions }));
  expect(rig.run()).toBe('done');
  expect([rig.outcome.workloads[0].result.errors, rig.violations]).toEqual([0, []]);
  return rig.transportMessages
    .map(({ bytes }) => codec.decode(bytes, bytes.length))
    .filter(({ type }) => type === 'req.SET_CONFIG')
    .map(({ body }) => (body as { readonly generation: number }).generation);
}

describe('a bus of v2', () => {
  it.each(['none', 'driver', 'device'])(
    'PAR-8 MUST: is not strict when %s of its sides know it',
    (sides) => {
      const written = generations(sides);
      expect(written.length).toBeGreaterThan(1);
      expect(new Set(written)).toEqual(new Set([0]));
    },
  );

  it.each(messageBuses)(
    'PAR-8, CFG-6, CFG-17 MUST: is strict from the first write when both do: %s',
    (bus) => {
      const written = generations('both', bus);
      // The target changes twice, and so does the generation, besides what else the device changes.
      expect(Math.max(...written)).toBeGreaterThanOrEqual(2);
      expect(written).toEqual(written.toSorted((a, b) => a - b));
    },
  );

  it.each(['rfc3', 'v1'])('has it alone: %s has no such features', (name) => {
    const choice = { bus: messageBuses[0], device: 'rng', revision: name };
    const load = () => contractTopology({ ...choice, busOptions: { strictGeneration: 'both' } });
    expect(load).toThrow(ScenarioError);
    expect(load).toThrow(/revision (rfc3|v1) has no transport feature bits/);
  });
});

describe('a strict device', () => {
  it('CFG-5 MUST: refuses a write of a stale generation', () => {
    const { kernel, storage: node } = testNodes();
    const bus = new FakeBus({ node, revision: 'v2', maxMessageSize: 104 });
    const model = new FakeModel();
    const common = { node, name: 'device', deviceNumber: DEVICE, model };
    const transportFeatures = TRANSPORT_F.STRICT_CONFIG_GENERATION;
    new MsgDeviceTransport({ ...common, bus: bus.device, transportFeatures });
    model.configGeneration = 4;
    const lengths = [0, 3, 4].map((generation) => {
      const body = { generation, offset: 2, length: 2, data: Uint8Array.of(9, 9) };
      const message = { type: 'req.SET_CONFIG', dev: DEVICE, token: 1, body };
      bus.inject('toDevice', bus.encode(message));
      kernel.runUntil(Infinity);
      const { length } = bus.messages('toDriver').at(-1)!.body as { readonly length: number };
      return length;
    });
    expect(lengths).toEqual([0, 0, 2]);
    expect([...model.config.slice(2, 4)]).toEqual([9, 9]);
  });
});

describe('the tables', () => {
  it('let every bus of virtio-msg say it, and no other transport', () => {
    const known = Object.values(tables.buses).filter(
      (row) => 'strictGeneration' in row.options.shape,
    );
    const older = Object.keys(tables.buses).filter((type) => OLDER_TRANSPORTS.has(type));
    expect(known.map(({ type }) => type)).toEqual(
      Object.keys(tables.buses).filter((type) => !older.includes(type)),
    );
  });
});
