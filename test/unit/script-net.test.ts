// Scripts on network devices: commands of the control queue, frames as they are, the state of the cable.
import { describe, expect, it } from 'vitest';
import { netTopology } from '../support/net-scenario.ts';
import { Rig } from '../support/rig.ts';

type Steps = readonly Readonly<Record<string, unknown>>[];

/** Ethernet frames between the two stations, of an experimental type, and to a group. */
const TO_SECOND = `0200000000020200000000${'0188b5'}`;
const FRAME = `${TO_SECOND}cafe${'00'.repeat(44)}`;
const TO_GROUP = `01005e00000a${FRAME.slice(12)}`;

function run(first: Steps, second: Steps, card: Readonly<Record<string, unknown>> = {}) {
  const workloads = [first, second].map((steps, i) => ({
    type: 'script',
    device: `net-${i}`,
    name: `net-${i}`,
    steps,
  }));
  const macs = [1, 2].map((i) => ({ mac: `02:00:00:00:00:0${i}` }));
  const rig = new Rig(netTopology({ workloads, card, cards: macs, atMost: '1s' }));
  const ending = rig.run();
  return { rig, ending, complaints: rig.violations.map(({ text }) => text) };
}

const REST = { do: 'sleep', for: '1ms' };

describe('a script on a network device', () => {
  it('sends frames that the other one waits for', () => {
    const { ending, complaints } = run(
      [REST, { do: 'send', frame: TO_GROUP }, { do: 'send', frame: FRAME }],
      [
        { do: 'config', field: 'mac', is: '020000000002' },
        { do: 'config', field: 'mtu', is: 1500 },
        { do: 'receive', frame: `${TO_SECOND}caf?` },
        { do: 'receive', frame: TO_SECOND, within: '2ms', expect: 'timeout' },
      ],
    );
    expect([ending, complaints]).toEqual(['done', []]);
  });

  it('hears what it asks for', () => {
    const { ending, complaints } = run(
      [REST, { do: 'send', frame: TO_GROUP }, REST, REST, { do: 'send', frame: TO_GROUP }, REST],
      [
        { do: 'groups', of: ['01:00:5e:00:00:0a'] },
        { do: 'receive', frame: '01005e' },
        { do: 'groups', of: [] },
        { do: 'addVlan', vlan: 5 },
        { do: 'removeVlan', vlan: 5 },
        { do: 'receiveMode', mode: 'promiscuous' },
        { do: 'receiveMode', mode: 'promiscuous', on: false },
        { do: 'receiveMode', mode: 'allMulticast' },
        { do: 'receive', frame: '01005e' },
        { do: 'command', class: 77, command: 0, expect: 'refused' },
        // Promiscuous, by its numbers, and with a value that there is not.
        { do: 'command', class: 0, command: 0, data: 1 },
        { do: 'command', class: 0, command: 0, data: 7, expect: 'refused' },
      ],
    );
    expect([ending, complaints]).toEqual(['done', []]);
  });

  it('tells what did not come, and what was refused', () => {
    const { complaints } = run(
      [{ do: 'command', class: 77, command: 0 }],
      [
        { do: 'receive', frame: 'ffff', within: '1ms', expect: 'ok' },
        { do: 'config', field: 'status', is: 0 },
      ],
    );
    expect(complaints).toEqual([
      "net-0: step 1 (command) ended in 'refused', not 'ok'",
      'net-1: step 2 (config) found status 1, not 0',
    ]);
  });

  it('goes on after the device has failed at any time', () => {
    const steps = [
      { do: 'groups', of: [] },
      { do: 'addVlan', vlan: 5 },
      { do: 'receiveMode', mode: 'allMulticast' },
      { do: 'send', frame: FRAME },
      { do: 'resetDevice' },
      { do: 'receive', frame: '0102030405ff', within: '3ms', expect: 'timeout' },
    ];
    for (const at of ['110us', '150us', '200us', '300us', '2ms']) {
      const { ending, rig } = run(steps, [REST], { needsReset: [at] });
      const [{ result }] = rig.outcome.workloads;
      expect([at, ending, result.failure]).toEqual([at, 'done', null]);
      // A command that the reset came between is lost, which nobody expected.
      expect(rig.violations.length).toBe(result.steps!.wrong);
      expect(result.steps!.wrong).toBeLessThan(2);
    }
  });
});
