// GPIO against a small model: random requests for lines give the values, directions and interrupts that
// the model says, and none is lost or told twice.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PS_PER_US } from '../../platform/kernel/index.ts';
import { GPIO_DIRECTION, GPIO_IRQ_TYPE, GPIO_MSG } from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';

const LINES = 4;
const PEER = [1, 0, 3, 2];
const { OUT, NONE } = GPIO_DIRECTION;

type Step = readonly [kind: 'direction' | 'value' | 'irq' | 'unmask', line: number, value: number];

class Model {
  readonly direction = new Array<number>(LINES).fill(NONE);
  readonly output = new Array<number>(LINES).fill(0);
  readonly irq = new Array<number>(LINES).fill(0);
  readonly latched = new Array<boolean>(LINES).fill(false);
  readonly unmasked = new Array<boolean>(LINES).fill(false);
  /** Statuses of returned pairs by line. */
  readonly events: number[][] = Array.from({ length: LINES }, () => []);

  level(line: number): number {
    if (this.direction[line] === OUT) return this.output[line];
    return this.direction[PEER[line]] === OUT ? this.output[PEER[line]] : 0;
  }

  /** Changes something and does what follows from it. Returns the status of the request. */
  change(act: () => number): number {
    const before = Array.from({ length: LINES }, (_, line) => this.level(line));
    const status = act();
    for (let line = 0; line < LINES; line++) {
      const [was, is] = [before[line], this.level(line)];
      if (was !== is && (this.irq[line] & (is > was ? 1 : 2)) !== 0) this.latched[line] = true;
      this.settle(line);
    }
    return status;
  }

  settle(line: number): void {
    const level = this.level(line);
    const active =
      (this.irq[line] === GPIO_IRQ_TYPE.LEVEL_HIGH && level === 1) ||
      (this.irq[line] === GPIO_IRQ_TYPE.LEVEL_LOW && level === 0);
    if (!this.unmasked[line] || !(active || this.latched[line])) return;
    this.unmasked[line] = false;
    this.latched[line] = false;
    this.events[line].push(1);
  }

  disable(line: number): void {
    this.irq[line] = 0;
    this.latched[line] = false;
    if (this.unmasked[line]) this.events[line].push(0);
    this.unmasked[line] = false;
  }

  step([kind, line, value]: Step): number {
    if (kind === 'value') {
      return this.change(() => {
        this.output[line] = value & 1;
        return 0;
      });
    }
    if (kind === 'direction') {
      return this.change(() => {
        this.direction[line] = value % 3;
        if (value % 3 === NONE) {
          this.output[line] = 0;
          this.disable(line);
        }
        return 0;
      });
    }
    if (kind === 'unmask') {
      if (this.unmasked[line] || this.irq[line] === 0) this.events[line].push(0);
      else this.unmasked[line] = true;
      this.settle(line);
      return 0;
    }
    const type = [0, 1, 2, 3, 4, 8][value % 6];
    if (type === 0) this.disable(line);
    else if (this.direction[line] === OUT || this.irq[line] !== 0) return 1;
    else this.irq[line] = type;
    return 0;
  }
}

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('direction', 'value', 'value', 'irq', 'unmask'),
  fc.nat(LINES - 1),
  fc.nat(11),
);

it('does what the model does, over random requests', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const dut = new DeviceBench('gpio', {
        options: {
          lines: LINES,
          loop: [
            [0, 1],
            [2, 3],
          ],
        },
      });
      dut.start();
      const model = new Model();
      const pairs = new Map<number, number>();
      const events: number[][] = Array.from({ length: LINES }, () => []);
      for (const [kind, line, value] of steps) {
        const expected = model.step([kind, line, value]);
        if (kind === 'unmask') {
          pairs.set(dut.send(1, [le([line, 2])], [1]), line);
          dut.device.available(1, 0);
        } else {
          const types = { direction: 3, value: 5, irq: 6 } as const;
          const values = {
            direction: value % 3,
            value: value & 1,
            irq: [0, 1, 2, 3, 4, 8][value % 6],
          };
          dut.send(0, [le([types[kind], 2], [line, 2], [values[kind], 4])], [2]);
          dut.device.available(0, 0);
        }
        for (const { queue, head, bytes } of dut.run(30 * PS_PER_US)) {
          if (queue === 1) events[pairs.get(head)!].push(bytes[0]);
          else expect(bytes[0]).toBe(expected);
        }
        for (let each = 0; each < LINES; each++) {
          dut.send(0, [le([GPIO_MSG.GET_VALUE, 2], [each, 2], [0, 4])], [2]);
        }
        dut.device.available(0, 0);
        const levels = dut.run(30 * PS_PER_US).map(({ bytes }) => bytes[1]);
        expect(levels).toEqual(Array.from({ length: LINES }, (_, each) => model.level(each)));
      }
      expect(events).toEqual(model.events);
    }),
    { seed: 1, numRuns: 60 },
  );
});
