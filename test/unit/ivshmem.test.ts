// The ivshmem bus: registers, the handshake by a word of shared memory, the window on the driver's RAM,
// and what a lost peer does to the devices.
import { describe, expect, it } from 'vitest';
import { DOORBELL, IvshmemPeer } from '../../buses/ivshmem/peer.ts';
import { doorbellValue, IvshmemRegisters, Register } from '../../buses/ivshmem/registers.ts';
import { SHARED_BUS_ADDRESS } from '../../buses/ivshmem/shared-ram.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { Node, RAM_BASE } from '../../platform/node/index.ts';
import { ScenarioError } from '../../platform/scenario/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import { busCounters, disk, fio, linkRig, linkTopology } from '../support/link-scenarios.ts';

const MILLISECOND = 1_000_000_000;

describe('registers', () => {
  it('has its own id, and rings the peer that DOORBELL names', () => {
    const rung: [number, number][] = [];
    const registers = new IvshmemRegisters(1, (peer, vector) => rung.push([peer, vector]));
    expect(registers.read(Register.IV_POSITION)).toBe(1);
    registers.write(Register.DOORBELL, doorbellValue(0xfffe, 3));
    registers.write(Register.IV_POSITION, 7);
    expect([rung, registers.read(Register.IV_POSITION)]).toEqual([[[0xfffe, 3]], 1]);
  });

  it('raises INTx when the mask allows, and reading the status acknowledges', () => {
    const registers = new IvshmemRegisters(0, () => {});
    expect(registers.rung()).toBe(false);
    expect(registers.read(Register.INTR_STATUS)).toBe(1);
    registers.write(Register.INTR_MASK, 1);
    expect(registers.rung()).toBe(true);
    expect([registers.read(Register.INTR_STATUS), registers.read(Register.INTR_STATUS)]).toEqual([
      1, 0,
    ]);
  });
});

describe('the start', () => {
  it('the driver looks until the device side says that it is ready', () => {
    const rig = linkRig({ type: 'ivshmem', bus: { readyAfter: '25ms' } });
    rig.runUntil(25 * MILLISECOND);
    // Looks after 0, 10 and 20 ms (ivshmem.readyPoll): nothing but reads has crossed.
    expect(busCounters(rig, 'driver')).toMatchObject({ messages: 0, ringMessages: 0 });
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
  });

  it('the queues lie in the memory of either side, and the other one reaches over', () => {
    const [device, driver] = ['device', 'driver'].map((home) => {
      const rig = linkRig({ type: 'ivshmem', bus: { home } });
      rig.run();
      expect([rig.result().errors, rig.violations]).toEqual([0, []]);
      return busCounters(rig, 'device');
    });
    const { ringReceived } = driver;
    expect(ringReceived).toBe(device['ringReceived']);
    // With the queues far away, each message that comes takes reads of its index and its slot.
    expect(driver['dmaReads'] - device['dmaReads']).toBeGreaterThanOrEqual(2 * ringReceived);
  });

  it('finds devices by message, or knows them', () => {
    const counts = ['messages', 'static'].map((discovery) => {
      const rig = linkRig({
        type: 'ivshmem',
        bus: { discovery },
        devices: { disk0: disk(0), disk1: disk(700) },
        workloads: [fio(), fio({ device: 'disk1' })],
      });
      rig.run();
      expect([rig.result(0).errors, rig.result(1).errors]).toEqual([0, 0]);
      return busCounters(rig, 'driver')['GET_DEVICES'] ?? 0;
    });
    // Windows of 256 numbers: 0, then the one with 700 in it.
    expect(counts).toEqual([2, 0]);
  });

  it('INTx costs a read of INTR_STATUS for each interrupt', () => {
    const charged = (interrupts: string) => {
      const rig = linkRig({ type: 'ivshmem', bus: { interrupts } });
      rig.run();
      const id = rig.topology.profile.constants.findIndex(
        ({ name }) => name === 'ivshmem.statusRead',
      );
      const reads = rig.outcome.nodes.map(({ chargeCounts }) => chargeCounts[id]);
      return { reads, taken: rig.outcome.nodes.map(({ interrupts: taken }) => taken) };
    };
    const { reads, taken } = charged('intx');
    expect(reads).toEqual(taken);
    expect(charged('msix').reads).toEqual([0, 0]);
  });
});

describe('a device that comes and goes', () => {
  const devices = {
    disk0: disk(0, { addAt: '2ms' }),
    disk1: disk(1, { removeAt: '4ms' }),
  };
  const workloads = [fio({ operations: 100_000 }), fio({ device: 'disk1', operations: 100_000 })];

  it('is told of by EVENT_DEVICE, with devices that are asked for', () => {
    const until = { atMost: '8ms' };
    const rig = linkRig({ type: 'ivshmem', devices, workloads, until });
    rig.runUntil(2 * MILLISECOND);
    const states = () => rig.outcome.workloads.map(({ driverState }) => driverState);
    expect(states()).toEqual(['offline', 'live']);
    rig.runUntil(4 * MILLISECOND);
    expect(states()).toEqual(['live', 'live']);
    rig.run();
    expect(states()).toEqual(['live', 'offline']);
    expect(busCounters(rig, 'device')['EVENT_DEVICE']).toBe(2);
    expect(rig.violations).toEqual([]);
  });

  it.each(['ivshmem', 'xen', 'mailbox'])('needs to be asked for: %s', (type) => {
    const load = (discovery: string) => () => linkTopology({ type, bus: { discovery }, devices });
    expect(load('messages')).not.toThrow();
    expect(load('static')).toThrow(ScenarioError);
  });
});

describe('isolation', () => {
  it('a device gets no more of the RAM than its window shows', () => {
    const small = linkRig({ type: 'ivshmem', bus: { peerWindow: '4KiB' } });
    small.runUntil(100 * MILLISECOND);
    expect(small.outcome.workloads[0].downReason).not.toBeNull();
    expect(small.result().requests).toBe(0);
  });

  it('an access beyond RAM or window is refused and reported, and the run goes on', () => {
    const topology = linkTopology({ type: 'ivshmem' });
    const kernel = new Kernel(2);
    const [linux, peer] = topology.nodes.map((plan) => {
      const costs = new Costs(topology.profile);
      return new Node({ plan, kernel, costs, seed: 1, engine: 'compiled' });
    });
    const plan = topology.buses[0] as never;
    const client = { up() {}, down() {}, frame() {} };
    const sides = { driver: linux, device: peer } as const;
    const ends = (['driver', 'device'] as const).map((side) => {
      const end = new IvshmemPeer({ node: sides[side], plan, faults: [] }, side, client);
      const id = sides[side].add({ deliver() {}, receive: (packet) => end.receive(packet) });
      kernel.bindPort(topology.buses[0][`${side}Port`], id);
      return end;
    });
    const log: string[] = [];
    const reader = {
      readDone: (tag: number, _: Uint8Array, length: number) => log.push(`${tag}: ${length} bytes`),
      refused: (tag: number) => log.push(`${tag}: refused`),
    };
    const read = (port: IvshmemPeer, tag: number, address: number) => {
      port.port.readSegment(address, 16);
      port.port.read(reader, tag);
      kernel.runUntil(kernel.now + MILLISECOND);
    };
    const [driver, device] = ends;
    read(device, 1, RAM_BASE);
    read(device, 2, RAM_BASE + 32 * 2 ** 20 - 16);
    read(device, 3, RAM_BASE + 32 * 2 ** 20);
    read(device, 4, RAM_BASE - 16);
    // The driver side sees the shared RAM and nothing of the other VM's own.
    read(driver, 5, SHARED_BUS_ADDRESS);
    read(driver, 6, SHARED_BUS_ADDRESS + 0x40000);
    read(driver, 7, RAM_BASE);
    expect(log).toEqual([
      '1: 16 bytes',
      '2: 16 bytes',
      '3: refused',
      '4: refused',
      '5: 16 bytes',
      '6: refused',
      '7: refused',
    ]);
    // Those that its own port refused never reached the owner.
    expect(linux.violations.described.map(({ code }) => code)).toEqual(['DMA_FAULT']);
    expect(peer.violations.count).toBe(0);
  });

  it('a doorbell for another peer wakes nobody', () => {
    const rig = linkRig({ type: 'ivshmem' });
    rig.filter = ({ packet }) => {
      if (packet.kind === DOORBELL) packet.a = doorbellValue(5, 0);
      return true;
    };
    rig.runUntil(100 * MILLISECOND);
    expect(rig.outcome.nodes.map(({ interrupts }) => interrupts)).toEqual([0, 0]);
  });
});

describe('a peer that is gone', () => {
  const bus = { pingInterval: '10ms' };
  const until = { atMost: '1s' };

  it('is noticed by the watchdog; devices are offline until it is heard again', () => {
    const rig = linkRig({
      type: 'ivshmem',
      bus,
      until,
      workloads: [],
      // Each end counts for itself: the device side answers none of the first three.
      faults: [{ on: 'bus0', at: '15ms', drop: 'PING', count: 3 }],
    });
    rig.run();
    expect(busCounters(rig, 'driver')['silences']).toBe(1);
    expect(rig.violationCodes).toEqual([]);
  });

  it('fails what was under way, and never comes back while it is silent', () => {
    const rig = linkRig({ type: 'ivshmem', bus, until, workloads: [fio({ operations: 100_000 })] });
    let dead = false;
    rig.filter = ({ fromNode }) => !dead || fromNode === 0;
    rig.runUntil(15 * MILLISECOND);
    const before = rig.result().requests;
    expect(before).toBeGreaterThan(10);
    dead = true;
    rig.runUntil(60 * MILLISECOND);
    expect(busCounters(rig, 'driver')['silences']).toBe(1);
    expect(rig.outcome.workloads[0].driverState).toBe('offline');
    expect(rig.result().failure).not.toBeNull();
  });

  it('is not noticed without PINGs', () => {
    const rig = linkRig({ type: 'ivshmem', until, workloads: [] });
    rig.run();
    expect(busCounters(rig, 'driver')).toMatchObject({ silences: 0 });
    expect(busCounters(rig, 'driver')['PING']).toBeUndefined();
  });
});

describe('a guest with virtio-mmio in front', () => {
  const proxied = { type: 'ivshmem', bus: { frontEnd: 'mmio', pingInterval: '2ms' } };

  it('has its disk by traps and interrupts, and holds a core for each access that asks', () => {
    const rig = linkRig(proxied);
    expect(rig.run()).toBe('done');
    expect(rig.result()).toMatchObject({ requests: 60, errors: 0 });
    expect(rig.violations).toEqual([]);
    const { exits, kernelExits } = busCounters(rig, 'driver');
    // Bringing the disk up takes some forty; then each interrupt takes two, each notification one.
    expect([exits > 60, kernelExits > 10]).toEqual([true, true]);
    const { nodes } = rig.outcome;
    expect(nodes[0].cpuLentPs).toBeGreaterThan(0);
  });

  it('is told when the peer is silent in the middle of an access, and goes on when it is back', () => {
    const rig = linkRig({ ...proxied, workloads: [] });
    let silent = false;
    rig.filter = ({ packet }) => !(silent && packet.kind === DOORBELL);
    for (let at = 0; rig.transportMessages.length < 3 && at < 9 * MILLISECOND; at += 1_000_000) {
      rig.runUntil(at);
    }
    // A question is on its way, and the virtual CPU waits for an answer.
    silent = true;
    rig.runUntil(10 * MILLISECOND);
    expect(busCounters(rig, 'driver')['silences']).toBe(1);
    const asked = rig.transportMessages.length;
    silent = false;
    rig.runUntil(30 * MILLISECOND);
    // It is let go, and the disk comes up from the beginning.
    expect(rig.transportMessages.length).toBeGreaterThan(asked + 30);
    expect(rig.violations).toEqual([]);
  });

  it('needs a CPU besides that of the guest', () => {
    expect(() => linkTopology({ ...proxied, driver: { cpus: 1 } })).toThrow(
      "'linux' has one CPU for a guest and for the device model that it waits for",
    );
  });
});
