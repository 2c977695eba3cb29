// A level interrupt line: what is raised while it is pending is one interrupt, ahead of tasks.
import { describe, expect, it } from 'vitest';
import { InterruptLine, Priority } from '../../platform/node/index.ts';
import { testNodes } from '../support/test-nodes.ts';

const IRQ_ENTRY = 1000;

function setUp(handler: (line: InterruptLine, now: number) => void = () => {}) {
  const { kernel, linux: node } = testNodes({
    timing: { 'cpu.irqEntry': '1ns' },
    linux: { cpus: 1 },
  });
  const handled: number[] = [];
  const line: InterruptLine = new InterruptLine(node, () => {
    handled.push(kernel.now);
    handler(line, kernel.now);
  });
  return { kernel, node, line, handled };
}

describe('an interrupt line', () => {
  it('runs its handler after the entry cost', () => {
    const { kernel, node, line, handled } = setUp();
    line.raise();
    kernel.runUntil(10_000);
    expect(handled).toEqual([IRQ_ENTRY]);
    expect([line.taken, line.coalesced, node.interrupts]).toEqual([1, 0, 1]);
  });

  it('makes one interrupt of all that is raised before a core takes it', () => {
    const { kernel, line, handled } = setUp();
    line.raise();
    line.raise();
    line.raise();
    kernel.runUntil(10_000);
    expect(handled).toEqual([IRQ_ENTRY]);
    expect([line.taken, line.coalesced]).toEqual([1, 2]);
  });

  it('can be raised again from its handler', () => {
    const { kernel, line, handled } = setUp((self, now) => {
      if (now === IRQ_ENTRY) self.raise();
    });
    line.raise();
    kernel.runUntil(10_000);
    expect(handled).toEqual([IRQ_ENTRY, 2 * IRQ_ENTRY]);
    expect(line.taken).toBe(2);
  });

  it('goes ahead of tasks that wait for the core', () => {
    const { kernel, node, line, handled } = setUp();
    const tasks: number[] = [];
    const client = { deliver: () => void tasks.push(kernel.now) };
    node.cpu.submit(Priority.task, 500, client, 0);
    node.cpu.submit(Priority.task, 500, client, 0);
    line.raise();
    kernel.runUntil(10_000);
    expect(handled).toEqual([500 + IRQ_ENTRY]);
    expect(tasks).toEqual([500, 500 + IRQ_ENTRY + 500]);
  });
});
