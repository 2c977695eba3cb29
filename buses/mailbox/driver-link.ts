// The driver's side of a mailbox bus: the larger core, which has the carve-out in its memory and sets the
// shared area up.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import {
  DevicePages,
  DMA_READ,
  DMA_WRITE,
  type DriverLink,
  type LinkClient,
  NO_COST,
  OrderedLink,
  OwnRingMemory,
  type PageRange,
  pagesOfRange,
  RegionGuard,
  type RingMemory,
  type RingReader,
  SharedMemoryTarget,
} from '../common/index.ts';
import { MailboxChannel } from './channel.ts';
import { type DriverBootEffect, type DriverBootEvent, driverBootChart } from './handshake-chart.ts';
import type { MailboxOptions } from './options.ts';
import { areaDefinition, CARVE_OUT_ADDRESS, HEAD_SIZE, headIsReady, READY } from './shared-area.ts';

export class MailboxDriverLink implements DriverLink, CpuClient, RingReader {
  readonly path: OrderedLink;
  readonly #environment: BusEnvironment<MailboxOptions>;
  readonly #client: LinkClient;
  readonly #carveOut: PageRange;
  readonly #target: SharedMemoryTarget;
  readonly #channel: MailboxChannel;
  readonly #memory: RingMemory;
  readonly #pages: DevicePages;
  readonly #handshake: Chart<unknown, DriverBootEvent>;

  constructor(environment: BusEnvironment<MailboxOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { costs, memory } = node;
    const { carveOut: length } = plan.options;
    this.#environment = environment;
    this.#client = client;
    const address = memory.allocate(length, PAGE_SIZE);
    this.#carveOut = { address, length };
    const latency = costs.idOf('mailbox.carveOutLatency');
    this.path = new OrderedLink(node, latency, costs.idOf('mailbox.carveOutBandwidth'));
    this.#target = new SharedMemoryTarget({
      node,
      handles: new RegionGuard([this.#carveOut]),
      borrowerNode: plan.device,
      borrowerPort: plan.devicePort,
      name: plan.name,
      link: this.path,
    });
    const access = (readMax: number) => new OwnRingMemory(node, address, latency, readMax);
    this.#memory = access(HEAD_SIZE);
    this.#channel = new MailboxChannel({
      ...{ environment, side: 'driver', client, path: this.path },
      memory: access,
      signalled: () => this.#handshake.send({ type: 'SIGNAL' }),
    });
    const queues = Math.ceil(this.#channel.area.size / PAGE_SIZE) * PAGE_SIZE;
    const rest = { address: address + queues, length: length - queues };
    this.#pages = new DevicePages(pagesOfRange(memory, rest));
    this.#handshake = node.charts.start(driverBootChart, {
      name: `${plan.name}.driverBoot`,
      perform: (effect: DriverBootEffect) => this.#perform(effect),
    });
    this.#handshake.begin();
    this.#setUp();
  }

  connect(): void {
    this.#handshake.send({ type: 'CONNECT' });
  }

  send(bytes: Uint8Array, length: number): void {
    this.#channel.rings.send(bytes, length);
  }

  clear(): void {
    this.#channel.rings.clear();
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      default:
        assert(this.#channel.receive(packet), 'a packet of a mailbox bus has a known kind');
    }
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    const range = this.#pages.allocate(deviceNumber, length);
    if (range === null) client.allocated(0, 'the carve-out has no room left');
    else client.allocated(range.address, null);
  }

  /** A bus address is one that both cores have for the carve-out. */
  busAddress(address: number): number {
    const offset = address - this.#carveOut.address;
    return offset >= 0 && offset < this.#carveOut.length ? CARVE_OUT_ADDRESS + offset : -1;
  }

  release(deviceNumber: number): void {
    this.#pages.release(deviceNumber);
  }

  statistics(): Statistics {
    return this.#channel.statistics();
  }

  /** A core is there to look at the head of the device side. */
  deliver(): void {
    this.#memory.read(this.#channel.area.deviceHead, HEAD_SIZE, this, 0, NO_COST);
  }

  ringRead(_tag: number, bytes: Uint8Array): void {
    this.#handshake.send({ type: headIsReady(bytes) ? 'READY' : 'NOT_YET' });
  }

  ringRefused(): void {
    assert(false, 'own memory is never refused');
  }

  #perform(effect: DriverBootEffect): void {
    if (effect.type === 'look') {
      return this.#environment.node.cpu.submit(Priority.task, 0, this, 0);
    }
    this.#channel.rings.open();
    this.#client.up();
  }

  /** Boot code has done this before the other core is released from reset. */
  #setUp(): void {
    const { memory } = this.#environment.node;
    const { area } = this.#channel;
    const definition = areaDefinition(area);
    memory.copyIn(this.#carveOut.address, definition, 0, definition.length);
    memory.writeU16(this.#carveOut.address + area.driverHead, READY);
  }
}
