// The device side of virtio-net (virtio 1.4 §5.1): its queues, its configuration, and the cable that it
// hangs on. What it does not offer is listed in the README beside this file.
import type { DeviceEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component } from '../../platform/kernel/index.ts';
import {
  ETHER,
  ETHERNET_HEADER,
  FlowHasher,
  FrameView,
  HASH_KIND,
  macOf,
  NetworkPort,
  readMac,
  VLAN_TAG,
  writeMac,
} from '../../platform/network/index.ts';
import {
  controlQueue,
  NET_CONFIG,
  NET_CONFIG_HASH_SIZE,
  NET_CONFIG_SIZE,
  NET_DEVICE_ID,
  NET_DUPLEX_FULL,
  NET_ERR,
  NET_F,
  NET_F_REQUIRES,
  NET_OK,
  NET_RSS_KEY_MAX,
  NET_RSS_TABLE_MAX,
  NET_S,
  NET_STATS,
  receiveQueue,
  STATUS,
  transmitQueue,
} from '../../platform/virtio/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import { Agreement } from './agreement.ts';
import { CoalescingTable } from './coalescer.ts';
import { CommandResult, type ControlTarget, obey } from './control.ts';
import type { NetOptions } from './options.ts';
import { QueueSignals, type QueueStatistics } from './queue-statistics.ts';
import { ReceiveFilter } from './receive-filter.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { type RssTable, Steering } from './steering.ts';
import { TransmitQueue } from './transmit-queue.ts';

/** Commands are read no further than this: two full address tables and some. */
const COMMAND_MAX = 4096;
const MBIT_PER_S = 125_000;

/** All types that the hasher knows: one for each kind but `none`. */
const HASH_TYPES = (1 << HASH_KIND.udpv6) - 1;

const LINK_DOWN = 0;
const LINK_UP = 1;
const ANNOUNCE = 2;

export class NetDevice extends VirtioDevice implements Component, ControlTarget {
  readonly filter: ReceiveFilter;
  readonly pairsMax: number;
  readonly coalescing: CoalescingTable | null;
  readonly mtu: number;
  readonly hashTypes = HASH_TYPES;
  linkUp = true;
  readonly #mac: number;
  readonly #port: NetworkPort;
  readonly #receive: readonly ReceiveQueue[];
  readonly #transmit: readonly TransmitQueue[];
  readonly #control: RequestFetcher;
  readonly hasher = new FlowHasher();
  readonly #steering = new Steering(this.hasher);
  readonly #usable = (pair: number): boolean => this.isUsable(pair);
  readonly #view = new FrameView();
  readonly #ack = new Uint8Array(1);
  readonly #result = new CommandResult();
  readonly agreement = new Agreement();
  /** By queue, in step with `queues`. */
  readonly #signals: readonly QueueSignals[];
  #commands = 0;
  #obeyed = 0;
  #filtered = 0;
  /** Frames that came while the device was not in use or its cable was out. */
  #unheard = 0;

  constructor({ node, plan, network }: DeviceEnvironment<NetOptions>) {
    const { options } = plan;
    assert(network !== null, `${plan.name} has a network`);
    const mac = macOf(plan);
    const sizes = new Array<number>(2 * options.queues + 1).fill(options.queueSize);
    super(node, plan, {
      deviceId: NET_DEVICE_ID,
      features: featuresOf(options),
      config: configSpace(options, mac, network.network.rate),
      queueSizes: sizes,
    });
    this.#mac = mac;
    this.filter = new ReceiveFilter(mac);
    this.pairsMax = options.queues;
    this.mtu = options.mtu;
    this.#port = new NetworkPort(node, network, (bytes, length) => this.#arrived(bytes, length));
    const timing = {
      deviceTransmit: node.costs.idOf('net.deviceTransmit'),
      deviceReceive: node.costs.idOf('net.deviceReceive'),
      checksumRate: node.costs.idOf('net.checksumRate'),
    };
    const pairs = Array.from({ length: options.queues }, (_, pair) => pair);
    this.#receive = pairs.map((pair) => {
      const queue = this.queues[receiveQueue(pair)];
      const { receiveBuffer: buffer, mergeTime } = options;
      return new ReceiveQueue(this, { queue, timing, buffer, mergeTime });
    });
    this.#transmit = pairs.map((pair) => {
      const queue = this.queues[transmitQueue(pair)];
      return new TransmitQueue(this, { queue, pair, timing });
    });
    this.#control = new RequestFetcher({
      node,
      name: plan.name,
      bytesMax: COMMAND_MAX,
      ready: (request) => this.#command(request),
    });
    const coalesces = (this.features & NET_F.NOTF_COAL) !== 0n;
    const dataQueues = this.queues.slice(0, controlQueue(options.queues));
    this.coalescing = coalesces ? new CoalescingTable(node, dataQueues) : null;
    this.#signals = this.queues.map(() => new QueueSignals());
    this.#plan(options);
  }

  override setStatus(status: number): number {
    // Features that need others are refused without them (§5.1.3.1).
    const wants = (status & STATUS.FEATURES_OK) !== 0 && (this.status & STATUS.FEATURES_OK) === 0;
    const allowed = wants && !this.#consistent() ? status & ~STATUS.FEATURES_OK : status;
    const result = super.setStatus(allowed);
    if (wants && (result & STATUS.FEATURES_OK) !== 0) this.#negotiated();
    return result;
  }

  /** Puts a frame on the cable; its flow is remembered for what comes back. */
  sendFrame(pair: number, bytes: Uint8Array, offset: number, length: number): number {
    if (this.#steering.learns) {
      const view = this.#view;
      view.parse(bytes.subarray(offset, offset + length), length);
      this.#steering.sent(view.flowHash(), pair);
    }
    return this.#port.cable.send(bytes, offset, length);
  }

  setPairs(pairs: number): void {
    this.#steering.setPairs(pairs);
  }

  setRss(table: RssTable): void {
    this.#steering.setTable(table);
  }

  setHash(types: number, key: Uint8Array): void {
    this.hasher.set(types, key);
  }

  isUsable(pair: number): boolean {
    return this.#receive[pair]?.usable ?? false;
  }

  statisticsOf(queue: number): QueueStatistics | null {
    if (this.queueSetup(queue) === null) return null;
    const { notifications, interrupts } = this.#signals[queue];
    if (queue === this.#controlIndex()) {
      // The command that asks has come, and is obeyed.
      return { type: NET_STATS.CVQ, counters: [this.#commands, this.#obeyed + 1] };
    }
    if (queue % 2 === 0) {
      const { frames, bytes, missed, overruns } = this.#receive[queue / 2];
      const counters = [notifications, frames, bytes, interrupts, missed, overruns];
      return { type: NET_STATS.RX_BASIC, counters };
    }
    const { framesSent, bytesSent, dropped, malformed } = this.#transmit[(queue - 1) / 2];
    const counters = [notifications, framesSent, bytesSent, interrupts, dropped, malformed];
    return { type: NET_STATS.TX_BASIC, counters };
  }

  override available(queue: number): void {
    if (queue < this.#signals.length) this.#signals[queue].notifications++;
    super.available(queue);
  }

  override notifyUsed(queue: number): void {
    // Administration virtqueues have no counters.
    if (queue < this.#signals.length) this.#signals[queue].interrupts++;
    super.notifyUsed(queue);
  }

  setMac(mac: number): void {
    this.filter.mac = mac;
    writeMac(this.config, NET_CONFIG.mac, mac);
    this.configGeneration = (this.configGeneration + 1) >>> 0;
  }

  setGuestOffloads(offloads: bigint): void {
    this.agreement.setOffloads(offloads);
  }

  /** The driver has taken notice of ANNOUNCE. */
  announced(): void {
    this.config[NET_CONFIG.status] &= ~NET_S.ANNOUNCE;
    this.configGeneration = (this.configGeneration + 1) >>> 0;
  }

  deliver(what: number): void {
    if (what === ANNOUNCE) {
      if ((this.driverFeatures & NET_F.GUEST_ANNOUNCE) === 0n) return;
      this.config[NET_CONFIG.status] |= NET_S.ANNOUNCE;
    } else {
      this.linkUp = what === LINK_UP;
      if (this.linkUp) this.config[NET_CONFIG.status] |= NET_S.LINK_UP;
      else this.config[NET_CONFIG.status] &= ~NET_S.LINK_UP;
    }
    this.configChanged(NET_CONFIG.status, 2);
  }

  networkStatistics(): Statistics {
    return this.#port.cable.statistics();
  }

  override statistics(): Statistics {
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    return {
      ...super.statistics(),
      packetsSent: sum(this.#transmit.map(({ packets }) => packets)),
      packetsDropped: sum(this.#transmit.map(({ dropped }) => dropped)),
      received: sum(this.#receive.map(({ frames }) => frames)),
      pairsUsed: this.#receive.filter(({ frames }) => frames > 0).length,
      joined: sum(this.#receive.map(({ joined }) => joined)),
      missed: sum(this.#receive.map(({ missed }) => missed)),
      filtered: this.#filtered,
      unheard: this.#unheard,
    };
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    const { index } = queue;
    if (index === this.#controlIndex()) this.#control.fetch(queue, chain);
    else if (index % 2 === 0) this.#receive[index / 2].accept(chain);
    else this.#transmit[(index - 1) / 2].accept(chain);
  }

  protected forget(queue: QueueEngine): void {
    const { index } = queue;
    // The control queue has a number that is a receive queue's in the other layout.
    this.#control.forget(queue);
    if (index % 2 === 0) this.#receive[index / 2]?.forget();
    else this.#transmit[(index - 1) / 2].forget();
    this.coalescing?.disabled(index);
  }

  #controlIndex(): number {
    // Without MQ and RSS there is one pair, however many the device has (§5.1.2).
    const many = (this.driverFeatures & (NET_F.MQ | NET_F.RSS)) !== 0n;
    return controlQueue(many ? this.pairsMax : 1);
  }

  #consistent(): boolean {
    return NET_F_REQUIRES.every(
      ({ feature, needs }) =>
        (this.driverFeatures & feature) === 0n || (this.driverFeatures & needs) !== 0n,
    );
  }

  #negotiated(): void {
    const has = (feature: bigint) => (this.driverFeatures & feature) !== 0n;
    this.agreement.negotiate(this.driverFeatures);
    this.filter.anyGroup = !has(NET_F.CTRL_RX);
    this.filter.vlans = has(NET_F.CTRL_VLAN) ? new Set() : null;
  }

  /** Buffers for frames are kept: they wait for the cable. */
  override keeps({ index }: QueueEngine): number {
    if (index === this.#controlIndex() || index % 2 !== 0) return 0;
    return this.#receive[index / 2].bufferCount;
  }

  /** Frames that came meanwhile have waited. */
  protected override resumed(): void {
    for (const queue of this.#receive) queue.resumed();
  }

  protected override wasReset(): void {
    this.#steering.setPairs(1);
    this.hasher.clear();
    this.filter.reset(this.#mac);
    this.agreement.negotiate(0n);
    this.coalescing?.reset();
    writeMac(this.config, NET_CONFIG.mac, this.#mac);
  }

  /** A frame has come in whole. */
  #arrived(bytes: Uint8Array, length: number): void {
    if (!this.linkUp || (this.status & (STATUS.DRIVER_OK | STATUS.SUSPEND)) === 0) {
      this.#unheard++;
      return;
    }
    const view = this.#view;
    const whole = view.parse(bytes, length) && length <= this.mtu + ETHERNET_HEADER + VLAN_TAG;
    if (!whole || !this.filter.accepts(readMac(bytes, ETHER.destination), view.vlan)) {
      this.#filtered++;
      return;
    }
    const pair = this.#steering.pairFor(bytes, view, this.#usable);
    if (pair >= 0) this.#receive[pair].arrived(bytes, length);
    else this.#unheard++;
  }

  #command(request: FetchedRequest): void {
    const { bytes, length, refused } = request;
    const chain = request.chain!;
    const queue = request.queue!;
    const result = this.#result;
    this.#commands++;
    const heard = !refused && chain.writableBytes > 0;
    // A result that has no room is none.
    const obeyed =
      heard && obey(this, bytes, length, result) && chain.writableBytes > result.length;
    if (obeyed) this.#obeyed++;
    this.#ack[0] = obeyed ? NET_OK : NET_ERR;
    let written = scatter(this.dma, chain, 0, this.#ack, 0, 1);
    if (obeyed) written += scatter(this.dma, chain, 1, result.bytes, 0, result.length);
    this.#control.release(request);
    if (!queue.complete(chain, written)) queue.fail();
  }

  /** Schedules what the scenario says happens to the cable. */
  #plan({ linkDownAt, linkDownFor, announceAt }: NetOptions): void {
    const { kernel } = this.node;
    const id = this.node.add(this);
    if (linkDownAt !== undefined) {
      kernel.schedule(id, linkDownAt, LINK_DOWN);
      kernel.schedule(id, linkDownAt + linkDownFor, LINK_UP);
    }
    if (announceAt !== undefined) kernel.schedule(id, announceAt, ANNOUNCE);
  }
}

const SEGMENTATION =
  NET_F.HOST_TSO4 | NET_F.HOST_TSO6 | NET_F.HOST_ECN | NET_F.HOST_USO | NET_F.GUEST_HDRLEN;
const GUEST_SEGMENTATION =
  NET_F.GUEST_TSO4 | NET_F.GUEST_TSO6 | NET_F.GUEST_ECN | NET_F.GUEST_USO4 | NET_F.GUEST_USO6;

/** The feature bits that these options offer. */
export function featuresOf(options: NetOptions): bigint {
  const { checksum, segmentation, receiveMerging, mergeable, queues } = options;
  const coalesces = options.coalesceReceive !== undefined || options.coalesceTransmit !== undefined;
  return (
    NET_F.MTU |
    NET_F.MAC |
    NET_F.STATUS |
    NET_F.SPEED_DUPLEX |
    NET_F.CTRL_VQ |
    NET_F.CTRL_RX |
    NET_F.CTRL_RX_EXTRA |
    NET_F.CTRL_VLAN |
    NET_F.CTRL_MAC_ADDR |
    NET_F.GUEST_ANNOUNCE |
    (checksum ? NET_F.CSUM | NET_F.GUEST_CSUM | NET_F.CTRL_GUEST_OFFLOADS : 0n) |
    (checksum && segmentation ? SEGMENTATION : 0n) |
    (checksum && receiveMerging ? GUEST_SEGMENTATION : 0n) |
    (mergeable ? NET_F.MRG_RXBUF : 0n) |
    (queues > 1 ? NET_F.MQ : 0n) |
    (options.deviceStats ? NET_F.DEVICE_STATS : 0n) |
    (options.rss ? NET_F.RSS : 0n) |
    (options.hashReport ? NET_F.HASH_REPORT : 0n) |
    (coalesces ? NET_F.NOTF_COAL | NET_F.VQ_NOTF_COAL : 0n)
  );
}

function configSpace(options: NetOptions, mac: number, rate: number): Uint8Array {
  const hashes = options.rss || options.hashReport;
  const config = new Uint8Array(hashes ? NET_CONFIG_HASH_SIZE : NET_CONFIG_SIZE);
  const view = new DataView(config.buffer);
  writeMac(config, NET_CONFIG.mac, mac);
  view.setUint16(NET_CONFIG.status, NET_S.LINK_UP, true);
  view.setUint16(NET_CONFIG.maxPairs, options.queues, true);
  view.setUint16(NET_CONFIG.mtu, options.mtu, true);
  view.setUint32(NET_CONFIG.speed, Math.max(1, Math.round(rate / MBIT_PER_S)), true);
  view.setUint8(NET_CONFIG.duplex, NET_DUPLEX_FULL);
  if (!hashes) return config;
  view.setUint8(NET_CONFIG.rssMaxKeySize, NET_RSS_KEY_MAX);
  view.setUint16(NET_CONFIG.rssMaxTableLength, options.rss ? NET_RSS_TABLE_MAX : 0, true);
  view.setUint32(NET_CONFIG.hashTypes, HASH_TYPES, true);
  return config;
}
