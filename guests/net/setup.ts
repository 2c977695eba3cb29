// What the driver tells a network device first, before anybody uses the network: what the scenario wishes, what
// the stack must hear, and how flows are spread over queues.
import { parseMac } from '../../platform/network/index.ts';
import { NET_F } from '../../platform/virtio/index.ts';
import {
  addVlan,
  type CoalescingWish,
  coalesce,
  type Hashing,
  hearAll,
  hearGroups,
  reportHashes,
  spreadFlows,
  usePairs,
} from './commands.ts';
import type { Command } from './control-channel.ts';

/** What a scenario says of the guest's interface, among the options of the device. */
export interface Wishes {
  readonly vlan?: number;
  readonly ipv6?: boolean;
  readonly promiscuous?: boolean;
  readonly groups?: readonly string[];
  readonly coalesceReceive?: CoalescingWish;
  readonly coalesceTransmit?: CoalescingWish;
}

export interface Setup {
  readonly wishes: Wishes;
  /** Groups that the stack must hear, as MAC addresses. */
  readonly groups: readonly number[];
  /** Pairs to be used. */
  readonly pairs: number;
  /** Null when nothing is hashed. */
  readonly hashing: Hashing | null;
  /** Entries of the table that says which pair a flow goes to. */
  readonly tableLength: number;
  /** True when one of these features is in force. */
  has(features: bigint): boolean;
}

/** A command, and whether it is the one that sets the number of pairs. */
export type FirstCommand = Command & { readonly setsPairs?: true };

export function firstCommands(setup: Setup): FirstCommand[] {
  const { coalesceReceive, coalesceTransmit, promiscuous, vlan } = setup.wishes;
  const commands: FirstCommand[] = [];
  if (setup.has(NET_F.NOTF_COAL)) {
    if (coalesceReceive !== undefined) commands.push(coalesce(true, coalesceReceive));
    if (coalesceTransmit !== undefined) commands.push(coalesce(false, coalesceTransmit));
  }
  if (setup.has(NET_F.CTRL_RX)) {
    const wished = (setup.wishes.groups ?? []).map((text) => parseMac(text)!);
    const groups = [...setup.groups, ...wished];
    if (groups.length > 0) commands.push(hearGroups(groups));
    if (promiscuous === true) commands.push(hearAll());
  }
  if (vlan !== undefined && setup.has(NET_F.CTRL_VLAN)) commands.push(addVlan(vlan));
  return [...commands, ...steering(setup)];
}

function steering({ hashing, pairs, tableLength, has }: Setup): FirstCommand[] {
  const spreads = hashing !== null && has(NET_F.RSS);
  const commands: FirstCommand[] = [];
  if (hashing !== null && !spreads) commands.push(reportHashes(hashing));
  if (!has(NET_F.MQ | NET_F.RSS) || pairs === 1) return commands;
  const steer = spreads ? spreadFlows(hashing, pairs, tableLength) : usePairs(pairs);
  return [...commands, { ...steer, setsPairs: true }];
}
