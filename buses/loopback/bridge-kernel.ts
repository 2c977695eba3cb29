// The kernel's side of the bridge (/dev/virtio-msg-bridge): rings in memory that a process has mapped, and
// an eventfd each way.
import type {
  BusEnvironment,
  DriverBusClient,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  peekId,
  peekIsBus,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import {
  DMA_READ,
  DMA_WRITE,
  type DriverLink,
  type LinkClient,
  type OrderedLink,
  OwnRingMemory,
  RingPair,
} from '../common/index.ts';
import { type KernelEffect, type KernelEvent, kernelChart } from './kernel-chart.ts';
import { KernelPool } from './kernel-pool.ts';
import {
  FIRST_EPOCH,
  type LoopbackMessage,
  type LoopbackMessages,
  loopbackMessages,
  OfflineReason,
  OK,
  POOL_MAP_ID,
  PRIVATE_IDS,
} from './messages.ts';
import type { LoopbackOptions } from './options.ts';
import { ATTACH, ATTACHED, SIGNAL } from './packets.ts';
import { type RingPlace, ringPlace } from './ring-place.ts';
import { sendAcross } from './self.ts';

export class BridgeKernel implements DriverLink, LinkClient, Component {
  readonly #environment: BusEnvironment<LoopbackOptions>;
  readonly #client: LinkClient;
  readonly #pool: KernelPool;
  readonly #place: RingPlace;
  readonly #address: number;
  readonly #rings: RingPair;
  readonly #codec: Codec<StandardMessages & LoopbackMessages>;
  readonly #chart: Chart<unknown, KernelEvent>;
  readonly #frame: Uint8Array;
  readonly #added = new Set<number>();
  readonly #wakeUp: number;
  #reason = '';
  /** Of the time that the bus is online, or was last; 0 before the first. */
  #epoch = FIRST_EPOCH - 1n;
  /** Counts what is told of mappings. */
  #sequence = 0n;

  constructor(environment: BusEnvironment<LoopbackOptions>, client: LinkClient) {
    const { node, plan } = environment;
    const { costs } = node;
    this.#environment = environment;
    this.#wakeUp = costs.idOf('loopback.wakeUp');
    this.#client = client;
    this.#pool = new KernelPool(environment);
    this.#place = ringPlace(plan.options);
    this.#address = node.memory.allocate(this.#place.size, PAGE_SIZE);
    this.#codec = codec(plan.revision, loopbackMessages);
    this.#frame = new Uint8Array(plan.options.maxMessageSize);
    const { entrySize, toProcess, toKernel } = this.#place;
    const { lineLatency } = node.timing;
    this.#rings = new RingPair({
      node,
      name: `${plan.name}.driver`,
      maxMessageSize: plan.options.maxMessageSize,
      client: this,
      sending: toProcess,
      receiving: toKernel,
      memory: () => new OwnRingMemory(node, this.#address, lineLatency, entrySize),
      fullRetry: costs.value(costs.idOf('loopback.fullRetry')),
      doorbell: costs.idOf('loopback.eventfdSignal'),
      ringDoorbell: () => this.#sendAcross(SIGNAL),
    });
    this.#chart = node.charts.start(kernelChart, {
      name: `${plan.name}.kernel`,
      input: { byMessage: true },
      perform: (effect: KernelEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    if (plan.options.resets.length === 0) return;
    const id = node.add(this);
    for (const at of plan.options.resets) node.kernel.schedule(id, at, 0);
  }

  /** The bus is to be reset. */
  deliver(): void {
    this.#chart.send({ type: 'RESET' });
  }

  connect(): void {
    this.#chart.send({ type: 'CONNECT' });
  }

  send(bytes: Uint8Array, length: number): void {
    this.#rings.send(bytes, length);
  }

  clear(): void {
    this.#rings.clear();
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_READ:
      case DMA_WRITE:
        return this.#pool.target.receive(packet);
      case SIGNAL:
        return this.#rings.rung();
      case ATTACH:
        return this.#chart.send({ type: 'ATTACH' });
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  get path(): OrderedLink {
    return this.#pool.target.link;
  }

  allocate(deviceNumber: number, client: DriverBusClient, length: number): void {
    this.#pool.allocate(deviceNumber, client, length);
  }

  busAddress(address: number): number {
    return this.#pool.busAddress(address);
  }

  release(deviceNumber: number): void {
    this.#pool.release(deviceNumber);
  }

  statistics(): Statistics {
    const { link } = this.#pool.target;
    const rings = this.#rings.statistics();
    const bytesToDevice = link.bytes + rings.ringMessages * this.#place.entrySize;
    return { ...rings, bytesToDevice, linkBusyPs: link.busy };
  }

  up(): void {}

  down(reason: string): void {
    this.#fault(reason);
  }

  /** A message of the process: the session's own are for the kernel's bridge, all else for the bus. */
  frame(bytes: Uint8Array, length: number): void {
    const isOurs = peekIsBus(bytes) && peekId(bytes) >= PRIVATE_IDS;
    if (!isOurs) return this.#client.frame(bytes, length);
    try {
      this.#message(this.#codec.decode(bytes, length));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#fault(error.message);
    }
  }

  #perform(effect: KernelEffect): void {
    switch (effect.type) {
      case 'attach':
        return this.#makeRings();
      case 'announce':
        return this.#announce();
      case 'mapPool':
        return this.#mapPool();
      case 'away':
        return this.#client.away!('the bridge is reset');
      case 'unmapPool':
        return this.#unmapPool();
      case 'sayOffline':
        return this.#sayOffline();
      case 'up':
        return this.#client.up();
      case 'down':
        return this.#client.down(this.#reason);
    }
  }

  /** Headers of both rings are filled in, and the process hears where they are. */
  #makeRings(): void {
    const { memory } = this.#environment.node;
    const { toProcess, toKernel, entries, entrySize } = this.#place;
    for (const { producerIndex } of [toProcess, toKernel]) {
      memory.writeU32(this.#address + producerIndex + 8, entries);
      memory.writeU32(this.#address + producerIndex + 12, entrySize);
    }
    this.#rings.open();
    this.#sendAcross(ATTACHED, this.#address);
  }

  /** The bus is online, in an epoch of its own. */
  #announce(): void {
    this.#epoch++;
    this.#added.clear();
    const { name, options } = this.#environment.plan;
    const busName = new Uint8Array(16);
    for (let i = 0; i < Math.min(15, name.length); i++) busName[i] = name.charCodeAt(i);
    const body = { epoch: this.#epoch, busName, maxMessageSize: options.maxMessageSize };
    this.#sendMessage({ type: 'req.ENDPOINT_ONLINE', dev: 0, token: 0, body });
  }

  #mapPool(): void {
    const { address, length } = this.#pool.range;
    const body = {
      epoch: this.#epoch,
      sequence: ++this.#sequence,
      mapId: POOL_MAP_ID,
      busAddress: BigInt(address),
      length: BigInt(length),
      mmapOffset: 0n,
      mmapLength: BigInt(length),
      flags: 0,
    };
    this.#sendMessage({ type: 'req.MAP_ADD', dev: 0, token: 1, body });
  }

  #unmapPool(): void {
    const { address, length } = this.#pool.range;
    const body = {
      epoch: this.#epoch,
      sequence: this.#sequence,
      mapId: POOL_MAP_ID,
      busAddress: BigInt(address),
      length: BigInt(length),
    };
    this.#sendMessage({ type: 'req.MAP_DEL', dev: 0, token: 1, body });
  }

  #sayOffline(): void {
    const body = { epoch: this.#epoch, reason: OfflineReason.reset };
    this.#sendMessage({ type: 'req.ENDPOINT_OFFLINE', dev: 0, token: 0, body });
  }

  #message(message: LoopbackMessage): void {
    if ('epoch' in message.body) {
      // What belongs to an epoch that is over means nothing; one that is to come nobody can know.
      if (message.body.epoch < this.#epoch) return;
      if (message.body.epoch > this.#epoch) {
        return this.#fault(`${message.type} of epoch ${message.body.epoch}`);
      }
    }
    switch (message.type) {
      case 'req.TOPOLOGY_RESET':
        return this.#added.clear();
      case 'res.MAP_DEL':
        if (message.body.status === OK) return this.#chart.send({ type: 'UNMAPPED' });
        return this.#fault('the process could not unmap the pool');
      case 'req.DEV_ADD':
        this.#added.add(message.body.number);
        return;
      case 'req.COMMIT':
        if (message.body.count === this.#added.size) return this.#chart.send({ type: 'COMMIT' });
        return this.#fault('COMMIT of devices that were not added');
      case 'res.MAP_ADD':
        if (message.body.status === OK) return this.#chart.send({ type: 'MAPPED' });
        return this.#fault('the process could not map the pool');
      case 'res.ERROR':
        return this.#client.undeliverable?.(message.body.originalDevice, message.token);
      default:
        this.#fault(`${message.type} from the process`);
    }
  }

  #sendMessage(message: LoopbackMessage): void {
    const { plan, observer } = this.#environment;
    const { maxMessageSize } = plan.options;
    const length = this.#codec.encode(message, this.#frame, 0, maxMessageSize);
    observer?.(this.#frame, length, false);
    this.#rings.send(this.#frame, length);
  }

  /** One wrong message ends the whole session. */
  #fault(reason: string): void {
    this.#reason = reason;
    this.#rings.close();
    this.#chart.send({ type: 'FAULT' });
  }

  #sendAcross(kind: number, a = 0): void {
    const delay = this.#environment.node.charge(this.#wakeUp);
    sendAcross(this.#environment, 'process', kind, delay, a);
  }
}
