// The host's side of a virtio-msg PCI bus: it takes the function into use, sets up the FIFOs, and hears of
// messages by interrupts or by looking.
import type {
  BufferMapping,
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { FaultInjector } from '../../platform/faults/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { InterruptLine } from '../../platform/node/index.ts';
import {
  AccessRunner,
  DirectTranslation,
  FunctionProbe,
  Iommu,
  type PciePath,
  type ProbedFunction,
  pathOf,
  pcieTimingIds,
  RootPort,
  type Script,
  type Translation,
} from '../../platform/pcie/index.ts';
import { HEADER_SIZE } from '../../platform/virtio/messages/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import {
  BarRegions,
  type DriverLink,
  HostPages,
  headerSizeOf,
  type LinkClient,
  OwnRingMemory,
  type RingMemory,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import { BarRingMemory } from './bar-ring-memory.ts';
import { fifoOf } from './device-link.ts';
import { Fifo } from './fifo.ts';
import type { PciOptions } from './options.ts';
import { type PollEffect, type PollEvent, pollChart } from './poll-chart.ts';
import {
  DEVICE_ID,
  FIFO_BAR,
  FIFO_SIZE,
  FIFO_SPAN,
  FIFO_START,
  registers as R,
  REGIONS_BAR,
  REGISTERS_BAR,
  VENDOR_ID,
  VERSION,
} from './registers.ts';
import { sumOf } from './sum-of.ts';
import { pciTimingIds } from './timing.ts';

/** Pages of the FIFOs, which belong to no device. */
const BUS = -1;

export class PciDriverLink implements DriverLink {
  readonly regions: BarRegions;
  readonly #environment: BusEnvironment<PciOptions>;
  readonly #client: LinkClient;
  readonly #path: PciePath;
  readonly #port: RootPort;
  readonly #probe: FunctionProbe;
  readonly #faults: FaultInjector;
  readonly #pages: HostPages;
  /** INTx, and what its handler does. */
  readonly #line: InterruptLine;
  readonly #handler: AccessRunner;
  readonly #poller: Chart<unknown, PollEvent>;
  readonly #doorbell = new Uint8Array(4);
  readonly #sendsShort: boolean;
  readonly #headerSize: number;
  #fifos: Fifo[] = [];
  /** Counters of FIFOs that are no more. */
  #past: Statistics = {};
  #fifosUp = 0;
  #registers = 0;
  /** The function was reset already, as the options ask. */
  #wasReset = false;
  /** Counts how often FIFOs were set up: their names differ. */
  #epoch = 0;

  constructor(environment: BusEnvironment<PciOptions>, client: LinkClient) {
    const { node, plan, faults } = environment;
    const { options, name } = plan;
    this.#environment = environment;
    this.#client = client;
    this.#path = pathOf(options);
    this.#headerSize = headerSizeOf(options);
    this.#sendsShort = options.quirks.includes('shortMessages');
    const translation: Translation = options.iommu
      ? new Iommu(options.iotlb)
      : new DirectTranslation(node.memory);
    this.#faults = new FaultInjector(node.kernel, faults);
    this.#pages = new HostPages({
      node,
      translation,
      iommu: options.iommu,
      perRequest: options.mapping === 'perRequest',
      faults: this.#faults,
    });
    this.#port = new RootPort({
      node,
      path: this.#path,
      translation,
      cardNode: plan.device,
      cardPort: plan.devicePort,
      ownPort: plan.driverPort,
      name,
      linkChanged: (isUp) => this.#linkChanged(isUp),
    });
    this.regions = new BarRegions({ node, name, port: this.#port });
    const first = this.#port.addVectors(options.fifos, (fifo) => this.#fifos[fifo]?.rung());
    this.#line = new InterruptLine(node, () => this.#interrupted());
    this.#port.setLine(0, () => this.#line.raise());
    this.#handler = new AccessRunner(node, this.#port);
    this.#probe = new FunctionProbe({
      node,
      name,
      port: this.#port,
      path: this.#path,
      functionId: 0,
      interrupts: options.interrupts === 'polling' ? null : options.interrupts,
      vectors: () => first,
      accepts: ({ vendorId, deviceId }) => vendorId === VENDOR_ID && deviceId === DEVICE_ID,
      ready: (found) => this.#ready(found),
      absent: () => this.#absent(),
    });
    this.#poller = this.#makePoller();
    writeU32(this.#doorbell, 0, 1);
  }

  connect(): void {
    this.#probe.start();
  }

  send(bytes: Uint8Array, length: number): void {
    const fifo = this.#fifos[fifoOf(bytes, this.#fifos.length, this.#headerSize)];
    fifo?.send(this.#sendsShort ? withoutBody(bytes, length) : bytes, length);
  }

  clear(): void {
    for (const fifo of this.#fifos) fifo.clear();
  }

  receive(packet: Packet): void {
    this.#port.receive(packet);
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    this.#pages.allocate(deviceNumber, client, length);
  }

  mappingOf(deviceNumber: number): BufferMapping | null {
    return this.#pages.mappingOf(deviceNumber);
  }

  busAddress(address: number): number {
    return this.#pages.busAddress(address);
  }

  release(deviceNumber: number): void {
    this.#pages.release(deviceNumber);
  }

  statistics(): Statistics {
    const ofFifos = sumOf([this.#past, ...this.#fifos.map((fifo) => fifo.statistics())]);
    return {
      ...ofFifos,
      interrupts: (ofFifos['interrupts'] ?? 0) + this.#line.taken,
      interruptsCoalesced: (ofFifos['interruptsCoalesced'] ?? 0) + this.#line.coalesced,
      ...this.#port.statistics(),
      mapFaults: this.#faults.acted,
    };
  }

  #makePoller(): Chart<unknown, PollEvent> {
    const { node, plan } = this.#environment;
    const { interrupts, pollInterval } = plan.options;
    const usual = node.costs.value(pciTimingIds(node.costs).pollInterval);
    const poller = node.charts.start(pollChart, {
      name: `${plan.name}.poll`,
      input: { interval: interrupts === 'polling' ? (pollInterval ?? usual) : Infinity },
      perform: (_: PollEffect) => {
        for (const fifo of this.#fifos) fifo.poll();
      },
    });
    poller.begin();
    return poller;
  }

  /** The function can be used: is it what it should be, and where are the FIFOs to be? */
  #ready(found: ProbedFunction): void {
    const { functionReset } = this.#environment.plan.options;
    if (functionReset && !this.#wasReset) {
      this.#wasReset = true;
      return this.#probe.reset();
    }
    this.#registers = found.bars.get(REGISTERS_BAR)!.address;
    this.regions.placed(found.bars.get(REGIONS_BAR)?.address ?? 0);
    const fifos = found.bars.get(FIFO_BAR)!.address;
    const memories = this.#placeFifos(fifos);
    this.#probe.runner.run(0, this.#setUp(memories), (version) => {
      if (version !== VERSION) return this.#client.down(`the function speaks version ${version}`);
      this.#begin(memories.map(({ memory }) => memory));
    });
  }

  /** Where each FIFO is, and how a core gets at it. */
  #placeFifos(barAddress: number): readonly FifoPlace[] {
    const { node, plan } = this.#environment;
    const { fifos, fifoPlace, loadWidth } = plan.options;
    this.#pages.release(BUS);
    return Array.from({ length: fifos }, (_, index) => {
      if (fifoPlace === 'bar') {
        const base = barAddress + index * FIFO_SPAN + FIFO_START;
        const options = { node, port: this.#port, base, loadWidth, readMax: SPSC_SLOT_SIZE };
        return { busAddress: -1, memory: () => new BarRingMemory(options) };
      }
      const { address, busAddress } = this.#pages.take(BUS, FIFO_SIZE);
      const { lineLatency } = node.timing;
      const memory = () => new OwnRingMemory(node, address, lineLatency, SPSC_SLOT_SIZE);
      return { busAddress, memory };
    });
  }

  /** Reads who it is, and tells the card where FIFOs in host memory are. */
  *#setUp(places: readonly FifoPlace[]): Script<number> {
    const base = this.#registers;
    const version = yield { type: 'load', address: base + R.VERSION.at, size: 4 };
    yield { type: 'load', address: base + R.FEATURES.at, size: 4 };
    for (const [index, { busAddress }] of places.entries()) {
      if (busAddress < 0) continue;
      const address = base + R.FIFO_ADDRESS.at + 8 * index;
      yield { type: 'store', address, size: 4, value: busAddress % 2 ** 32 };
      const high = Math.floor(busAddress / 2 ** 32);
      yield { type: 'store', address: address + 4, size: 4, value: high };
    }
    return version;
  }

  #begin(memories: readonly (() => RingMemory)[]): void {
    const { node, plan } = this.#environment;
    const { slotStore } = pciTimingIds(node.costs);
    const { coreAccess } = pcieTimingIds(node.costs);
    this.#epoch++;
    this.#fifosUp = 0;
    this.#fifos = memories.map(
      (memory, index) =>
        new Fifo({
          node,
          plan,
          side: 'driver',
          name: `${plan.name}.driver.fifo${index}.${this.#epoch}`,
          memory,
          put: plan.options.fifoPlace === 'bar' ? slotStore : coreAccess,
          ringDoorbell: () => this.#ring(index),
          frame: (bytes, length) => this.#client.frame(bytes, length),
          up: () => this.#fifoUp(),
          down: (reason) => this.#client.down(reason),
        }),
    );
    for (const fifo of this.#fifos) fifo.start();
  }

  #fifoUp(): void {
    if (++this.#fifosUp < this.#fifos.length) return;
    this.#poller.send({ type: 'ENABLE' });
    this.#client.up();
  }

  #ring(fifo: number): void {
    this.#port.store(this.#registers + R.NOTIFY.at + 4 * fifo, this.#doorbell, 0, 4);
  }

  /** INTx does not tell which FIFO it is for: a register does. */
  #interrupted(): void {
    this.#handler.run(0, this.#readStatus(), (status) => {
      for (const [index, fifo] of this.#fifos.entries()) {
        if ((status & (1 << index)) !== 0) fifo.poll();
      }
    });
  }

  *#readStatus(): Script<number> {
    const address = this.#registers + R.INTERRUPT_STATUS.at;
    return yield { type: 'load', address, size: 4 };
  }

  #linkChanged(isUp: boolean): void {
    if (!isUp) {
      for (const fifo of this.#fifos) fifo.stop();
      this.#past = sumOf([this.#past, ...this.#fifos.map((fifo) => fifo.statistics())]);
      this.#fifos = [];
    }
    this.#probe.linkChanged(isUp);
  }

  #absent(): void {
    this.#poller.send({ type: 'DISABLE' });
    const why = this.#port.linkUp ? 'there is no such function' : 'the card was pulled out';
    this.#client.down(why);
  }
}

interface FifoPlace {
  /** In host memory, or -1. */
  readonly busAddress: number;
  memory(): RingMemory;
}

/** What arrives of a message when its size is taken to be that of a pointer. */
function withoutBody(bytes: Uint8Array, length: number): Uint8Array {
  const sent = new Uint8Array(length);
  sent.set(bytes.subarray(0, HEADER_SIZE));
  return sent;
}
