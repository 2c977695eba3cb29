// Event channels of one Xen domain: ports and who may bind and notify them, pending and mask bits as bytes
// of the shared page, and the one upcall that serves them all.
import { beforeEach, describe, expect, it } from 'vitest';
import { EventChannels, PORTS_MAX } from '../../buses/xen/event-channels.ts';
import type { Node } from '../../platform/node/index.ts';
import { testNodes } from '../support/test-nodes.ts';

const PEER = 7;
const STRANGER = 8;

let node: Node;
let run: () => void;
let events: EventChannels;
let handled: string[];

beforeEach(() => {
  const nodes = testNodes({});
  node = nodes.storage;
  run = () => nodes.kernel.runUntil(nodes.kernel.now + 1_000_000_000);
  events = new EventChannels(node);
  handled = [];
});

/** A port that the peer has bound, unmasked. */
function boundPort(name: string): number {
  const port = events.allocateUnbound(PEER, () => handled.push(name));
  events.bound(port, PEER, 100 + port);
  events.unmask(port);
  return port;
}

const u8 = (offset: number) => node.memory.readU8(events.address + offset);

describe('ports', () => {
  it('are offered to one domain, and bound by it alone', () => {
    const port = events.allocateUnbound(PEER, () => {});
    expect([port, events.target(port), events.denial]).toEqual([
      1,
      -1,
      'the port is bound to nobody',
    ]);
    expect([events.bound(port, STRANGER, 5), events.denial]).toEqual([
      false,
      'the port is for another domain',
    ]);
    expect([events.bound(port, PEER, 5), events.target(port)]).toEqual([true, 5]);
    expect([events.target(2), events.denial]).toEqual([-1, 'no such port']);
  });

  it('are notified by nobody else, and that changes nothing', () => {
    const port = boundPort('a');
    expect([events.notified(port, STRANGER), events.denial]).toEqual([
      false,
      'the port is for another domain',
    ]);
    expect([events.notified(port + 1, PEER), events.denial]).toEqual([false, 'no such port']);
    run();
    expect([handled, events.isPending(port)]).toEqual([[], false]);
  });

  it('are used again after they are closed, and unbound when the other end is closed', () => {
    const port = boundPort('a');
    boundPort('b');
    events.unbound(port, PEER);
    expect([events.target(port), events.denial]).toEqual([-1, 'the port is bound to nobody']);
    events.notified(port, PEER);
    events.close(port);
    run();
    expect([handled, events.isPending(port), events.isMasked(port)]).toEqual([[], false, true]);
    expect(events.bindInterdomain(PEER, 9, () => {})).toBe(port);
    expect(events.target(port)).toBe(9);
  });

  it('are 4095', () => {
    for (let port = 1; port < PORTS_MAX; port++) {
      expect(events.allocateUnbound(PEER, () => {})).toBe(port);
    }
    expect([events.allocateUnbound(PEER, () => {}), events.denial]).toEqual([
      -1,
      'no port is left',
    ]);
  });
});

describe('bits', () => {
  it('are those of shared_info: all ports masked, none pending', () => {
    expect([u8(0), u8(8), u8(0x30), u8(0x22f)]).toEqual([0, 0, 0, 0]);
    expect([u8(0x230), u8(0x42f), u8(0x430)]).toEqual([0xff, 0xff, 0]);
  });

  it('tell pending and mask of a port, the selector its word, and that an upcall is due', () => {
    for (let port = 1; port < 70; port++) boundPort(`${port}`);
    events.notified(69, PEER);
    // Port 69 is bit 5 of word 1: byte 8 of each table; the selector has bit 1.
    expect([u8(0), u8(8), u8(0x38), u8(0x238) & 0x20]).toEqual([1, 2, 0x20, 0]);
    run();
    // The handler runs with its port masked and its event taken.
    expect([u8(0), u8(8), u8(0x38), u8(0x238) & 0x20]).toEqual([0, 0, 0, 0x20]);
    expect(handled).toEqual(['69']);
  });
});

describe('events', () => {
  it('merge while one is pending', () => {
    const port = boundPort('a');
    for (let i = 0; i < 5; i++) events.notified(port, PEER);
    run();
    expect([handled, events.counters(port)]).toMatchObject([['a'], { merged: 4, handled: 1 }]);
  });

  it('wait behind the mask, and make one upcall after it', () => {
    const port = events.allocateUnbound(PEER, () => handled.push('a'));
    events.bound(port, PEER, 1);
    for (let i = 0; i < 3; i++) events.notified(port, PEER);
    run();
    expect([handled, events.isPending(port), events.counters(port).masked]).toEqual([[], true, 1]);
    events.unmask(port);
    events.unmask(port);
    run();
    expect([handled, events.isMasked(port)]).toEqual([['a'], true]);
    events.notified(port, PEER);
    events.unmask(port);
    run();
    expect(handled).toEqual(['a', 'a']);
  });

  it('of several ports are taken by one upcall, in the order of the ports', () => {
    const [first, second] = [boundPort('first'), boundPort('second')];
    const { interrupts } = node;
    events.notified(second, PEER);
    events.notified(first, PEER);
    run();
    expect([handled, node.interrupts - interrupts]).toEqual([['first', 'second'], 1]);
  });

  it('for the hypervisor reach it at once, without bits or an upcall', () => {
    const port = events.allocateForHypervisor(PEER, () => handled.push('xen'));
    events.bound(port, PEER, 3);
    const { interrupts } = node;
    events.notified(port, PEER);
    expect([handled, events.isPending(port), node.interrupts]).toEqual([
      ['xen'],
      false,
      interrupts,
    ]);
  });
});
