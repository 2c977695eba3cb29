// A device alone on the bench: no bus and no driver, but a hand that writes any bytes into rings of its
// own and sees what comes back. For protocol details, and for drivers that do as they please.
import { tables } from '../../platform/cli/tables.ts';
import type { Device, DeviceTransport } from '../../platform/contracts/index.ts';
import type { Kernel } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { F, SplitDriverRing, STATUS } from '../../platform/virtio/index.ts';
import { FakeDma, type FakeDmaOptions } from './fake-dma.ts';
import { testNodes } from './test-nodes.ts';

/** A chain that the device has returned. */
export interface Returned {
  readonly queue: number;
  readonly head: number;
  /** How many bytes the device says that it wrote. */
  readonly written: number;
  /** All bytes of the writable segments. */
  readonly bytes: Uint8Array;
}

interface Sent {
  readonly segments: readonly { readonly address: number; readonly length: number }[];
}

export interface BenchOptions {
  readonly options?: Readonly<Record<string, unknown>>;
  /** Own feature bits that the driver takes; all that are offered by default. */
  readonly features?: bigint;
  readonly queueSize?: number;
  readonly refuse?: FakeDmaOptions['refuse'];
}

export class DeviceBench implements DeviceTransport {
  readonly device: Device;
  readonly kernel: Kernel;
  /** The node of the device, and the one whose memory the driver would own. */
  readonly node: Node;
  readonly guest: Node;
  readonly dma: FakeDma;
  readonly returned: Returned[] = [];
  /** Queues of which the device has signalled used buffers, in order. */
  readonly signals: number[] = [];
  configEvents = 0;
  readonly rings: SplitDriverRing[] = [];
  readonly #sent: Map<number, Sent>[] = [];
  readonly #features: bigint | null;
  readonly #queueSize: number;

  constructor(type: string, { options = {}, features, queueSize = 64, refuse }: BenchOptions = {}) {
    const devices = { dut: { type, bus: 'ffa0', number: 0, ...options } };
    const { topology, kernel, linux, storage } = testNodes({
      devices,
      // The newest, so that a device may do whatever any bus allows.
      bus: { revision: 'v2' },
    });
    this.kernel = kernel;
    this.node = storage;
    this.guest = linux;
    this.#features = features ?? null;
    this.#queueSize = queueSize;
    this.device = tables.devices[type].create({
      node: storage,
      plan: topology.devices[0] as never,
      resolve: (path) => path,
      network: null,
    });
    this.dma = new FakeDma({
      kernel,
      node: storage.index,
      memory: linux.memory,
      ...(refuse === undefined ? {} : { refuse }),
    });
    this.device.connect(this);
  }

  notifyUsed(queue: number): void {
    this.signals.push(queue);
  }

  notifyConfig(): void {
    this.configEvents++;
  }

  /** Brings the device up as a driver would; returns the status that came of it. */
  start(): number {
    const { device } = this;
    device.setStatus(STATUS.ACKNOWLEDGE);
    device.setStatus(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    const rings = F.RING_PACKED | F.EVENT_IDX | F.INDIRECT_DESC | F.NOTIFICATION_DATA | F.IN_ORDER;
    const own = this.#features ?? device.features & ~rings;
    device.setDriverFeatures(own | F.VERSION_1 | F.ACCESS_PLATFORM);
    const ready = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK;
    if ((device.setStatus(ready) & STATUS.FEATURES_OK) === 0) return device.status;
    for (let queue = 0; queue < device.info.queuesMax; queue++) this.#addQueue(queue);
    return device.setStatus(ready | STATUS.DRIVER_OK);
  }

  /** Resets one queue, as RING_RESET allows, and sets it up again with an empty ring. */
  restart(queue: number): void {
    this.device.resetQueue(queue);
    this.#addQueue(queue);
  }

  /** Makes a chain of readable and writable segments available; returns its head. */
  send(
    queue: number,
    readable: readonly (readonly number[])[],
    writable: readonly number[],
    alignment = 16,
  ): number {
    const { memory } = this.guest;
    const segments: { address: number; length: number }[] = [];
    for (const bytes of readable) {
      const address = memory.allocate(Math.max(1, bytes.length));
      memory.copyIn(address, Uint8Array.from(bytes), 0, bytes.length);
      this.rings[queue].addSegment(address, bytes.length, false);
    }
    for (const length of writable) {
      const address = memory.allocate(Math.max(1, length), alignment);
      memory.fill(address, length, 0xee);
      this.rings[queue].addSegment(address, length, true);
      segments.push({ address, length });
    }
    const head = this.rings[queue].commit();
    this.#sent[queue].set(head, { segments });
    return head;
  }

  /** Sends, tells the device, lets time pass, and takes back what was returned. */
  request(
    queue: number,
    readable: readonly (readonly number[])[],
    writable: readonly number[],
    alignment?: number,
  ): Returned[] {
    this.send(queue, readable, writable, alignment);
    this.device.available(queue, 0);
    return this.run();
  }

  /** Lets time pass (in ps), then collects what was returned meanwhile. */
  run(time = 1_000_000_000): Returned[] {
    const from = this.returned.length;
    const end = this.kernel.now + time;
    this.kernel.runUntil(end);
    this.kernel.now = end;
    for (let queue = 0; queue < this.rings.length; queue++) this.#reap(queue);
    return this.returned.slice(from);
  }

  get violations(): string[] {
    return this.node.violations.described.map(({ code }) => code);
  }

  #addQueue(queue: number): void {
    const { memory } = this.guest;
    const size = Math.min(this.#queueSize, this.device.queueSizeMax(queue));
    const ring = new SplitDriverRing(memory, memory.allocate(64 * 1024, 64), size, {
      eventIndex: false,
      indirect: null,
    });
    const { descriptor, driver, device } = ring.areas;
    this.rings[queue] = ring;
    this.#sent[queue] = new Map();
    this.device.setQueue({
      index: queue,
      size,
      descriptorArea: descriptor,
      driverArea: driver,
      deviceArea: device,
    });
  }

  #reap(queue: number): void {
    const ring = this.rings[queue];
    for (let head = ring.reap(); head >= 0; head = ring.reap()) {
      const { segments } = this.#sent[queue].get(head)!;
      const bytes = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const { address, length } of segments) {
        this.guest.memory.copyOut(address, bytes, at, length);
        at += length;
      }
      this.returned.push({ queue, head, written: ring.usedLength, bytes });
    }
  }
}

/** Little-endian bytes of numbers, each in so many bytes. */
export function le(...fields: readonly (readonly [value: number, bytes: number])[]): number[] {
  return fields.flatMap(([value, bytes]) =>
    Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256),
  );
}
