// FFA_MSG_SEND_DIRECT_REQ2 as the driver side makes it: the core is lent for the length of the call, and
// one call is under way at a time.
import { describe, expect, it } from 'vitest';
import { DirectCaller } from '../../buses/ffa/direct-caller.ts';
import { DIRECT_RESPONSE } from '../../buses/ffa/packets.ts';
import { DEVICE_ROLE, serviceOf } from '../../buses/ffa/service.ts';
import { CauseLog, type Packet } from '../../platform/kernel/index.ts';
import { labels, Priority } from '../../platform/node/index.ts';
import { testNodes } from '../support/test-nodes.ts';

const timing = {
  'cpu.messageEncode': '10ps',
  'cpu.messageHandle': '20ps',
  'ffa.worldSwitch': '100ps',
  'ffa.spmcRoute': '7ps',
};
/** From the encoded message to its arrival in the partition. */
const THERE = 107;
/** How long the partition takes, and its answer to come back. */
const SERVED = 1000;

function setUp(cpus = 1) {
  const { kernel, linux, storage } = testNodes({ timing, linux: { cpus } });
  const answers: string[] = [];
  const caller = new DirectCaller({
    node: linux,
    switchTime: linux.costs.idOf('ffa.worldSwitch'),
    routeTime: linux.costs.idOf('ffa.spmcRoute'),
    toNode: storage.index,
    toPort: 0,
    maxMessageSize: 16,
    service: serviceOf(DEVICE_ROLE),
    failed: (_, why) => void answers.push(`${why}@${kernel.now}`),
    answered: (bytes, length) => {
      answers.push(`${Buffer.from(bytes.subarray(0, length)).toString('hex')}@${kernel.now}`);
    },
  });
  const receiver = { deliver: () => {}, receive: (packet: Packet) => caller.receive(packet) };
  kernel.bindPort(0, linux.add(receiver));
  const arrivals: number[] = [];
  const partition = {
    deliver: () => {},
    receive: (packet: Packet) => {
      arrivals.push(kernel.now);
      const answer = kernel.packets.acquire(2);
      answer.bytes.set([0xff, packet.bytes[0]]);
      answer.kind = DIRECT_RESPONSE;
      kernel.send(storage.index, linux.index, 0, SERVED, answer);
    },
  };
  kernel.bindPort(0, storage.add(partition));
  return { kernel, linux, caller, answers, arrivals };
}

describe('a direct call', () => {
  it('encodes, switches, waits, and handles the answer', () => {
    const { kernel, caller, answers, arrivals } = setUp();
    caller.send(Uint8Array.of(1), 1);
    kernel.runUntil(Infinity);
    expect(arrivals).toEqual([10 + THERE]);
    expect(answers).toEqual([`ff01@${10 + THERE + SERVED + 20}`]);
  });

  it('lends its core to the partition: other work waits, and the time counts as lent', () => {
    const { kernel, linux, caller } = setUp();
    const ran: number[] = [];
    caller.send(Uint8Array.of(1), 1);
    linux.cpu.submit(Priority.interrupt, 5, { deliver: () => void ran.push(kernel.now) }, 0);
    kernel.runUntil(Infinity);
    const over = 10 + THERE + SERVED + 20;
    expect(ran).toEqual([over + 5]);
    expect([linux.cpu.held, linux.cpu.busy]).toEqual([THERE + SERVED, over + 5]);
  });

  it('leaves a second core free', () => {
    const { kernel, linux, caller } = setUp(2);
    const ran: number[] = [];
    caller.send(Uint8Array.of(1), 1);
    kernel.runUntil(50);
    linux.cpu.submit(Priority.task, 5, { deliver: () => void ran.push(kernel.now) }, 0);
    kernel.runUntil(Infinity);
    expect(ran[0]).toBeLessThan(10 + THERE);
  });

  it('waits for those before it, in their order', () => {
    const { kernel, caller, answers } = setUp(2);
    for (const byte of [1, 2, 3]) caller.send(Uint8Array.of(byte), 1);
    kernel.runUntil(Infinity);
    const round = 10 + THERE + SERVED + 20;
    expect(answers).toEqual([`ff01@${round}`, `ff02@${2 * round}`, `ff03@${3 * round}`]);
    // The one being encoded is still in the line.
    expect([caller.calls, caller.highWater]).toEqual([3, 3]);
  });

  it('has the time it waited for others among its causes', () => {
    const { kernel, caller } = setUp(2);
    kernel.causes = new CauseLog();
    caller.send(Uint8Array.of(1), 1);
    caller.send(Uint8Array.of(2), 1);
    kernel.runUntil(Infinity);
    const { partLabels, partDurations } = kernel.causes;
    const waits = partLabels.flatMap((label, i) =>
      label === labels.WAIT_BUS ? [partDurations[i]] : [],
    );
    expect(waits).toEqual([10 + THERE + SERVED + 20]);
  });
});
