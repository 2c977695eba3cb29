// The virtio-net driver (virtio 1.4 §5.1): it brings queue pairs and control queue up, follows the state
// of the cable, and carries frames between its queues and the guest's stack.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { FlowHasher, ipOf, readMac } from '../../platform/network/index.ts';
import { ANY_CORE } from '../../platform/node/index.ts';
import {
  controlQueue,
  NET_CONFIG,
  NET_CONFIG_HASH_SIZE,
  NET_CONFIG_SIZE,
  NET_CTRL,
  NET_CTRL_ANNOUNCE,
  NET_DEVICE_ID,
  NET_F,
  NET_F_REQUIRES,
  NET_S,
  netHeaderSize,
  receiveQueue,
  STATUS,
  transmitQueue,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import { VirtioDriver } from '../common/index.ts';
import type { Hashing } from './commands.ts';
import { COMMAND_BYTES, type Command, ControlChannel } from './control-channel.ts';
import { LARGE_RECEIVE, NET_DRIVER_FEATURES } from './features.ts';
import { noOffload, type Offload } from './packet.ts';
import { type PairTiming, QueuePair } from './queue-pair.ts';
import { firstCommands, type Wishes } from './setup.ts';
import { NetStack } from './stack/index.ts';
import { fetchStatistics, type Told, type TrafficCounts } from './statistics.ts';

/** A buffer that may be merged with others; it holds a frame of the usual size. */
const MERGED_BUFFER = 1536;
/** One of those that a large packet lies in: a page. */
const LARGE_MERGED_BUFFER = 4096;
/** The largest packet that is joined of others. */
const LARGE_PACKET = 65_535;
/** Ethernet header and VLAN tag. */
const FRAME_HEADERS = 18;
const LINE = 64;
/** Memory of each pair for packets on their way out: four of the largest. */
const ARENA_BYTES = 4 * 65_600;

/** Whoever uses the network. */
export interface NetClient {
  /** The interface is up. */
  netReady(): void;
  /** The device is lost. */
  netDown(reason: string): void;
}

/** Is shown a packet; the bytes are valid only during the call. */
export type FrameTap = (bytes: Uint8Array, length: number) => void;

export class NetDriver extends VirtioDriver {
  readonly stack: NetStack;
  readonly timing: PairTiming;
  /** True while the cable is plugged in at both ends, as far as the device knows. */
  linkUp = true;
  /** Times that the state of the cable has changed. */
  linkChanges = 0;
  /** Packets that came with a hash of their flow. */
  hashes = 0;
  readonly #pairs: QueuePair[] = [];
  readonly #control: ControlChannel;
  readonly #clients: NetClient[] = [];
  readonly #taps: FrameTap[] = [];
  readonly #wishes: Wishes;
  #pairCount = 0;
  /** Of all pairs. */
  #receiveBytes = 0;
  #pairsInUse = 1;
  #hashing: Hashing | null = null;
  /** Packets to be sent may have been lost with a device or a queue that was reset. */
  #lostSome = false;
  /** The device was reset, and had sent something or had nothing to send. */
  #cameBackIdle = false;

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: NET_DEVICE_ID,
      queueCount: 2,
      features: NET_DRIVER_FEATURES,
      dependentFeatures: NET_F_REQUIRES,
      configSize: NET_CONFIG_SIZE,
    });
    const { node, plan } = environment;
    this.timing = {
      driverTransmit: node.costs.idOf('net.driverTransmit'),
      driverReceive: node.costs.idOf('net.driverReceive'),
      poll: node.costs.idOf('net.poll'),
      checksumRate: node.costs.idOf('net.checksumRate'),
    };
    this.#control = new ControlChannel(this);
    this.#wishes = plan.options as Wishes;
    this.stack = new NetStack({
      node,
      name: plan.name,
      ipv4: ipOf(plan, 4),
      ipv6: this.#wishes.ipv6 === true ? ipOf(plan, 6) : null,
      vlan: this.#wishes.vlan ?? -1,
      send: (flow, bytes, length, offload) => this.#send(flow, bytes, length, offload),
    });
  }

  /** Sends a command to the device; false when it has no control queue. `answered` is told what it says. */
  command(command: Command, answered: (ok: boolean) => void): boolean {
    if (!this.live || !this.#has(NET_F.CTRL_VQ)) return false;
    this.#control.command(command, answered);
    return true;
  }

  /** Sends a frame as it is; false when there is no room for it now, or no cable. */
  sendFrame(bytes: Uint8Array): boolean {
    return this.live && this.linkUp && this.#send(0, bytes, bytes.length, noOffload());
  }

  /** Adds somebody who is shown each packet that comes. Only before the device is live. */
  listen(tap: FrameTap): void {
    this.#taps.push(tap);
  }

  /** Adds somebody to be told when the network is there. Only before the device is live. */
  attach(client: NetClient): void {
    this.#clients.push(client);
  }

  get hasStatistics(): boolean {
    return this.#has(NET_F.DEVICE_STATS);
  }

  /** Asks the device for its counters. Nobody is `told` if it is reset or lost meanwhile. */
  fetchStatistics(told: Told): void {
    const owner = {
      pairCount: this.#pairCount,
      allSent: !this.#lostSome && this.#pairs.every(({ idle }) => idle),
      counts: () => this.#counts(),
      command: this.#control.command.bind(this.#control),
      disagreed: (what: string) =>
        this.node.violations.report('VERIFY', `${this.name}: statistics of the device: ${what}`),
    };
    fetchStatistics(owner, told);
  }

  override used(queue: number): void {
    if (!this.live) return;
    if (queue === this.#controlQueue) this.#control.interrupt();
    else this.#pairs[queue >> 1]?.interrupt();
  }

  busAddress(address: number): number {
    return this.transport.busAddress(address);
  }

  override commit(queue: number, tag: number): number {
    return super.commit(queue, tag);
  }

  override tagOf(queue: number, head: number): number {
    return super.tagOf(queue, head);
  }

  tell(queue: number): void {
    this.kick(queue);
  }

  broken(): void {
    this.node.violations.report('BAD_DESCRIPTOR', `${this.name}: a used element names no chain`);
    this.configChanged(STATUS.DEVICE_NEEDS_RESET);
  }

  received(bytes: Uint8Array, length: number, checked: boolean, segment: number): void {
    this.proven();
    for (const tap of this.#taps) tap(bytes, length);
    this.stack.receive(bytes, length, checked, segment);
  }

  hashed(right: boolean): void {
    this.hashes++;
    if (right) return;
    this.node.violations.report('VERIFY', `${this.name}: a packet came with a wrong hash`);
  }

  polled(): void {
    this.stack.roundOver();
  }

  writable(): void {
    this.stack.writable();
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override configWanted(): number {
    return this.#has(NET_F.RSS | NET_F.HASH_REPORT) ? NET_CONFIG_HASH_SIZE : NET_CONFIG_SIZE;
  }

  protected override queuesWanted(): number {
    this.#pairCount = this.#has(NET_F.MQ | NET_F.RSS) ? this.#config16(NET_CONFIG.maxPairs) : 1;
    return 2 * this.#pairCount + (this.#has(NET_F.CTRL_VQ) ? 1 : 0);
  }

  protected override bufferBytes(_start: number, sizes: readonly number[]): number {
    this.#receiveBytes = 0;
    for (let pair = 0; pair < this.#pairCount; pair++) {
      this.#receiveBytes += sizes[receiveQueue(pair)] * this.#bufferSize;
    }
    return COMMAND_BYTES + this.#receiveBytes + this.#pairCount * ARENA_BYTES;
  }

  protected override wentLive(buffers: number): void {
    const status = this.#has(NET_F.STATUS) ? this.#config16(NET_CONFIG.status) : NET_S.LINK_UP;
    this.linkUp = (status & NET_S.LINK_UP) !== 0;
    this.#hashing = this.#newHashing();
    this.#startPairs(buffers + COMMAND_BYTES);
    this.stack.start(readMac(this.config, NET_CONFIG.mac), {
      checksum: this.#has(NET_F.CSUM),
      tcpSegmentation: { 4: this.#has(NET_F.HOST_TSO4), 6: this.#has(NET_F.HOST_TSO6) },
      udpSegmentation: this.#has(NET_F.HOST_USO),
      mtu: this.#has(NET_F.MTU) ? this.#config16(NET_CONFIG.mtu) : 1500,
    });
    this.#pairsInUse = 1;
    if (this.#has(NET_F.CTRL_VQ)) {
      this.#control.start(this.rings[this.#controlQueue], this.#controlQueue, buffers);
    }
    this.#configure();
  }

  /** What was on its way is lost; the stack makes up for it as for any other loss. */
  protected override interrupted(): void {
    this.#control.stop();
    this.#cameBackIdle =
      this.rings.some(({ hasUsed }) => hasUsed) || this.#pairs.every(({ idle }) => idle);
    this.#lostSome = true;
    for (const pair of this.#pairs) pair.stop();
  }

  protected override wentDown(reason: string): void {
    this.#lostSome = true;
    this.#control.stop();
    for (const pair of this.#pairs) pair.stop();
    this.stack.stop(reason);
    for (const client of this.#clients) client.netDown(reason);
  }

  /** Chains that come back while their queue is being reset; all others the pairs take themselves. */
  protected override completed(queue: number, head: number): void {
    if (queue === this.#controlQueue) this.#control.returned();
    else this.#pairs[queue >> 1].returned(queue, this.tagOf(queue, head));
  }

  protected override queueStopped(queue: number): void {
    this.#lostSome = true;
    if (queue === this.#controlQueue) this.#control.pause();
    else this.#pairs[queue >> 1].pause(queue);
  }

  protected override queueRestarted(queue: number): void {
    const ring = this.rings[queue];
    if (queue === this.#controlQueue) this.#control.resume(ring);
    else this.#pairs[queue >> 1].resume(queue, ring);
  }

  protected override work(): void {}

  protected override configurationChanged(offset: number, length: number): void {
    if (!this.#has(NET_F.STATUS) || !this.concerns(offset, length, NET_CONFIG.status, 2)) return;
    this.readConfig(NET_CONFIG.status, 2);
  }

  protected override configRead(_offset: number, data: Uint8Array): void {
    const linkUp = (data[0] & NET_S.LINK_UP) !== 0;
    if (linkUp !== this.linkUp) {
      this.linkUp = linkUp;
      this.linkChanges++;
      if (linkUp) this.stack.announce();
    }
    if ((data[0] & NET_S.ANNOUNCE) === 0 || !this.#has(NET_F.GUEST_ANNOUNCE)) return;
    this.stack.announce();
    const { ANNOUNCE } = NET_CTRL;
    const command = NET_CTRL_ANNOUNCE.ACK;
    this.#control.command({ type: ANNOUNCE, command, data: new Uint8Array(0) });
  }

  /** Tells the device what the driver wants of it; everybody is told once that is done. */
  #configure(): void {
    const pairs = Math.min(this.#pairCount, this.node.cpu.count);
    const commands = firstCommands({
      wishes: this.#wishes,
      groups: this.stack.groups,
      pairs,
      hashing: this.#hashing,
      tableLength: this.#hashing === null ? 0 : this.#config16(NET_CONFIG.rssMaxTableLength),
      has: (features) => this.#has(features),
    });
    let waiting = this.#has(NET_F.CTRL_VQ) ? commands.length : 0;
    for (const command of commands) {
      this.#control.command(command, (ok) => {
        if (command.setsPairs === true && ok) this.#pairsInUse = pairs;
        if (--waiting === 0) this.#ready();
      });
    }
    if (waiting === 0) this.#ready();
  }

  /** A new key, and the types that the device knows; null when it hashes nothing. */
  #newHashing(): Hashing | null {
    if (!this.#has(NET_F.RSS | NET_F.HASH_REPORT)) return null;
    const key = new Uint8Array(this.config[NET_CONFIG.rssMaxKeySize]);
    this.node.random(`rss/${this.name}`).fill(key);
    return { types: readU32(this.config, NET_CONFIG.hashTypes), key };
  }

  #ready(): void {
    // With nothing to do it has done all it can.
    if (this.#cameBackIdle) this.proven();
    this.#cameBackIdle = false;
    this.stack.announce();
    this.stack.writable();
    for (const client of this.#clients) client.netReady();
  }

  #send(flow: number, bytes: Uint8Array, length: number, offload: Offload): boolean {
    // Without a cable, packets are lost at once, as by any interface that has no carrier.
    if (!this.live || !this.linkUp) return true;
    return this.#pairs[flow % this.#pairsInUse].send(bytes, length, offload);
  }

  #startPairs(memory: number): void {
    const bufferBytes = this.#bufferSize;
    const arena = memory + this.#receiveBytes;
    let buffers = memory;
    for (let pair = 0; pair < this.#pairCount; pair++) {
      if (this.#pairs.length === pair) this.#pairs.push(new QueuePair(this, pair));
      const ring = this.rings[receiveQueue(pair)];
      this.#pairs[pair].start({
        ring,
        queue: receiveQueue(pair),
        buffers,
        bufferBytes,
        checksChecksums: this.#has(NET_F.GUEST_CSUM),
        hasher: this.#has(NET_F.HASH_REPORT) ? this.#hasher() : null,
        core: this.#pairCount > 1 ? pair % this.node.cpu.count : ANY_CORE,
        sender: {
          ring: this.rings[transmitQueue(pair)],
          queue: transmitQueue(pair),
          arena: arena + pair * ARENA_BYTES,
          arenaBytes: ARENA_BYTES,
          headerSize: netHeaderSize(this.features),
          checksumOffload: this.#has(NET_F.CSUM),
        },
      });
      buffers += ring.size * bufferBytes;
    }
  }

  #counts(): TrafficCounts {
    const counts = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
    for (const pair of this.#pairs) {
      counts.sent += pair.framesSent;
      counts.sentBytes += pair.bytesSent;
      counts.received += pair.packets;
      counts.receivedBytes += pair.bytes;
    }
    return counts;
  }

  #hasher(): FlowHasher {
    const hasher = new FlowHasher();
    hasher.set(this.#hashing!.types, this.#hashing!.key);
    return hasher;
  }

  get #controlQueue(): number {
    return controlQueue(this.#pairCount);
  }

  /** Buffers that can't be merged must each hold the largest frame. */
  get #bufferSize(): number {
    const large = this.#has(LARGE_RECEIVE);
    if (this.#has(NET_F.MRG_RXBUF)) return large ? LARGE_MERGED_BUFFER : MERGED_BUFFER;
    const mtu = this.#has(NET_F.MTU) ? this.#config16(NET_CONFIG.mtu) : 1500;
    const packet = large ? LARGE_PACKET : mtu;
    return Math.ceil((netHeaderSize(this.features) + FRAME_HEADERS + packet) / LINE) * LINE;
  }

  /** True when one of these features is in force. */
  #has(feature: bigint): boolean {
    return (this.features & feature) !== 0n;
  }

  #config16(at: number): number {
    return readU16(this.config, at);
  }
}
