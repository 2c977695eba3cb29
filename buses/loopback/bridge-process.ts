// The side of a process that serves devices through the bridge: it attaches, adds its devices, maps the
// pool, and waits on an eventfd.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, Priority } from '../../platform/node/index.ts';
import {
  type Codec,
  codec,
  peekDevice,
  peekId,
  peekIsBus,
  peekToken,
  type StandardMessages,
} from '../../platform/virtio/messages/index.ts';
import { WireError } from '../../platform/wire/index.ts';
import {
  type DeviceLink,
  DMA_DATA,
  DMA_REFUSED,
  type LinkClient,
  type OrderedLink,
  OwnRingMemory,
  RegionWindows,
  RingPair,
  SharedMemoryPort,
} from '../common/index.ts';
import {
  type LoopbackMessage,
  type LoopbackMessages,
  loopbackMessages,
  NO_SUCH_DEVICE,
  OK,
  PRIVATE_IDS,
} from './messages.ts';
import type { LoopbackOptions } from './options.ts';
import { ATTACH, ATTACHED, SIGNAL } from './packets.ts';
import { ringPlace } from './ring-place.ts';
import { sendAcross } from './self.ts';

// System calls of the process, beside those that write the eventfd.
const CALL_ATTACH = 0;
const CALL_MMAP = 1;
const CALL_MUNMAP = 2;

export class BridgeProcess implements DeviceLink, LinkClient, CpuClient {
  readonly dma: SharedMemoryPort;
  readonly #environment: BusEnvironment<LoopbackOptions>;
  readonly #client: LinkClient;
  readonly #codec: Codec<StandardMessages & LoopbackMessages>;
  readonly #frame: Uint8Array;
  readonly #wakeUp: number;
  /** Null until the kernel has made them. */
  #rings: RingPair | null = null;
  #windows = new RegionWindows([]);
  /** The MAP_ADD that is being obeyed. */
  #mapping: Extract<LoopbackMessage, { type: 'req.MAP_ADD' }> | null = null;
  /** The MAP_DEL that is being obeyed. */
  #unmapping: Extract<LoopbackMessage, { type: 'req.MAP_DEL' }> | null = null;

  constructor(environment: BusEnvironment<LoopbackOptions>, client: LinkClient) {
    const { node, plan } = environment;
    this.#environment = environment;
    this.#wakeUp = node.costs.idOf('loopback.wakeUp');
    this.#client = client;
    this.#codec = codec(plan.revision, loopbackMessages);
    this.#frame = new Uint8Array(plan.options.maxMessageSize);
    this.dma = new SharedMemoryPort({
      node,
      ownerNode: plan.driver,
      ownerPort: plan.driverPort,
      window: (address) => this.#windows.find(address),
      offset: (address) => this.#windows.offset(address),
    });
    this.#call(CALL_ATTACH);
  }

  /** Devices have nothing to say before the kernel has asked them something. */
  send(bytes: Uint8Array, length: number): void {
    this.#rings?.send(bytes, length);
  }

  get path(): OrderedLink {
    return this.dma.link;
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DMA_DATA:
      case DMA_REFUSED:
        return this.dma.receive(packet);
      case SIGNAL:
        return this.#rings!.rung();
      case ATTACHED:
        return this.#attached(packet.a);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  /** A system call has been made. */
  deliver(call: number): void {
    if (call === CALL_ATTACH) return this.#sendAcross(ATTACH);
    if (call === CALL_MUNMAP) return this.#unmapped();
    const { token, body } = this.#mapping!;
    const { epoch, sequence, mapId, busAddress, mmapLength } = body;
    this.#windows = new RegionWindows([
      { address: Number(busAddress), length: Number(mmapLength) },
    ]);
    const answer = { epoch, sequence, mapId, status: OK };
    this.#sendMessage({ type: 'res.MAP_ADD', dev: 0, token, body: answer });
  }

  statistics(): Statistics {
    const { link } = this.dma;
    const rings = this.#rings?.statistics();
    const { entrySize } = ringPlace(this.#environment.plan.options);
    return {
      ...rings,
      ...this.dma.statistics(),
      bytesToDriver: link.bytes + (rings?.ringMessages ?? 0) * entrySize,
      linkBusyPs: link.busy,
    };
  }

  refuse(bytes: Uint8Array): void {
    const body = {
      originalDevice: peekDevice(bytes),
      originalId: peekId(bytes),
      error: NO_SUCH_DEVICE,
    };
    this.#sendMessage({ type: 'res.ERROR', dev: 0, token: peekToken(bytes), body });
  }

  up(): void {}

  down(reason: string): void {
    this.#client.down(reason);
  }

  frame(bytes: Uint8Array, length: number): void {
    const isOurs = peekIsBus(bytes) && peekId(bytes) >= PRIVATE_IDS;
    if (!isOurs) return this.#client.frame(bytes, length);
    try {
      this.#message(this.#codec.decode(bytes, length));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#client.down(error.message);
    }
  }

  /** The rings are there: where, the kernel has said. */
  #attached(address: number): void {
    const { node, plan } = this.#environment;
    const { costs } = node;
    const { entrySize, toProcess, toKernel } = ringPlace(plan.options);
    this.#rings = new RingPair({
      node,
      name: `${plan.name}.device`,
      maxMessageSize: plan.options.maxMessageSize,
      client: this,
      sending: toKernel,
      receiving: toProcess,
      memory: () => new OwnRingMemory(node, address, node.timing.lineLatency, entrySize),
      fullRetry: costs.value(costs.idOf('loopback.fullRetry')),
      doorbell: costs.idOf('loopback.systemCall'),
      ringDoorbell: () => this.#sendAcross(SIGNAL),
      // What devices have written is on its way to the same memory: a message may not be there first.
      barrier: () => this.dma.link.orderingDelay(0),
    });
    this.#rings.open();
  }

  #message(message: LoopbackMessage): void {
    switch (message.type) {
      case 'req.ENDPOINT_ONLINE':
        return this.#addDevices(message.body.epoch);
      case 'req.ENDPOINT_OFFLINE':
        // The devices have stopped already, for the pool they worked in was taken back.
        return;
      case 'req.MAP_DEL':
        this.#unmapping = message;
        this.#client.reset!();
        return this.#call(CALL_MUNMAP);
      case 'req.MAP_ADD':
        this.#mapping = message;
        return this.#call(CALL_MMAP);
      default:
        this.#client.down(`${message.type} from the kernel`);
    }
  }

  /** Nothing of the pool is reached any more. */
  #unmapped(): void {
    const { token, body } = this.#unmapping!;
    const { epoch, sequence, mapId } = body;
    this.#windows = new RegionWindows([]);
    const answer = { epoch, sequence, mapId, status: OK };
    this.#sendMessage({ type: 'res.MAP_DEL', dev: 0, token, body: answer });
  }

  #addDevices(epoch: bigint): void {
    const numbers = this.#client.deviceNumbers!();
    this.#sendMessage({ type: 'req.TOPOLOGY_RESET', dev: 0, token: 0, body: { epoch } });
    for (const number of numbers) {
      this.#sendMessage({ type: 'req.DEV_ADD', dev: 0, token: 0, body: { epoch, number } });
    }
    const body = { epoch, count: numbers.length };
    this.#sendMessage({ type: 'req.COMMIT', dev: 0, token: 0, body });
  }

  #sendMessage(message: LoopbackMessage): void {
    const { plan, observer } = this.#environment;
    const { maxMessageSize } = plan.options;
    const length = this.#codec.encode(message, this.#frame, 0, maxMessageSize);
    observer?.(this.#frame, length, false);
    this.send(this.#frame, length);
  }

  #call(call: number): void {
    const { node } = this.#environment;
    const cost = node.charge(node.costs.idOf('loopback.systemCall'));
    node.cpu.submit(Priority.task, cost, this, call);
  }

  #sendAcross(kind: number): void {
    const delay = this.#environment.node.charge(this.#wakeUp);
    sendAcross(this.#environment, 'kernel', kind, delay);
  }
}
