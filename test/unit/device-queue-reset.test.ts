// One queue of a device is reset while requests are under way, and set up again: what was on it is gone,
// nothing of it comes back late, and the device serves it and its other queues as before.
import { describe, expect, it } from 'vitest';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import {
  CONSOLE_EVENT,
  GPIO_DIRECTION,
  GPIO_IRQ_TYPE,
  GPIO_MSG,
  I2C_FLAGS,
  VSOCK_OP,
  VsockHeader,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

interface Case {
  readonly type: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly queue: number;
  /** Readable and writable segments of a request that takes a moment. */
  readonly request: readonly [readonly (readonly number[])[], readonly number[]];
  /** What must be done before. */
  prepare?(dut: DeviceBench): void;
  /** Chains that a request brings back in the end, on this queue. */
  readonly answers: number;
}

function vsockPacket(op: number): number[] {
  const bytes = new Uint8Array(44);
  const fields = { srcCid: 3, dstCid: 2, srcPort: 9, dstPort: 7, op, bufAlloc: 100 };
  Object.assign(new VsockHeader(), fields).write(bytes, 0);
  return [...bytes];
}

const gpio = (type: number, line: number, value: number) => le([type, 2], [line, 2], [value, 4]);

const CASES: Readonly<Record<string, Case>> = {
  'i2c requests': {
    type: 'i2c',
    queue: 0,
    request: [[le([0xd0, 2], [0, 2], [I2C_FLAGS.M_RD, 4])], [7, 1]],
    answers: 1,
  },
  'gpio requests': {
    type: 'gpio',
    queue: 0,
    request: [[gpio(GPIO_MSG.GET_VALUE, 0, 0)], [2]],
    answers: 1,
  },
  'gpio interrupts': {
    type: 'gpio',
    options: { stimulus: [{ line: 2, period: '100us' }] },
    queue: 1,
    prepare(dut) {
      dut.send(0, [gpio(GPIO_MSG.SET_DIRECTION, 2, GPIO_DIRECTION.IN)], [2]);
      dut.send(0, [gpio(GPIO_MSG.SET_IRQ_TYPE, 2, GPIO_IRQ_TYPE.EDGE_BOTH)], [2]);
      dut.device.available(0, 0);
      dut.run(10_000_000);
    },
    request: [[le([2, 2])], [1]],
    answers: 1,
  },
  'console output': {
    type: 'console',
    options: { multiport: false },
    queue: 1,
    request: [[[1, 2, 3]], []],
    answers: 1,
  },
  'console control messages': {
    type: 'console',
    queue: 3,
    request: [[le([0, 4], [CONSOLE_EVENT.DEVICE_READY, 2], [0, 2])], []],
    answers: 1,
  },
  'balloon pages in': { type: 'balloon', queue: 0, request: [[le([5, 4])], []], answers: 1 },
  'vsock packets': {
    type: 'vsock',
    queue: 1,
    request: [[vsockPacket(VSOCK_OP.RST)], []],
    answers: 1,
  },
};

describe.each(Object.entries(CASES))(
  '%s',
  (_, { type, options = {}, queue, request, prepare, answers }) => {
    it.each([0, 1, 2, 3, 5, 8, 20])(
      'QRS-1, QRS-2, QRS-4 MUST: is left with nothing of before, reset after %d steps of 500 ns',
      (steps) => {
        const dut = new DeviceBench(type, { options });
        dut.start();
        prepare?.(dut);
        dut.send(queue, ...request);
        dut.device.available(queue, 0);
        dut.run(500_000 * steps);
        dut.restart(queue);
        const before = dut.returned.length;
        dut.run(2 * PS_PER_MS);
        expect(dut.returned.slice(before)).toEqual([]);
        // A page that was taken before the reset is in the balloon, and can't be given twice.
        const taken = type === 'balloon' && dut.device.statistics!().pages === 1;
        dut.send(queue, ...request);
        dut.device.available(queue, 0);
        const back = dut.run(2 * PS_PER_MS).filter((chain) => chain.queue === queue);
        expect(back).toHaveLength(answers);
        expect(dut.violations).toEqual(taken ? ['BAD_REQUEST'] : []);
      },
    );
  },
);
