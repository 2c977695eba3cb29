// What the driver tells a network device once it is there, as bytes of commands (virtio 1.4 §5.1.6.5).
import { PS_PER_US } from '../../platform/kernel/index.ts';
import { writeMac } from '../../platform/network/index.ts';
import {
  NET_CTRL,
  NET_CTRL_MAC,
  NET_CTRL_MQ,
  NET_CTRL_NOTF_COAL,
  NET_CTRL_RX,
  NET_CTRL_STATS,
  NET_CTRL_VLAN,
  netCoalescing,
  netRssStart,
  netStatsQuestion,
} from '../../platform/virtio/index.ts';
import { writeU16, writeU32 } from '../../platform/wire/index.ts';
import type { Command } from './control-channel.ts';

const MAC_SIZE = 6;

/** How long notifications may wait: for so many packets, or so many ps. */
export interface CoalescingWish {
  readonly packets: number;
  readonly time: number;
}

/** Asks for notifications of received or of sent packets to wait. */
export function coalesce(receive: boolean, { packets, time }: CoalescingWish): Command {
  const data = new Uint8Array(netCoalescing.fixedSize);
  const maxUsecs = Math.round(time / PS_PER_US);
  netCoalescing.encode({ maxPackets: packets, maxUsecs }, data, 0);
  const { RX_SET, TX_SET } = NET_CTRL_NOTF_COAL;
  return { type: NET_CTRL.NOTF_COAL, command: receive ? RX_SET : TX_SET, data };
}

/** Asks for all frames, or no longer, whomever they are for. */
export function hearAll(on = true): Command {
  return { type: NET_CTRL.RX, command: NET_CTRL_RX.PROMISC, data: Uint8Array.of(on ? 1 : 0) };
}

/** Asks for all frames to groups, or no longer. */
export function hearAllGroups(on: boolean): Command {
  return { type: NET_CTRL.RX, command: NET_CTRL_RX.ALLMULTI, data: Uint8Array.of(on ? 1 : 0) };
}

/** Asks for frames to these group addresses, and to no other stations than the own. */
export function hearGroups(groups: readonly number[]): Command {
  const COUNT = 4;
  const data = new Uint8Array(2 * COUNT + groups.length * MAC_SIZE);
  writeU32(data, COUNT, groups.length);
  for (const [i, group] of groups.entries()) writeMac(data, 2 * COUNT + i * MAC_SIZE, group);
  return { type: NET_CTRL.MAC, command: NET_CTRL_MAC.TABLE_SET, data };
}

/** Asks for frames of a VLAN. */
export function addVlan(vlan: number): Command {
  return { type: NET_CTRL.VLAN, command: NET_CTRL_VLAN.ADD, data: little16(vlan) };
}

/** Asks for frames of a VLAN no longer. */
export function removeVlan(vlan: number): Command {
  return { type: NET_CTRL.VLAN, command: NET_CTRL_VLAN.DEL, data: little16(vlan) };
}

/** Asks for automatic steering to so many pairs. */
export function usePairs(pairs: number): Command {
  return { type: NET_CTRL.MQ, command: NET_CTRL_MQ.VQ_PAIRS_SET, data: little16(pairs) };
}

/** What is hashed, as a mask of types, and under which key. */
export interface Hashing {
  readonly types: number;
  readonly key: Uint8Array;
}

/** Asks for hashes of packets, with automatic steering. */
export function reportHashes({ types, key }: Hashing): Command {
  const KEY_LENGTH = 12;
  const data = new Uint8Array(KEY_LENGTH + 1 + key.length);
  writeU32(data, 0, types);
  data[KEY_LENGTH] = key.length;
  data.set(key, KEY_LENGTH + 1);
  return { type: NET_CTRL.MQ, command: NET_CTRL_MQ.HASH_CONFIG, data };
}

/** Asks for flows to be spread evenly over so many pairs, by a table of `length` entries. */
export function spreadFlows({ types, key }: Hashing, pairs: number, length: number): Command {
  const start = netRssStart.fixedSize;
  const end = start + 2 * length;
  const data = new Uint8Array(end + 3 + key.length);
  netRssStart.encode({ hashTypes: types, tableMask: length - 1, unclassifiedPair: 0 }, data, 0);
  for (let i = 0; i < length; i++) writeU16(data, start + 2 * i, i % pairs);
  writeU16(data, end, pairs);
  data[end + 2] = key.length;
  data.set(key, end + 3);
  return { type: NET_CTRL.MQ, command: NET_CTRL_MQ.RSS_CONFIG, data };
}

/** Asks which types of statistics the device has. */
export function askStatisticsTypes(): Command {
  const data = new Uint8Array(0);
  return { type: NET_CTRL.STATS, command: NET_CTRL_STATS.QUERY, data, room: 8 };
}

/** Asks for one type of statistics of each of some queues; `room` is that of the answer. */
export function askStatistics(
  questions: readonly { readonly vqIndex: number; readonly type: number }[],
  room: number,
): Command {
  const { fixedSize } = netStatsQuestion;
  const data = new Uint8Array(questions.length * fixedSize);
  for (const [i, { vqIndex, type }] of questions.entries()) {
    netStatsQuestion.encode({ vqIndex, types: 1n << BigInt(type) }, data, i * fixedSize);
  }
  return { type: NET_CTRL.STATS, command: NET_CTRL_STATS.GET, data, room };
}

function little16(value: number): Uint8Array {
  const data = new Uint8Array(2);
  writeU16(data, 0, value);
  return data;
}
