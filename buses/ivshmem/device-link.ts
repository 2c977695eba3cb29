// The device's side of an ivshmem bus: once it has booted it clears the queues, says that it is ready, and
// reaches the driver's RAM through the window of a second ivshmem device.
import type { BusEnvironment, DmaPort, Statistics } from '../../platform/contracts/index.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import type { DeviceLink, LinkClient, OrderedLink } from '../common/index.ts';
import { type DeviceReadyEffect, deviceReadyChart } from './handshake-chart.ts';
import type { IvshmemOptions } from './options.ts';
import { IvshmemPeer } from './peer.ts';
import { DEVICE_QUEUE, DEVICE_READY, DRIVER_QUEUE, READY_FLAG } from './shared-ram.ts';

export class IvshmemDeviceLink implements DeviceLink {
  readonly #environment: BusEnvironment<IvshmemOptions>;
  readonly #peer: IvshmemPeer;

  constructor(environment: BusEnvironment<IvshmemOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#peer = new IvshmemPeer(environment, 'device', client);
    const handshake = node.charts.start(deviceReadyChart, {
      name: `${plan.name}.deviceReady`,
      input: { readyAfter: plan.options.readyAfter },
      perform: (_: DeviceReadyEffect) => this.#ready(),
    });
    handshake.begin();
    handshake.send({ type: 'BOOT' });
  }

  get dma(): DmaPort {
    return this.#peer.port;
  }

  send(bytes: Uint8Array, length: number): void {
    this.#peer.rings.send(bytes, length);
  }

  get path(): OrderedLink {
    return this.#peer.path;
  }

  receive(packet: Packet): void {
    this.#peer.receive(packet);
  }

  statistics(): Statistics {
    return { ...this.#peer.statistics(), ...this.#peer.port.statistics() };
  }

  #ready(): void {
    const { memory, rings } = this.#peer;
    const word = new Uint8Array(4);
    if (this.#environment.plan.options.resetQueues) {
      for (const { producerIndex, consumerIndex } of [DRIVER_QUEUE, DEVICE_QUEUE]) {
        memory.write(producerIndex, word, 4);
        memory.write(consumerIndex, word, 4);
      }
    }
    writeU32(word, 0, DEVICE_READY);
    memory.write(READY_FLAG, word, 4);
    rings.open();
  }
}
