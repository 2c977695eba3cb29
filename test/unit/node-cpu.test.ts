// CPUs as servers with service times: who runs when, lending a core, and the account of busy time.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../platform/errors.ts';
import { CauseLog, Kernel } from '../../platform/kernel/index.ts';
import {
  type CpuClient,
  CpuSet,
  InterruptLine,
  labels,
  Priority,
} from '../../platform/node/index.ts';
import { testNodes } from '../support/test-nodes.ts';

interface Ran {
  readonly at: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

/** A client that notes what it ran, and may do something then. */
class Worker implements CpuClient {
  readonly ran: Ran[] = [];
  readonly #kernel: Kernel;
  readonly #then: (kind: number) => void;

  constructor(kernel: Kernel, then: (kind: number) => void = () => {}) {
    this.#kernel = kernel;
    this.#then = then;
  }

  get order(): string {
    return this.ran.map(({ kind, at }) => `${kind}@${at}`).join(' ');
  }

  deliver(kind: number, a: number, b: number): void {
    this.ran.push({ at: this.#kernel.now, kind, a, b });
    this.#then(kind);
  }
}

function setUp(cores: number, then?: (kind: number) => void) {
  const kernel = new Kernel(1);
  const cpu = new CpuSet(kernel, 0, cores);
  return { kernel, cpu, worker: new Worker(kernel, then) };
}

const { interrupt, task } = Priority;

describe('work', () => {
  it('ends after its cost and passes its arguments on', () => {
    const { kernel, cpu, worker } = setUp(1);
    cpu.submit(task, 250, worker, 7, 8, 9);
    kernel.runUntil(1000);
    expect(worker.ran).toEqual([{ at: 250, kind: 7, a: 8, b: 9 }]);
    expect([cpu.busy, cpu.held]).toEqual([250, 0]);
  });

  it('waits for the core in the order of its arrival', () => {
    const { kernel, cpu, worker } = setUp(1);
    for (let kind = 1; kind <= 3; kind++) cpu.submit(task, 100, worker, kind);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 2@200 3@300');
  });

  it('of an interrupt goes ahead of waiting tasks but not of the one that runs', () => {
    const { kernel, cpu, worker } = setUp(1);
    cpu.submit(task, 100, worker, 1);
    cpu.submit(task, 100, worker, 2);
    cpu.submit(interrupt, 10, worker, 3);
    cpu.submit(interrupt, 10, worker, 4);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 3@110 4@120 2@220');
  });

  it('runs on all cores at the same time', () => {
    const { kernel, cpu, worker } = setUp(3);
    for (let kind = 1; kind <= 4; kind++) cpu.submit(task, 100 * kind, worker, kind);
    kernel.runUntil(250);
    // The fourth took the first core when it became free.
    expect(worker.order).toBe('1@100 2@200');
    // Two whole pieces, and 250 and 150 of those under way.
    expect(cpu.busyUntilNow()).toBe(300 + 200 + 100);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 2@200 3@300 4@500');
    expect(cpu.busy).toBe(1000);
  });

  it('waits in a line of any length', () => {
    const { kernel, cpu, worker } = setUp(1);
    for (let kind = 0; kind < 100; kind++) cpu.submit(task, 1, worker, kind);
    kernel.runUntil(40);
    for (let kind = 100; kind < 200; kind++) cpu.submit(task, 1, worker, kind);
    kernel.runUntil(1000);
    expect(worker.ran.map(({ kind }) => kind)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});

describe('work that is bound to a core', () => {
  const bind = (
    cpu: CpuSet,
    worker: Worker,
    kind: number,
    core: number,
    priority: Priority = task,
  ) => cpu.submit(priority, 100, worker, kind, 0, 0, core);

  it('waits for that core though others are free', () => {
    const { kernel, cpu, worker } = setUp(4);
    for (let kind = 1; kind <= 3; kind++) bind(cpu, worker, kind, 2);
    bind(cpu, worker, 4, 3);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 4@100 2@200 3@300');
    expect(cpu.busy).toBe(400);
  });

  it('takes turns with other work in the order of arrival, interrupts first', () => {
    const { kernel, cpu, worker } = setUp(1);
    cpu.submit(task, 100, worker, 1);
    cpu.submit(task, 100, worker, 2);
    bind(cpu, worker, 3, 0);
    cpu.submit(task, 100, worker, 4);
    bind(cpu, worker, 5, 0, interrupt);
    cpu.submit(interrupt, 100, worker, 6);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 5@200 6@300 2@400 3@500 4@600');
  });

  it('leaves a free core to work that any core may do', () => {
    const { kernel, cpu, worker } = setUp(2);
    bind(cpu, worker, 1, 0);
    bind(cpu, worker, 2, 0);
    cpu.submit(task, 100, worker, 3);
    cpu.submit(task, 100, worker, 4);
    kernel.runUntil(1000);
    // The second core is free for the third, and whoever is free first takes what waits longest.
    expect(worker.order).toBe('1@100 3@100 2@200 4@200');
  });

  it('waits in a line of any length', () => {
    const { kernel, cpu, worker } = setUp(2);
    for (let kind = 0; kind < 50; kind++) bind(cpu, worker, kind, 1);
    kernel.runUntil(6000);
    expect(worker.ran.map(({ kind }) => kind)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('can be that of an interrupt line', () => {
    const { linux } = testNodes({ linux: { cpus: 2 } });
    let taken = -1;
    const line = new InterruptLine(linux, () => (taken = linux.kernel.now), 1);
    const entry = linux.costs.value(linux.timing.irqEntry);
    linux.cpu.submit(task, 2 * entry, { deliver: () => {} }, 0, 0, 0, 1);
    line.raise();
    linux.kernel.runUntil(10 * entry);
    expect(taken).toBe(3 * entry);
  });
});

describe('a core that is held', () => {
  it('takes no work until it is released', () => {
    const cores: number[] = [];
    const { kernel, cpu, worker } = setUp(1, (kind) => {
      if (kind === 1) cores.push(cpu.hold());
    });
    cpu.submit(task, 100, worker, 1);
    cpu.submit(task, 100, worker, 2);
    kernel.runUntil(500);
    expect(worker.order).toBe('1@100');
    kernel.now = 500;
    cpu.release(cores[0]);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 2@600');
    expect([cpu.busy, cpu.held]).toEqual([600, 400]);
  });

  it('goes on with its own work ahead of all that waits', () => {
    const cores: number[] = [];
    const { kernel, cpu, worker } = setUp(1, (kind) => {
      if (kind === 1) cores.push(cpu.hold());
    });
    cpu.submit(task, 100, worker, 1);
    cpu.submit(interrupt, 10, worker, 2);
    kernel.runUntil(300);
    kernel.now = 300;
    cpu.resume(cores[0], 50, worker, 3);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 3@350 2@360');
  });

  it('leaves the other cores alone', () => {
    const { kernel, cpu, worker } = setUp(2, (kind) => {
      if (kind === 1) cpu.hold();
    });
    cpu.submit(task, 100, worker, 1);
    cpu.submit(task, 100, worker, 2);
    cpu.submit(task, 100, worker, 3);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100 2@100 3@200');
    kernel.now = 1000;
    expect(cpu.busyUntilNow()).toBe(300 + 900);
  });

  it('must be the one that runs, and can be given back once', () => {
    const { kernel, cpu, worker } = setUp(1, () => {
      const core = cpu.hold();
      cpu.release(core);
      expect(() => cpu.release(core)).toThrow(AssertionError);
    });
    expect(() => cpu.hold()).toThrow(AssertionError);
    cpu.submit(task, 100, worker, 1);
    kernel.runUntil(1000);
    expect(worker.order).toBe('1@100');
  });
});

describe('causes', () => {
  it('of work that waited are the event that asked for it, and the wait', () => {
    const { kernel, cpu, worker } = setUp(1);
    kernel.causes = new CauseLog();
    const cost = 3;
    kernel.causes.note(cost, 100);
    cpu.submit(task, 100, worker, 1);
    kernel.causes.note(cost, 40);
    cpu.submit(task, 40, worker, 2);
    kernel.runUntil(1000);
    const { times, parents, partEnds, partLabels, partDurations } = kernel.causes;
    expect(times).toEqual([100, 140]);
    expect(parents).toEqual([-1, -1]);
    expect(partEnds).toEqual([1, 3]);
    expect(partLabels).toEqual([cost, labels.WAIT_CPU, cost]);
    expect(partDurations).toEqual([100, 100, 40]);
  });
});
