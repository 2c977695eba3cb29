// The driver's side of an ivshmem bus: it waits for the device side, and its RAM is seen by that side as
// it is, so that a bus address is a physical address.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, Priority, RAM_BASE } from '../../platform/node/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import {
  DevicePages,
  type DriverLink,
  type LinkClient,
  NO_COST,
  type OrderedLink,
  pagesOfMemory,
  type RingReader,
} from '../common/index.ts';
import {
  type DriverReadyEffect,
  type DriverReadyEvent,
  driverReadyChart,
} from './handshake-chart.ts';
import type { IvshmemOptions } from './options.ts';
import { IvshmemPeer } from './peer.ts';
import { DEVICE_READY, DRIVER_READY, READY_FLAG } from './shared-ram.ts';

export class IvshmemDriverLink implements DriverLink, CpuClient, RingReader {
  readonly #environment: BusEnvironment<IvshmemOptions>;
  readonly #client: LinkClient;
  readonly #peer: IvshmemPeer;
  readonly #pages: DevicePages;
  readonly #handshake: Chart<unknown, DriverReadyEvent>;

  constructor(environment: BusEnvironment<IvshmemOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#client = client;
    this.#peer = new IvshmemPeer(environment, 'driver', client);
    this.#pages = new DevicePages(pagesOfMemory(node.memory));
    this.#handshake = node.charts.start(driverReadyChart, {
      name: `${plan.name}.driverReady`,
      input: { readyPoll: node.costs.value(node.costs.idOf('ivshmem.readyPoll')) },
      perform: (effect: DriverReadyEffect) => this.#perform(effect),
    });
    this.#handshake.begin();
  }

  connect(): void {
    this.#handshake.send({ type: 'CONNECT' });
  }

  send(bytes: Uint8Array, length: number): void {
    this.#peer.rings.send(bytes, length);
  }

  clear(): void {
    this.#peer.rings.clear();
  }

  get path(): OrderedLink {
    return this.#peer.path;
  }

  receive(packet: Packet): void {
    this.#peer.receive(packet);
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    const range = this.#pages.allocate(deviceNumber, length);
    const { peerWindow = Infinity } = this.#environment.plan.options;
    const seen = range !== null && range.address + range.length <= RAM_BASE + peerWindow;
    if (seen) client.allocated(range.address, null);
    else client.allocated(0, 'the peer sees no more memory');
  }

  /** A window shows all of it alike, whoever took it. */
  busAddress(address: number): number {
    return address;
  }

  release(deviceNumber: number): void {
    this.#pages.release(deviceNumber);
  }

  /** A core is there to look at the flag. */
  deliver(): void {
    this.#peer.memory.read(READY_FLAG, 4, this, 0, NO_COST);
  }

  ringRead(_tag: number, bytes: Uint8Array): void {
    if (readU32(bytes, 0) !== DEVICE_READY) return this.#handshake.send({ type: 'NOT_YET' });
    const word = new Uint8Array(4);
    writeU32(word, 0, DRIVER_READY);
    this.#peer.memory.write(READY_FLAG, word, 4);
    this.#handshake.send({ type: 'READY' });
  }

  ringRefused(): void {
    this.#client.down('the shared memory may not be reached');
  }

  statistics(): Statistics {
    return this.#peer.statistics();
  }

  #perform(effect: DriverReadyEffect): void {
    if (effect.type === 'look') {
      const { node } = this.#environment;
      return node.cpu.submit(Priority.task, 0, this, 0);
    }
    this.#peer.rings.open();
    this.#client.up();
  }
}
