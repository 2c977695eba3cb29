// The commands of the control queue (virtio 1.4 §5.1.6.5): class, command, data; the answer is a byte.
// A command that was not negotiated, or makes no sense, is answered with an error and changes nothing.
import { isGroupMac, readMac } from '../../platform/network/index.ts';
import {
  NET_CTRL,
  NET_CTRL_ANNOUNCE,
  NET_CTRL_GUEST_OFFLOADS,
  NET_CTRL_MAC,
  NET_CTRL_MQ,
  NET_CTRL_NOTF_COAL,
  NET_CTRL_RX,
  NET_CTRL_STATS,
  NET_CTRL_VLAN,
  NET_F,
  NET_GUEST_OFFLOADS,
  NET_RSS_KEY_MAX,
  NET_RSS_TABLE_MAX,
  netCoalescing,
  netRssStart,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import { COALESCING_USECS_MAX, type CoalescingTable } from './coalescer.ts';
import { answerStatistics, type QueueStatistics, supportedStatistics } from './queue-statistics.ts';
import type { ReceiveFilter } from './receive-filter.ts';
import type { RssTable } from './steering.ts';

const VLAN_MAX = 4095;
const MAC_SIZE = 6;

/** What commands change. */
export interface ControlTarget {
  readonly driverFeatures: bigint;
  readonly filter: ReceiveFilter;
  readonly pairsMax: number;
  /** Null unless it is offered. */
  readonly coalescing: CoalescingTable | null;
  /** Hashes that are supported, as a mask of their types; 0 for none. */
  readonly hashTypes: number;
  setPairs(pairs: number): void;
  setRss(table: RssTable): void;
  /** What is hashed, and under which key. */
  setHash(types: number, key: Uint8Array): void;
  /** True when the driver has set up the receive queue of a pair. */
  isUsable(pair: number): boolean;
  /** What is counted of a queue; null when there is none that is set up. */
  statisticsOf(queue: number): QueueStatistics | null;
  setMac(mac: number): void;
  /** Offloads of received packets, as feature bits; each of them is negotiated. */
  setGuestOffloads(offloads: bigint): void;
  announced(): void;
}

/** Room for what a command returns behind its answer. */
export class CommandResult {
  bytes: Uint8Array = new Uint8Array(8);
  length = 0;

  set(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.length = bytes.length;
  }
}

/** Obeys a command. Returns false when it could not. */
export function obey(
  target: ControlTarget,
  bytes: Uint8Array,
  length: number,
  result: CommandResult,
): boolean {
  result.length = 0;
  if (length < 2) return false;
  const [type, command] = bytes;
  const data = bytes.subarray(2, length);
  const { driverFeatures } = target;
  const has = (feature: bigint) => (driverFeatures & feature) !== 0n;
  switch (type) {
    case NET_CTRL.RX:
      return receiveMode(target.filter, command, data, has);
    case NET_CTRL.MAC:
      if (command === NET_CTRL_MAC.TABLE_SET) {
        return has(NET_F.CTRL_RX) && setMacTable(target.filter, data);
      }
      if (command !== NET_CTRL_MAC.ADDR_SET || !has(NET_F.CTRL_MAC_ADDR)) return false;
      if (data.length !== MAC_SIZE || isGroupMac(readMac(data, 0))) return false;
      target.setMac(readMac(data, 0));
      return true;
    case NET_CTRL.VLAN:
      return has(NET_F.CTRL_VLAN) && setVlan(target.filter, command, data);
    case NET_CTRL.ANNOUNCE:
      if (command !== NET_CTRL_ANNOUNCE.ACK || !has(NET_F.GUEST_ANNOUNCE)) return false;
      target.announced();
      return true;
    case NET_CTRL.MQ:
      return setSteering(target, command, data);
    case NET_CTRL.GUEST_OFFLOADS:
      if (command !== NET_CTRL_GUEST_OFFLOADS.SET || !has(NET_F.CTRL_GUEST_OFFLOADS)) return false;
      return setOffloads(target, data);
    case NET_CTRL.NOTF_COAL:
      return (
        target.coalescing !== null && coalesce(target.coalescing, { command, data, result, has })
      );
    case NET_CTRL.STATS:
      return has(NET_F.DEVICE_STATS) && tellStatistics(target, { command, data, result });
    default:
      return false;
  }
}

function tellStatistics(
  target: ControlTarget,
  { command, data, result }: Omit<CoalescingCommand, 'has'>,
): boolean {
  if (command === NET_CTRL_STATS.QUERY) {
    const types = new Uint8Array(8);
    new DataView(types.buffer).setBigUint64(0, supportedStatistics(), true);
    result.set(types);
    return true;
  }
  if (command !== NET_CTRL_STATS.GET) return false;
  const answer = answerStatistics(data, (queue) => target.statisticsOf(queue));
  if (answer !== null) result.set(answer);
  return answer !== null;
}

function receiveMode(
  filter: ReceiveFilter,
  command: number,
  data: Uint8Array,
  has: (feature: bigint) => boolean,
): boolean {
  const basic = command === NET_CTRL_RX.PROMISC || command === NET_CTRL_RX.ALLMULTI;
  if (!has(basic ? NET_F.CTRL_RX : NET_F.CTRL_RX_EXTRA)) return false;
  if (data.length !== 1 || data[0] > 1) return false;
  const on = data[0] === 1;
  switch (command) {
    case NET_CTRL_RX.PROMISC:
      filter.promiscuous = on;
      return true;
    case NET_CTRL_RX.ALLMULTI:
      filter.allMulticast = on;
      return true;
    case NET_CTRL_RX.ALLUNI:
      filter.allUnicast = on;
      return true;
    case NET_CTRL_RX.NOMULTI:
      filter.noMulticast = on;
      return true;
    case NET_CTRL_RX.NOUNI:
      filter.noUnicast = on;
      return true;
    case NET_CTRL_RX.NOBCAST:
      filter.noBroadcast = on;
      return true;
    default:
      return false;
  }
}

/** Two tables, each a count and addresses: first single stations, then groups. */
function setMacTable(filter: ReceiveFilter, data: Uint8Array): boolean {
  const unicast = readMacs(data, 0);
  if (unicast === null || unicast.some(isGroupMac)) return false;
  const multicast = readMacs(data, 4 + unicast.length * MAC_SIZE);
  if (multicast === null || !multicast.every(isGroupMac)) return false;
  filter.setTable(unicast, multicast);
  return true;
}

function readMacs(data: Uint8Array, at: number): number[] | null {
  if (at + 4 > data.length) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = view.getUint32(at, true);
  if (at + 4 + count * MAC_SIZE > data.length) return null;
  return Array.from({ length: count }, (_, i) => readMac(data, at + 4 + i * MAC_SIZE));
}

function setVlan(filter: ReceiveFilter, command: number, data: Uint8Array): boolean {
  if (data.length !== 2) return false;
  const vlan = readU16(data, 0);
  if (vlan > VLAN_MAX || filter.vlans === null) return false;
  if (command === NET_CTRL_VLAN.ADD) filter.vlans.add(vlan);
  else if (command === NET_CTRL_VLAN.DEL) filter.vlans.delete(vlan);
  else return false;
  return true;
}

function setSteering(target: ControlTarget, command: number, data: Uint8Array): boolean {
  const has = (feature: bigint) => (target.driverFeatures & feature) !== 0n;
  switch (command) {
    case NET_CTRL_MQ.VQ_PAIRS_SET:
      return has(NET_F.MQ) && setPairs(target, data);
    case NET_CTRL_MQ.RSS_CONFIG:
      return has(NET_F.RSS) && setRss(target, data);
    case NET_CTRL_MQ.HASH_CONFIG:
      return has(NET_F.HASH_REPORT) && setHash(target, data);
    default:
      return false;
  }
}

/** Types, reserved words in the place of the table, key length, key. */
function setHash(target: ControlTarget, data: Uint8Array): boolean {
  const KEY_LENGTH = 12;
  if (data.length <= KEY_LENGTH) return false;
  const types = readU32(data, 0);
  if ((types & ~target.hashTypes) !== 0) return false;
  const key = readKey(data, KEY_LENGTH);
  if (key === null) return false;
  target.setHash(types, key);
  return true;
}

/** Types, mask, queue for what has no hash, table, number of transmit queues, key length, key. */
function setRss(target: ControlTarget, data: Uint8Array): boolean {
  const start = netRssStart.fixedSize;
  if (data.length < start) return false;
  const { hashTypes, tableMask, unclassifiedPair } = netRssStart.decode(data, 0, start);
  const length = tableMask + 1;
  const end = start + 2 * length;
  if (length > NET_RSS_TABLE_MAX || (length & tableMask) !== 0) return false;
  if ((hashTypes & ~target.hashTypes) !== 0 || data.length <= end + 2) return false;
  const pairs = Uint16Array.from({ length }, (_, i) => readU16(data, start + 2 * i));
  const transmitQueues = readU16(data, end);
  const key = readKey(data, end + 2);
  if (key === null || transmitQueues < 1 || transmitQueues > target.pairsMax) return false;
  if (![...pairs, unclassifiedPair].every((pair) => target.isUsable(pair))) return false;
  target.setHash(hashTypes, key);
  target.setRss({ pairs, unclassified: unclassifiedPair });
  return true;
}

/** The key whose length is at `at`; null when it is too long or not there. */
function readKey(data: Uint8Array, at: number): Uint8Array | null {
  const length = data[at];
  if (length > NET_RSS_KEY_MAX || data.length !== at + 1 + length) return null;
  return data.slice(at + 1);
}

function setPairs(target: ControlTarget, data: Uint8Array): boolean {
  if (data.length !== 2) return false;
  const pairs = readU16(data, 0);
  if (pairs < 1 || pairs > target.pairsMax) return false;
  target.setPairs(pairs);
  return true;
}

function setOffloads(target: ControlTarget, data: Uint8Array): boolean {
  if (data.length !== 8) return false;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offloads = view.getBigUint64(0, true);
  if ((offloads & ~(NET_GUEST_OFFLOADS & target.driverFeatures)) !== 0n) return false;
  target.setGuestOffloads(offloads);
  return true;
}

interface CoalescingCommand {
  readonly command: number;
  readonly data: Uint8Array;
  readonly result: CommandResult;
  has(feature: bigint): boolean;
}

/** Bytes before the setting in commands for one queue: its number, and two that are ignored. */
const QUEUE_NUMBER = 4;

function coalesce(
  table: CoalescingTable,
  { command, data, result, has }: CoalescingCommand,
): boolean {
  const { TX_SET, RX_SET, VQ_SET, VQ_GET } = NET_CTRL_NOTF_COAL;
  const all = command === TX_SET || command === RX_SET;
  if (!has(all ? NET_F.NOTF_COAL : NET_F.VQ_NOTF_COAL)) return false;
  if (command === VQ_GET) {
    const setting = data.length < QUEUE_NUMBER ? null : table.get(readU16(data, 0));
    if (setting === null) return false;
    const bytes = new Uint8Array(netCoalescing.fixedSize);
    netCoalescing.encode(setting, bytes, 0);
    result.set(bytes);
    return true;
  }
  const at = all ? 0 : QUEUE_NUMBER;
  if (data.length !== at + netCoalescing.fixedSize) return false;
  const setting = netCoalescing.decode(data, at, netCoalescing.fixedSize);
  if (setting.maxUsecs > COALESCING_USECS_MAX) return false;
  if (command === VQ_SET) return table.set(readU16(data, 0), setting);
  if (all) table.setAll(command === RX_SET, setting);
  return all;
}
