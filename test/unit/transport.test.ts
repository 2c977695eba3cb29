// The driver side of virtio-msg when things go wrong under way: the device goes offline, a message cannot
// be delivered, memory cannot be had.
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../platform/errors.ts';
import { peekToken } from '../../platform/virtio/messages/index.ts';
import { DEVICE, transportPair } from '../support/transport-bench.ts';

function online() {
  const pair = transportPair();
  pair.bus.driver.start();
  pair.listener.log.length = 0;
  return { ...pair, client: pair.bus.drivers.get(DEVICE)! };
}

describe('an operation', () => {
  it('fails at once while the device is offline', () => {
    const { transport, listener, bus } = transportPair();
    transport.getStatus();
    expect(listener.log).toEqual(['failed: the device is not reachable']);
    expect(bus.frames).toEqual([]);
  });

  it('that is under way fails when the device goes offline, before the driver hears why', () => {
    const { kernel, transport, listener, client } = online();
    transport.getStatus();
    client.offline('removed');
    expect(listener.log).toEqual(['failed: the device is not reachable', 'offline: removed']);
    // Its late response is a stray.
    kernel.runUntil(Infinity);
    expect([listener.log.length, transport.strays]).toEqual([2, 1]);
  });

  it('that is under way is forgotten when the device goes away, and another works once it is back', () => {
    const { kernel, transport, listener, client, ask } = online();
    transport.getStatus();
    client.away('restarting');
    kernel.runUntil(Infinity);
    expect([listener.log, transport.strays]).toEqual([['away: restarting'], 1]);
    client.online();
    expect(ask((again) => again.getStatus()).type).toBe('reply.status');
    expect(listener.log).toEqual(['away: restarting', 'online', 'reply.status']);
  });

  it('can be asked again after the device came back', () => {
    const { listener, client, ask } = online();
    client.offline('removed');
    client.online();
    expect(ask((transport) => transport.getStatus()).type).toBe('reply.status');
    expect(listener.log).toEqual(['offline: removed', 'online', 'reply.status']);
  });

  it('fails with the reason of the bus when its request cannot be delivered', () => {
    const { transport, listener, client, bus } = online();
    transport.getStatus();
    const token = peekToken(bus.frames[0].bytes);
    client.undeliverable(token + 1, 'another one');
    expect(listener.log).toEqual([]);
    client.undeliverable(token, 'no such device');
    expect(listener.log).toEqual(['failed: no such device']);
    // Said twice, it counts once.
    client.undeliverable(token, 'no such device');
    expect(listener.log.length).toBe(1);
  });

  it('is the only one: a second at the same time is our own bug', () => {
    const { transport } = online();
    transport.getStatus();
    expect(() => transport.getStatus()).toThrow(AssertionError);
  });

  it('started from the reply of the one before begins when that is over', () => {
    const { kernel, transport, listener, requests } = online();
    const reply = listener.reply.bind(listener);
    listener.reply = (value) => {
      reply(value);
      if (listener.replies.length < 3) transport.getStatus();
    };
    transport.getStatus();
    kernel.runUntil(Infinity);
    expect(listener.log).toEqual(['reply.status', 'reply.status', 'reply.status']);
    expect(requests().length).toBe(3);
  });

  it('waits no longer than its time-out, from its own start', () => {
    const { kernel, transport, bus, listener } = online();
    bus.script = ({ bytes, direction }) =>
      direction === 'toDriver'
        ? [{ bytes, delay: bus.requestTimeout - 2001 }]
        : [{ bytes, delay: 0 }];
    transport.getStatus();
    kernel.runUntil(Infinity);
    // A picosecond before the time-out is in time.
    expect(listener.log).toEqual(['reply.status']);
    expect(bus.frames.length).toBe(2);
  });
});

describe('memory', () => {
  it('has the bus address that the bus gives it', () => {
    const { ask, transport } = online();
    const reply = ask((t) => t.allocate(5000));
    expect(reply.type).toBe('reply.memory');
    const { address } = reply as { address: number };
    expect(transport.busAddress(address + 3) - transport.busAddress(address)).toBe(3);
  });

  it('that cannot be had fails with the reason of the bus', () => {
    const { ask, bus } = online();
    bus.allocationFailure = 'all areas are taken';
    expect(ask((t) => t.allocate(1))).toEqual({
      type: 'reply.failed',
      reason: 'all areas are taken',
    });
  });

  it('that comes when nobody waits for it changes nothing', () => {
    const { client, listener } = online();
    client.allocated(0x4000_0000, null);
    expect(listener.log).toEqual([]);
  });
});
