// A network card alone on the bench: on one side rings that the test fills by hand, on the other a cable
// with a station at its far end.
import { NetDevice } from '../../devices/net/net-device.ts';
import type { DevicePlan, DeviceTransport, WithOptions } from '../../platform/contracts/index.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { NetworkPort } from '../../platform/network/index.ts';
import { Node } from '../../platform/node/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import {
  controlQueue,
  F,
  NET_CONFIG_SIZE,
  SplitDriverRing,
  STATUS,
} from '../../platform/virtio/index.ts';
import { FakeDma } from './fake-dma.ts';
import { netTopology } from './net-scenario.ts';

/** What the device has returned of a queue: how much it wrote, and all bytes of the buffer. */
export interface NetReturned {
  readonly head: number;
  readonly written: number;
  readonly bytes: Uint8Array;
}

export interface NetBenchOptions {
  readonly card?: Readonly<Record<string, unknown>>;
  /** Own feature bits that the driver takes; all that are offered by default. */
  readonly features?: bigint;
}

const READY = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK;

export class NetBench implements DeviceTransport {
  readonly device: NetDevice;
  readonly kernel = new Kernel(3);
  readonly dma: FakeDma;
  /** Frames that came out of the cable, with their instants. */
  readonly frames: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly card: Node;
  configEvents = 0;
  /** Used-buffer notifications, with their instants. */
  readonly signals: { readonly at: number; readonly queue: number }[] = [];
  readonly #guest: Node;
  readonly #station: NetworkPort;
  readonly #rings: SplitDriverRing[] = [];
  readonly #buffers: Map<number, { readonly address: number; readonly length: number }>[] = [];
  readonly #features: bigint | undefined;

  constructor({ card = {}, features }: NetBenchOptions = {}) {
    const topology = netTopology({ stations: 1, card, workloads: [] });
    const nodes = [0, 1, 2].map((index) => {
      const plan = { ...topology.nodes[0], index, name: `node${index}` };
      const costs = new Costs(topology.profile);
      return new Node({ plan, kernel: this.kernel, costs, seed: 1, engine: 'compiled' });
    });
    const [cardNode, stationNode, guest] = nodes;
    this.card = cardNode;
    this.#guest = guest;
    this.#features = features;
    const ends = [
      { node: 0, port: 0 },
      { node: 1, port: 0 },
    ];
    const network = { ...topology.networks[0], type: 'wire', node: null, links: [] } as const;
    const attach = (device: number) => ({
      network,
      link: { device, name: `end${device}`, near: ends[device], far: ends[1 - device] },
    });
    this.device = new NetDevice({
      node: cardNode,
      plan: topology.devices[0] as WithOptions<DevicePlan, unknown> as never,
      network: attach(0),
      resolve: (path) => path,
    });
    this.#station = new NetworkPort(stationNode, attach(1), (bytes, length) => {
      this.frames.push({ at: this.kernel.now, bytes: bytes.slice(0, length) });
    });
    this.dma = new FakeDma({ kernel: this.kernel, node: 0, memory: guest.memory });
    this.device.connect(this);
  }

  notifyUsed(queue: number): void {
    this.signals.push({ at: this.kernel.now, queue });
  }

  notifyConfig(): void {
    this.configEvents++;
  }

  /** Brings the device up; returns the status that came of it. */
  start(): number {
    const { device } = this;
    const rings = F.RING_PACKED | F.EVENT_IDX | F.INDIRECT_DESC | F.NOTIFICATION_DATA;
    device.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    device.setDriverFeatures(
      (this.#features ?? device.features & ~rings) | F.VERSION_1 | F.ACCESS_PLATFORM,
    );
    if ((device.setStatus(READY) & STATUS.FEATURES_OK) === 0) return device.status;
    for (let queue = 0; queue < device.info.queuesMax; queue++) this.setUp(queue);
    return device.setStatus(READY | STATUS.DRIVER_OK);
  }

  /** Gives the device a ring for a queue. */
  setUp(index: number): void {
    const { memory } = this.#guest;
    const ring = new SplitDriverRing(memory, memory.allocate(16_384, 64), 64, {
      eventIndex: false,
      indirect: null,
    });
    this.#rings[index] = ring;
    this.#buffers[index] = new Map();
    const { descriptor, driver, device } = ring.areas;
    const areas = { descriptorArea: descriptor, driverArea: driver, deviceArea: device };
    this.device.setQueue({ index, size: 64, ...areas });
  }

  /** Makes a buffer of `length` bytes available for what comes in. */
  offer(queue: number, length: number): number {
    const address = this.#guest.memory.allocate(length);
    this.#rings[queue].addSegment(address, length, true);
    const head = this.#rings[queue].commit();
    this.#buffers[queue].set(head, { address, length });
    this.device.available(queue);
    return head;
  }

  /** Makes a packet available to be sent. */
  transmit(queue: number, header: Uint8Array, frame: Uint8Array): number {
    const { memory } = this.#guest;
    const address = memory.allocate(header.length + frame.length);
    memory.copyIn(address, header, 0, header.length);
    memory.copyIn(address + header.length, frame, 0, frame.length);
    this.#rings[queue].addSegment(address, header.length, false);
    this.#rings[queue].addSegment(address + header.length, frame.length, false);
    const head = this.#rings[queue].commit();
    this.#buffers[queue].set(head, { address, length: 0 });
    this.device.available(queue);
    return head;
  }

  /** Gives a command and lets time pass; returns the answer. */
  command(type: number, command: number, ...data: number[]): number {
    return this.ask(type, command, data, 0)[0];
  }

  /** Gives a command with room for a result; returns the answer and what follows it. */
  ask(type: number, command: number, data: readonly number[], room: number): Uint8Array {
    const { memory } = this.#guest;
    const bytes = Uint8Array.of(type, command, ...data);
    const answer = new Uint8Array(1 + room).fill(0xee);
    const address = memory.allocate(bytes.length + answer.length);
    memory.copyIn(address, bytes, 0, bytes.length);
    memory.copyIn(address + bytes.length, answer, 0, answer.length);
    const queue = controlQueue(this.device.pairsMax);
    this.#rings[queue].addSegment(address, bytes.length, false);
    this.#rings[queue].addSegment(address + bytes.length, answer.length, true);
    this.#rings[queue].commit();
    this.device.available(queue);
    this.run();
    this.#rings[queue].reap();
    memory.copyOut(address + bytes.length, answer, 0, answer.length);
    return answer;
  }

  /** Sends a frame from the far end of the cable. */
  arrive(frame: Uint8Array): void {
    this.#station.cable.send(frame, 0, frame.length);
  }

  /** Lets time pass, in ps. */
  run(time = 1_000_000_000): void {
    const end = this.kernel.now + time;
    this.kernel.runUntil(end);
    this.kernel.now = end;
  }

  /** Takes back what the device has returned of a queue. */
  reap(queue: number): NetReturned[] {
    const ring = this.#rings[queue];
    const returned: NetReturned[] = [];
    for (let head = ring.reap(); head >= 0; head = ring.reap()) {
      const { address, length } = this.#buffers[queue].get(head)!;
      const bytes = new Uint8Array(length);
      this.#guest.memory.copyOut(address, bytes, 0, length);
      returned.push({ head, written: ring.usedLength, bytes });
    }
    return returned;
  }

  /** True when the device has returned something of a queue that was not taken back. */
  hasUsed(queue: number): boolean {
    return this.#rings[queue].hasUsed;
  }

  config(): DataView {
    const bytes = new Uint8Array(NET_CONFIG_SIZE);
    this.device.readConfig(0, bytes, 0, NET_CONFIG_SIZE);
    return new DataView(bytes.buffer);
  }

  get violations(): string[] {
    return this.card.violations.described.map(({ code }) => code);
  }
}
