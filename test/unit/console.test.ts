// virtio-console: control messages, ports, sizes, emergency writes, and what a hostile driver gets.
import { describe, expect, it } from 'vitest';
import type { ConsoleDevice } from '../../devices/console/console-device.ts';
import { ECHO_BUFFER } from '../../devices/console/console-port.ts';
import { PS_PER_MS } from '../../platform/kernel/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import {
  CONSOLE_CONFIG,
  CONSOLE_CONTROL_RECEIVE,
  CONSOLE_CONTROL_TRANSMIT,
  CONSOLE_EVENT,
  CONSOLE_F,
  consolePortOf,
  consoleQueueCount,
  consoleReceiveQueue,
  consoleTransmitQueue,
  STATUS,
} from '../../platform/virtio/index.ts';
import { DeviceBench, le } from '../support/device-bench.ts';
import { topologyOf } from '../support/scenarios.ts';

const E = CONSOLE_EVENT;
const control = (id: number, event: number, value: number) => le([id, 4], [event, 2], [value, 2]);

function bench(options: Record<string, unknown> = {}, features?: bigint): DeviceBench {
  const dut = new DeviceBench('console', {
    options,
    queueSize: 32,
    ...(features === undefined ? {} : { features }),
  });
  expect(dut.start() & STATUS.DRIVER_OK).toBe(STATUS.DRIVER_OK);
  return dut;
}

/** Sends control messages and returns those that the device has sent since. */
function tell(dut: DeviceBench, ...messages: number[][]): number[][] {
  for (const message of messages) dut.send(CONSOLE_CONTROL_TRANSMIT, [message], []);
  dut.device.available(CONSOLE_CONTROL_TRANSMIT, 0);
  return heard(dut);
}

function heard(dut: DeviceBench): number[][] {
  return dut
    .run(PS_PER_MS)
    .filter(({ queue }) => queue === CONSOLE_CONTROL_RECEIVE)
    .map(({ bytes, written }) => [...bytes.subarray(0, written)]);
}

function offerControl(dut: DeviceBench, count = 16, size = 64): void {
  for (let i = 0; i < count; i++) dut.send(CONSOLE_CONTROL_RECEIVE, [], [size]);
  dut.device.available(CONSOLE_CONTROL_RECEIVE, 0);
}

/** Brings the ports of a device up as a driver does. */
function openPorts(dut: DeviceBench, ...ports: number[]): number[][] {
  offerControl(dut);
  return tell(
    dut,
    control(0, E.DEVICE_READY, 1),
    ...ports.map((port) => control(port, E.PORT_READY, 1)),
    ...ports.map((port) => control(port, E.PORT_OPEN, 1)),
  );
}

describe('queues', () => {
  it('are numbered as the specification says', () => {
    expect([0, 1, 2, 30].map(consoleReceiveQueue)).toEqual([0, 4, 6, 62]);
    expect([0, 1, 2, 30].map(consoleTransmitQueue)).toEqual([1, 5, 7, 63]);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(consolePortOf)).toEqual([0, 0, -1, -1, 1, 1, 2, 2]);
    expect(consoleQueueCount(31)).toBe(64);
  });

  it('are one pair without MULTIPORT, and four and a pair a port with it', () => {
    expect(bench({ multiport: false }).device.info.queuesMax).toBe(2);
    expect(bench({ ports: 3 }).device.info.queuesMax).toBe(8);
  });
});

describe('ports', () => {
  it('are announced when the driver is ready, and described when each of them is', () => {
    const dut = bench({ ports: 2, names: ['', 'log'], terminals: [0], cols: 100, rows: 30 });
    offerControl(dut);
    expect(tell(dut, control(0, E.DEVICE_READY, 1))).toEqual([
      control(0, E.DEVICE_ADD, 0),
      control(1, E.DEVICE_ADD, 0),
    ]);
    expect(tell(dut, control(0, E.PORT_READY, 1))).toEqual([
      control(0, E.CONSOLE_PORT, 1),
      [...control(0, E.RESIZE, 0), ...le([100, 2], [30, 2])],
      control(0, E.PORT_OPEN, 1),
    ]);
    expect(tell(dut, control(1, E.PORT_READY, 1))).toEqual([
      [...control(1, E.PORT_NAME, 1), ...Buffer.from('log')],
      control(1, E.PORT_OPEN, 1),
    ]);
    expect(dut.violations).toEqual([]);
  });

  it('are not announced twice, nor when the driver failed', () => {
    const dut = bench();
    offerControl(dut);
    expect(tell(dut, control(0, E.DEVICE_READY, 0))).toEqual([]);
    expect(tell(dut, control(0, E.DEVICE_READY, 1)).length).toBe(1);
    expect(tell(dut, control(0, E.DEVICE_READY, 1))).toEqual([]);
    expect(tell(dut, control(0, E.PORT_READY, 0))).toEqual([]);
  });

  it('have messages that wait for buffers, in order', () => {
    const dut = bench({ ports: 3, terminals: [] });
    expect(openPorts(dut, 0, 1, 2).length).toBe(6);
    const late = bench({ ports: 3, terminals: [] });
    expect(tell(late, control(0, E.DEVICE_READY, 1))).toEqual([]);
    offerControl(late);
    expect(heard(late)).toEqual([0, 1, 2].map((port) => control(port, E.DEVICE_ADD, 0)));
  });

  it('send back what is written, however buffers are cut', () => {
    const dut = bench({ ports: 2, terminals: [] });
    openPorts(dut, 0, 1);
    const text = [...Buffer.from('over the wire and back')];
    for (let i = 0; i < 8; i++) dut.send(consoleReceiveQueue(1), [], [i === 0 ? 1 : 5]);
    dut.device.available(consoleReceiveQueue(1), 0);
    dut.send(consoleTransmitQueue(1), [text.slice(0, 10), text.slice(10)], []);
    dut.device.available(consoleTransmitQueue(1), 0);
    const back = dut.run().filter(({ queue }) => queue === consoleReceiveQueue(1));
    expect(back.flatMap(({ bytes, written }) => [...bytes.subarray(0, written)])).toEqual(text);
    expect(back.map(({ written }) => written)).toEqual([1, 5, 5, 5, 5, 1]);
  });

  it('keep bytes until the driver opens the port', () => {
    const dut = bench();
    offerControl(dut);
    tell(dut, control(0, E.DEVICE_READY, 1), control(0, E.PORT_READY, 1));
    dut.send(0, [], [8]);
    dut.device.available(0, 0);
    dut.send(1, [[65, 66]], []);
    dut.device.available(1, 0);
    expect(dut.run().filter(({ queue }) => queue === 0)).toEqual([]);
    dut.send(CONSOLE_CONTROL_TRANSMIT, [control(0, E.PORT_OPEN, 1)], []);
    dut.device.available(CONSOLE_CONTROL_TRANSMIT, 0);
    const [back] = dut.run().filter(({ queue }) => queue === 0);
    expect([...back.bytes.subarray(0, back.written)]).toEqual([65, 66]);
  });

  it('take no more than they have room for', () => {
    const dut = bench();
    openPorts(dut, 0);
    const large = new Array<number>(ECHO_BUFFER / 2).fill(7);
    for (let i = 0; i < 4; i++) dut.send(1, [large], []);
    dut.device.available(1, 0);
    const taken = () => dut.run(10 * PS_PER_MS).filter(({ queue }) => queue === 1).length;
    expect(taken()).toBe(2);
    for (let i = 0; i < 8; i++) dut.send(0, [], [large.length]);
    dut.device.available(0, 0);
    expect(taken()).toBe(2);
    const bytes = dut.returned.filter(({ queue }) => queue === 0);
    expect(bytes.reduce((sum, { written }) => sum + written, 0)).toBe(4 * large.length);
  });

  it('vanish when they are taken away, and what is written to them then', () => {
    const dut = bench({ unplug: [{ at: '50ms', port: 0 }], terminals: [] });
    openPorts(dut, 0);
    dut.run(60 * PS_PER_MS);
    const removal = dut.returned.filter(({ queue }) => queue === CONSOLE_CONTROL_RECEIVE).at(-1)!;
    expect([...removal.bytes.subarray(0, removal.written)]).toEqual(control(0, E.DEVICE_REMOVE, 0));
    dut.send(1, [[1]], []);
    dut.device.available(1, 0);
    expect(dut.run().map(({ queue, written }) => [queue, written])).toEqual([[1, 0]]);
    tell(dut, control(0, E.PORT_OPEN, 1));
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('are announced when they are plugged in, and when they are plugged in again', () => {
    const plug = [
      { at: '50ms', port: 1 },
      { at: '150ms', port: 1 },
    ];
    const dut = bench({ ports: 2, terminals: [], plug, unplug: [{ at: '100ms', port: 1 }] });
    offerControl(dut);
    expect(tell(dut, control(0, E.DEVICE_READY, 1))).toEqual([control(0, E.DEVICE_ADD, 0)]);
    const events: number[][] = [];
    for (let i = 0; i < 200; i++) events.push(...heard(dut));
    expect(events).toEqual([
      control(1, E.DEVICE_ADD, 0),
      control(1, E.DEVICE_REMOVE, 0),
      control(1, E.DEVICE_ADD, 0),
    ]);
    expect(dut.violations).toEqual([]);
  });

  it('that are plugged in wait for a driver that takes control messages', () => {
    const dut = bench({ ports: 2, terminals: [], plug: [{ at: '1ms', port: 1 }] });
    offerControl(dut);
    for (let i = 0; i < 5; i++) expect(heard(dut)).toEqual([]);
    const added = tell(dut, control(0, E.DEVICE_READY, 1));
    expect(added).toEqual([control(0, E.DEVICE_ADD, 0), control(1, E.DEVICE_ADD, 0)]);
  });

  it('are one, always open, without MULTIPORT', () => {
    const dut = bench({ ports: 2 }, CONSOLE_F.SIZE);
    dut.send(0, [], [8]);
    dut.device.available(0, 0);
    dut.send(1, [[9]], []);
    dut.device.available(1, 0);
    const [back] = dut.run().filter(({ queue }) => queue === 0);
    expect([...back.bytes.subarray(0, back.written)]).toEqual([9]);
  });

  it('forget everything at a reset', () => {
    const dut = bench();
    openPorts(dut, 0);
    dut.send(1, [[1, 2, 3]], []);
    dut.device.available(1, 0);
    dut.run(100_000);
    dut.device.setStatus(0);
    dut.start();
    expect(openPorts(dut, 0)[0]).toEqual(control(0, E.DEVICE_ADD, 0));
    dut.send(0, [], [8]);
    dut.device.available(0, 0);
    expect(dut.run().filter(({ queue }) => queue === 0)).toEqual([]);
  });
});

describe('the size', () => {
  const read = (dut: DeviceBench) => {
    const config = new Uint8Array(4);
    dut.device.readConfig(CONSOLE_CONFIG.cols, config, 0, 4);
    return [...config];
  };

  it('changes in the configuration with a new generation, and by message', () => {
    const resize = [{ at: '5ms', cols: 132, rows: 50 }];
    const dut = bench({ resize, terminals: [0] });
    openPorts(dut, 0);
    expect(read(dut)).toEqual(le([80, 2], [25, 2]));
    const generation = dut.device.configGeneration;
    const messages = [...heard(dut), ...heard(dut), ...heard(dut), ...heard(dut), ...heard(dut)];
    expect(messages).toContainEqual([...control(0, E.RESIZE, 0), ...le([132, 2], [50, 2])]);
    expect(read(dut)).toEqual(le([132, 2], [50, 2]));
    expect(dut.device.configGeneration).toBe(generation + 1);
    expect(dut.configEvents).toBe(1);
  });

  it('changes in silence while no driver is there', () => {
    const resize = [{ at: '5ms', cols: 132, rows: 50 }];
    const dut = new DeviceBench('console', { options: { resize } });
    dut.run(10 * PS_PER_MS);
    expect(dut.configEvents).toBe(0);
    expect(read(dut)).toEqual(le([132, 2], [50, 2]));
  });
});

describe('the emergency write', () => {
  it('takes the lowest byte, on a device that nobody has set up', () => {
    const dut = new DeviceBench('console');
    const device = dut.device as ConsoleDevice;
    for (const character of 'panic') {
      const bytes = Uint8Array.of(character.charCodeAt(0), 1, 2, 3);
      expect(device.writeConfig(CONSOLE_CONFIG.emergWr, bytes)).toBe(true);
    }
    expect(device.emergencyOutput).toBe('panic');
  });

  it('is refused where it is not offered, and so is any other write', () => {
    const bare = new DeviceBench('console', { options: { emergencyWrite: false } }).device;
    expect(bare.writeConfig(CONSOLE_CONFIG.emergWr, Uint8Array.of(1, 0, 0, 0))).toBe(false);
    expect(bare.features & CONSOLE_F.EMERG_WRITE).toBe(0n);
    const full = new DeviceBench('console').device;
    expect(full.writeConfig(CONSOLE_CONFIG.cols, Uint8Array.of(1, 0))).toBe(false);
  });
});

describe('hostile requests', () => {
  it.each([
    ['a control message of seven bytes', [1, 2, 3, 4, 5, 6, 7]],
    ['a port that was never announced', control(1, E.PORT_READY, 1)],
    ['a port far away', control(0xffff_ffff, E.PORT_OPEN, 1)],
    ['a kind that only the device may send', control(0, E.DEVICE_ADD, 0)],
    ['a kind that nobody knows', control(0, 99, 0)],
  ])('%s is a violation and changes nothing', (_, message) => {
    const dut = bench({ terminals: [] });
    offerControl(dut);
    tell(dut, control(0, E.DEVICE_READY, 1));
    expect(tell(dut, message)).toEqual([]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
    expect(tell(dut, control(0, E.PORT_READY, 1))).toEqual([control(0, E.PORT_OPEN, 1)]);
  });

  it('buffers of the wrong direction come back unused', () => {
    const dut = bench();
    openPorts(dut, 0);
    dut.send(0, [[1, 2]], [4]);
    dut.send(1, [[1, 2]], [4]);
    dut.device.available(0, 0);
    dut.device.available(1, 0);
    expect(dut.run().map(({ written }) => written)).toEqual([0, 0]);
    expect(dut.violations).toEqual(['BAD_REQUEST', 'BAD_REQUEST']);
  });

  it('a control buffer that is too small gets what fits', () => {
    const dut = bench({ terminals: [] });
    offerControl(dut, 1, 4);
    expect(tell(dut, control(0, E.DEVICE_READY, 1))).toEqual([[0, 0, 0, 0]]);
    expect(dut.violations).toEqual(['BAD_REQUEST']);
  });

  it('a write that the device may not read is lost, and the port goes on', () => {
    let armed = false;
    const refuse = ({ write, length }: { write: boolean; length: number }) =>
      armed && !write && length === 3 ? 'not shared' : null;
    const dut = new DeviceBench('console', { refuse, options: { terminals: [] } });
    dut.start();
    openPorts(dut, 0);
    armed = true;
    dut.send(0, [], [8]);
    dut.device.available(0, 0);
    dut.send(1, [[1, 2, 3]], []);
    dut.send(1, [[4, 5]], []);
    dut.device.available(1, 0);
    const back = dut.run().filter(({ queue }) => queue === 0);
    expect([...back[0].bytes.subarray(0, back[0].written)]).toEqual([4, 5]);
    expect(dut.violations).toEqual(['DMA_FAULT']);
  });
});

describe('options', () => {
  it.each([
    ['ports without control queues', { multiport: false, ports: 2 }],
    ['more names than ports', { names: ['a', 'b'] }],
    ['a terminal that is no port', { terminals: [1] }],
    ['a port to unplug that is none', { unplug: [{ at: '1ms', port: 3 }] }],
    ['a port to plug that is none', { plug: [{ at: '1ms', port: 3 }] }],
    ['more ports than any driver has', { ports: 32 }],
  ])('%s are refused by the loader', (_, more) => {
    const devices = { con0: { type: 'console', bus: 'ffa0', number: 0, ...more } };
    expect(() => topologyOf({ devices })).toThrow(ScenarioError);
  });
});
