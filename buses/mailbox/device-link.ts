// The device's side of a mailbox bus: the smaller core, which reaches the carve-out over the interconnect.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, Priority } from '../../platform/node/index.ts';
import { writeU16 } from '../../platform/wire/index.ts';
import {
  type DeviceLink,
  DMA_DATA,
  DMA_REFUSED,
  type LinkClient,
  NO_COST,
  OrderedLink,
  PeerRingMemory,
  RegionWindows,
  type RingMemory,
  type RingReader,
  SharedMemoryPort,
} from '../common/index.ts';
import { MailboxChannel } from './channel.ts';
import { type DeviceBootEffect, type DeviceBootEvent, deviceBootChart } from './handshake-chart.ts';
import type { MailboxOptions } from './options.ts';
import { CARVE_OUT_ADDRESS, DEFINITION_SIZE, definesArea, READY } from './shared-area.ts';

export class MailboxDeviceLink implements DeviceLink, CpuClient, RingReader {
  readonly dma: SharedMemoryPort;
  readonly path: OrderedLink;
  readonly #environment: BusEnvironment<MailboxOptions>;
  readonly #channel: MailboxChannel;
  readonly #memory: RingMemory;
  readonly #handshake: Chart<unknown, DeviceBootEvent>;

  constructor(environment: BusEnvironment<MailboxOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { costs } = node;
    const { carveOut, readyAfter } = plan.options;
    this.#environment = environment;
    const latency = costs.idOf('mailbox.carveOutLatency');
    this.path = new OrderedLink(node, latency, costs.idOf('mailbox.carveOutBandwidth'));
    const windows = new RegionWindows([{ address: CARVE_OUT_ADDRESS, length: carveOut }]);
    this.dma = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => windows.find(address),
      offset: (address) => windows.offset(address),
      link: this.path,
    });
    const access = (readMax: number) =>
      new PeerRingMemory(node, this.dma, CARVE_OUT_ADDRESS, readMax);
    this.#memory = access(DEFINITION_SIZE);
    this.#channel = new MailboxChannel({
      ...{ environment, side: 'device', client, path: this.path },
      memory: access,
      signalled: () => {},
    });
    this.#handshake = node.charts.start(deviceBootChart, {
      name: `${plan.name}.deviceBoot`,
      input: { readyAfter, readyPoll: costs.value(costs.idOf('mailbox.readyPoll')) },
      perform: (effect: DeviceBootEffect) => this.#perform(effect),
    });
    this.#handshake.begin();
    this.#handshake.send({ type: 'BOOT' });
  }

  send(bytes: Uint8Array, length: number): void {
    this.#channel.rings.send(bytes, length);
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_DATA:
      case DMA_REFUSED:
        return this.dma.receive(packet);
      default:
        assert(this.#channel.receive(packet), 'a packet of a mailbox bus has a known kind');
    }
  }

  statistics(): Statistics {
    return { ...this.#channel.statistics(), ...this.dma.statistics() };
  }

  /** A core is there to look at the definition. */
  deliver(): void {
    this.#memory.read(0, DEFINITION_SIZE, this, 0, NO_COST);
  }

  ringRead(_tag: number, bytes: Uint8Array): void {
    const isValid = definesArea(bytes, this.#channel.area);
    this.#handshake.send({ type: isValid ? 'VALID' : 'INVALID' });
  }

  ringRefused(): void {
    this.#handshake.send({ type: 'INVALID' });
  }

  #perform(effect: DeviceBootEffect): void {
    if (effect.type === 'look') {
      return this.#environment.node.cpu.submit(Priority.task, 0, this, 0);
    }
    const status = new Uint8Array(2);
    writeU16(status, 0, READY);
    this.#memory.write(this.#channel.area.deviceHead, status, 2);
    this.#channel.rings.open();
    this.#channel.signal();
  }
}
