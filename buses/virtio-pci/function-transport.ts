// What drivers' transports share whose devices are PCI functions: taking the function into use, interrupt
// vectors, memory that the function may reach, and doorbells.
import type {
  BufferMapping,
  DevicePlan,
  DriverTransport,
  RegionPort,
  TransportListener,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import { type CpuClient, InterruptLine, type Node, Priority } from '../../platform/node/index.ts';
import {
  AccessRunner,
  FunctionProbe,
  type PciePath,
  type ProbedFunction,
  pcieTimingIds,
  type RootPort,
} from '../../platform/pcie/index.ts';
import { BarRegions, type DriverRegions, type HostPages } from '../common/index.ts';
import { mmioTimingIds } from '../virtio-mmio/index.ts';
import { DOORBELL_SIZE, writeDoorbell } from './doorbell.ts';
import { type RegionPlace, regionHandle, regionsOf } from './function-regions.ts';
import type { FunctionOptions } from './options.ts';

/** Forms of a notification: without and with how far the ring is. */
const SHORT = 0;
const LONG = 1;

export interface FunctionTransportOptions {
  readonly node: Node;
  readonly plan: DevicePlan;
  readonly options: FunctionOptions;
  readonly interrupts: 'msix' | 'intx';
  readonly path: PciePath;
  readonly port: RootPort;
  readonly pages: HostPages;
  /** Regions that are memory of the host itself; behind the function's BAR when left out. */
  readonly regions?: DriverRegions;
}

export abstract class FunctionTransport
  implements
    Pick<
      DriverTransport,
      'connect' | 'allocate' | 'busAddress' | 'notify' | 'getRegion' | 'regions'
    >,
    CpuClient
{
  readonly lines: InterruptLine[] = [];
  notifications = 0;
  protected readonly node: Node;
  /** Number of the device, and of its function. */
  readonly number: number;
  protected readonly port: RootPort;
  protected readonly pages: HostPages;
  protected readonly runner: AccessRunner;
  protected listener: TransportListener | null = null;
  readonly #regions: BarRegions | DriverRegions;
  /** Regions of the function that was found, by shmid. */
  #places: ReadonlyMap<number, RegionPlace> = new Map();
  /** Number of the first of the function's vectors; -1 without any. */
  protected firstVector = -1;
  readonly #options: FunctionTransportOptions;
  readonly #probe: FunctionProbe;
  /** Constant: a posted store, or an ioeventfd. */
  readonly #notifyCost: number;
  readonly #doorbell = new Uint8Array(DOORBELL_SIZE);
  /** NOTIFICATION_DATA was negotiated: notifications say how far the ring is. */
  protected tellsNext = false;
  #wasReset = false;
  #allocating = false;

  constructor(options: FunctionTransportOptions) {
    this.#options = options;
    const { node, plan, port, interrupts } = options;
    this.node = node;
    this.number = plan.number;
    this.port = port;
    this.pages = options.pages;
    this.runner = new AccessRunner(node, port);
    this.#regions = options.regions ?? new BarRegions({ node, name: plan.name, port });
    const { emulated } = options.options;
    this.#notifyCost = emulated
      ? mmioTimingIds(node.costs).kernelExit
      : pcieTimingIds(node.costs).coreAccess;
    this.#probe = this.#makeProbe();
    if (interrupts === 'intx') this.#addLine();
  }

  /** False when the function is of another kind. */
  protected abstract accepts(vendorId: number, deviceId: number): boolean;
  /** The function can be used; returns why it can't be after all, or null. */
  protected abstract functionReady(found: ProbedFunction): string | null;
  /** The function is gone, or never was there; returns whether it was. */
  protected abstract functionLost(): boolean;
  protected abstract vectorRaised(vector: number): void;
  protected abstract lineRaised(): void;
  /** Where a queue is notified, or -1 when it can't be. */
  protected abstract doorbellOf(queue: number): number;

  /** Looks for the function. */
  start(): void {
    this.#probe.start();
  }

  connect(listener: TransportListener): void {
    this.listener = listener;
  }

  get regions(): RegionPort {
    return this.#regions;
  }

  /** The capabilities have told of all there are when the function was taken into use. */
  getRegion(shmid: number): void {
    const found = this.#places.get(shmid) ?? { address: 0, length: 0 };
    const { address, length } = found;
    if (length > 0) {
      const handle = regionHandle(this.number, shmid);
      this.#regions.open({ device: this.number, place: address, handle, address, length });
    }
    this.listener!.reply({ type: 'reply.region', shmid, length, address });
  }

  /** The device is being reset: whoever is to reach its regions asks for them again. */
  protected unmapRegions(): void {
    this.#regions.unmap(this.number);
  }

  allocate(length: number): void {
    this.#allocating = true;
    this.pages.allocate(this.number, this, length);
  }

  /** Memory asked for by `allocate` is there. */
  allocated(address: number, reason: string | null): void {
    if (!this.#allocating) return;
    this.#allocating = false;
    if (reason === null) this.listener!.reply({ type: 'reply.memory', address });
    else this.listener!.reply({ type: 'reply.failed', reason });
  }

  busAddress(address: number): number {
    const mapped = this.pages.busAddress(address);
    assert(mapped >= 0, 'a bus address was asked for memory that the device may not reach');
    return mapped;
  }

  get mapping(): BufferMapping | null {
    return this.pages.mappingOf(this.number);
  }

  notify(queue: number, next: number): void {
    this.ring(queue, next, this.tellsNext ? LONG : SHORT);
  }

  /** Lets a core come to the doorbell of a queue. */
  protected ring(queue: number, next: number, form = SHORT): void {
    const cost = this.node.charge(this.#notifyCost);
    this.node.cpu.submit(Priority.task, cost, this, form, queue, next);
  }

  deliver(form: number, index: number, next: number): void {
    const address = this.doorbellOf(index);
    if (address < 0) return;
    this.notifications++;
    const queue = this.nameOf(index);
    const length = writeDoorbell(this.#doorbell, { queue, next, tellsNext: form === LONG });
    this.port.store(address, this.#doorbell, 0, length);
  }

  /** What a queue is called in notifications. */
  protected nameOf(queue: number): number {
    return queue;
  }

  /** The card went or came, or what is in the device's own slot. */
  linkChanged(isUp: boolean): void {
    this.#probe.linkChanged(isUp);
  }

  #makeProbe(): FunctionProbe {
    const { node, plan, path, port, interrupts } = this.#options;
    return new FunctionProbe({
      node,
      name: plan.name,
      port,
      path,
      functionId: plan.number,
      interrupts,
      vectors: (count) => this.#addVectors(count),
      accepts: ({ vendorId, deviceId }) => this.accepts(vendorId, deviceId),
      ready: (found) => this.#ready(found),
      absent: () => this.#absent(),
    });
  }

  #addVectors(count: number): number {
    if (this.firstVector >= 0) return this.firstVector;
    for (let i = 0; i < count; i++) {
      this.lines.push(new InterruptLine(this.node, () => this.vectorRaised(i)));
    }
    this.firstVector = this.port.addVectors(count, (i) => this.lines[i].raise());
    return this.firstVector;
  }

  #addLine(): void {
    const line = new InterruptLine(this.node, () => this.lineRaised());
    this.lines.push(line);
    this.port.setLine(this.number, () => line.raise());
  }

  #ready(found: ProbedFunction): void {
    if (this.#options.options.functionReset && !this.#wasReset) {
      this.#wasReset = true;
      return this.#probe.reset();
    }
    this.#places = regionsOf(found);
    const problem = this.functionReady(found);
    if (problem !== null) this.listener!.offline(problem);
  }

  #absent(): void {
    const wasThere = this.functionLost();
    this.unmapRegions();
    this.#places = new Map();
    this.pages.release(this.number);
    const gone = wasThere ? 'the device was removed' : `there is no function ${this.number}`;
    this.listener!.offline(this.port.linkUp ? gone : 'the card was pulled out');
  }
}
