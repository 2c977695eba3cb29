// What both peers of an ivshmem bus have: registers, the way to the shared RAM wherever it lies, a window
// on the driver's RAM for the device, and the two queues.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Packet } from '../../platform/kernel/index.ts';
import { PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';
import {
  coherentLink,
  DMA_DATA,
  DMA_READ,
  DMA_REFUSED,
  DMA_WRITE,
  headerSizeOf,
  type LinkClient,
  type OrderedLink,
  OwnRingMemory,
  type PageRange,
  PeerRingMemory,
  RegionGuard,
  RegionWindows,
  type RingMemory,
  RingPair,
  SharedMemoryPort,
  SharedMemoryTarget,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';
import type { IvshmemOptions } from './options.ts';
import { doorbellValue, IvshmemRegisters, Register } from './registers.ts';
import { DEVICE_QUEUE, DRIVER_QUEUE, SHARED_BUS_ADDRESS, SHARED_SIZE } from './shared-ram.ts';

/** Packet kind of a doorbell. a: the value that was written. */
export const DOORBELL = 10;

/** Ids of the two peers, and the vector that is used for everything. */
const DEVICE_ID = 0;
const DRIVER_ID = 1;
const VECTOR = 0;
const ALL_BITS = 0xffff_ffff;

export class IvshmemPeer {
  readonly registers: IvshmemRegisters;
  readonly rings: RingPair;
  /** What this peer reaches of the other's memory. */
  readonly port: SharedMemoryPort;
  /** Reads and writes of the shared RAM, apart from those of the queues. */
  readonly memory: RingMemory;
  readonly #environment: BusEnvironment<IvshmemOptions>;
  readonly #side: 'driver' | 'device';
  /** What this peer lets the other reach. */
  readonly #target: SharedMemoryTarget;
  /** The way of all that this peer sends. */
  readonly path: OrderedLink;
  readonly #delivery: number;
  /** The shared RAM in this node's memory, or -1 when it lies in the peer's. */
  readonly #sharedAddress: number;

  constructor(
    environment: BusEnvironment<IvshmemOptions>,
    side: 'driver' | 'device',
    client: LinkClient,
  ) {
    const { node, plan } = environment;
    const { options } = plan;
    this.#environment = environment;
    this.#side = side;
    const other = side === 'driver' ? 'device' : 'driver';
    const isHome = options.home === side;
    this.path = coherentLink(node);
    this.#delivery = node.costs.idOf('ivshmem.doorbellDelivery');
    this.#sharedAddress = isHome ? node.memory.allocate(SHARED_SIZE, PAGE_SIZE) : -1;
    const borrower = { borrowerNode: plan[other], borrowerPort: plan[`${other}Port`] };
    const handles = new RegionGuard(this.#ownRegions());
    this.#target = new SharedMemoryTarget({
      ...{
        node,
        handles,
        ...borrower,
        name: plan.name,
        borrower: `the ${other} side`,
        link: this.path,
      },
    });
    const windows = new RegionWindows(this.#peerRegions());
    this.port = new SharedMemoryPort({
      node,
      ownerNode: plan[other],
      ownerPort: plan[`${other}Port`],
      window: (address) => windows.find(address),
      offset: (address) => windows.offset(address),
      link: this.path,
    });
    const own = side === 'driver' ? DRIVER_ID : DEVICE_ID;
    this.registers = new IvshmemRegisters(own, (peer, vector) => this.#ring(peer, vector));
    if (options.interrupts === 'intx') this.registers.write(Register.INTR_MASK, ALL_BITS);
    this.memory = this.#access();
    this.rings = this.#makeRings(client);
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case DOORBELL:
        return this.#rung(packet.a);
      case DMA_DATA:
      case DMA_REFUSED:
        return this.port.receive(packet);
      case DMA_READ:
      case DMA_WRITE:
        return this.#target.receive(packet);
      default:
        assert(false, `${this.#environment.plan.name}: packet of kind ${packet.kind}`);
    }
  }

  statistics(): Statistics {
    return { ...this.rings.statistics(), ...this.path.statistics(this.#side) };
  }

  #makeRings(client: LinkClient): RingPair {
    const { node, plan } = this.#environment;
    const { costs } = node;
    const sends = this.#side === 'driver';
    const intx = plan.options.interrupts === 'intx';
    return new RingPair({
      node,
      name: `${plan.name}.${this.#side}`,
      maxMessageSize: plan.options.maxMessageSize,
      headerSize: headerSizeOf(plan.options),
      client,
      sending: sends ? DRIVER_QUEUE : DEVICE_QUEUE,
      receiving: sends ? DEVICE_QUEUE : DRIVER_QUEUE,
      memory: () => this.#access(),
      fullRetry: costs.value(costs.idOf('ivshmem.fullRetry')),
      doorbell: costs.idOf('ivshmem.doorbell'),
      ringDoorbell: () => this.#writeDoorbell(),
      ...(intx ? { acknowledgement: costs.idOf('ivshmem.statusRead') } : {}),
      acknowledge: () => this.registers.read(Register.INTR_STATUS),
    });
  }

  #access(): RingMemory {
    const { node } = this.#environment;
    if (this.#sharedAddress < 0) {
      return new PeerRingMemory(node, this.port, SHARED_BUS_ADDRESS, SPSC_SLOT_SIZE);
    }
    const { lineLatency } = node.timing;
    return new OwnRingMemory(node, this.#sharedAddress, lineLatency, SPSC_SLOT_SIZE);
  }

  /** What the other peer may reach here: region 0 is RAM, region 1 the shared RAM. */
  #ownRegions(): readonly PageRange[] {
    const { node, plan } = this.#environment;
    const { peerWindow = node.plan.memory } = plan.options;
    // The driver side's RAM is a second device's BAR2 on the device side, but not the other way round.
    const seen = this.#side === 'driver' ? Math.min(peerWindow, node.plan.memory) : 0;
    const shared = this.#sharedAddress < 0 ? 0 : SHARED_SIZE;
    return [
      { address: RAM_BASE, length: seen },
      { address: this.#sharedAddress, length: shared },
    ];
  }

  /** The same of the other peer, as this one sees it. How much RAM that has, only its owner knows. */
  #peerRegions(): readonly PageRange[] {
    const { peerWindow = SHARED_BUS_ADDRESS - RAM_BASE } = this.#environment.plan.options;
    return [
      { address: RAM_BASE, length: this.#side === 'driver' ? 0 : peerWindow },
      { address: SHARED_BUS_ADDRESS, length: SHARED_SIZE },
    ];
  }

  #writeDoorbell(): void {
    const peer = this.#side === 'driver' ? DEVICE_ID : DRIVER_ID;
    this.registers.write(Register.DOORBELL, doorbellValue(peer, VECTOR));
  }

  /** The interrupt arrives after everything that was written before. */
  #ring(peer: number, vector: number): void {
    const { node, plan } = this.#environment;
    const packet = node.kernel.packets.acquire(0).label(DOORBELL, doorbellValue(peer, vector));
    const delay = node.charge(this.#delivery);
    const total = delay + this.path.orderingDelay(delay);
    const [toNode, toPort] =
      this.#side === 'driver' ? [plan.device, plan.devicePort] : [plan.driver, plan.driverPort];
    node.kernel.send(node.index, toNode, toPort, total, packet);
  }

  #rung(value: number): void {
    const { options } = this.#environment.plan;
    if (value >>> 16 !== this.registers.read(Register.IV_POSITION)) return;
    if (this.registers.rung() || options.interrupts === 'msix') this.rings.line.raise();
  }
}
