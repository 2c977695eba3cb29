// What a scenario may say of a network device, and of the guest's interface on it.
import { z } from 'zod';
import { PS_PER_US } from '../../platform/kernel/index.ts';
import { isGroupMac, parseIp, parseMac } from '../../platform/network/index.ts';
import { size, time } from '../../platform/scenario/fields.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';
import { COALESCING_USECS_MAX } from './coalescer.ts';

/** Queue pairs at the most; the specification allows 32768. */
const PAIRS_MAX = 64;

/** True for the text of a group address. */
function isGroupText(text: string): boolean {
  const mac = parseMac(text);
  return mac !== null && isGroupMac(mac);
}

const coalescing = (what: string) =>
  z
    .strictObject({
      packets: z.int().min(1).max(0xffff_ffff),
      time: time({ min: PS_PER_US, max: COALESCING_USECS_MAX * PS_PER_US }),
    })
    .optional()
    .describe(`Offer NOTF_COAL; the guest asks for notifications of ${what} to wait.`);

export const netOptions = z.strictObject({
  network: z.string().describe('Network that its cable is plugged into.'),
  mac: z
    .string()
    .refine((text) => parseMac(text) !== null, 'a MAC address is written 02:00:00:00:00:01')
    .optional()
    .describe('Its address; by default one that is made from its place in the scenario.'),
  address: z
    .string()
    .refine((text) => parseIp(text)?.length === 4, 'an IPv4 address is written 10.0.0.1')
    .optional()
    .describe('IPv4 address that the guest gives its interface; by default made likewise.'),
  ipv6: z
    .boolean()
    .default(false)
    .describe('The guest gives its interface an IPv6 address, too: one made of the MAC address.'),
  vlan: z
    .int()
    .min(1)
    .max(4094)
    .optional()
    .describe('VLAN in which the guest sends and receives; without it, frames have no tag.'),
  promiscuous: z
    .boolean()
    .default(false)
    .describe('The guest asks for all frames, whomever they are for.'),
  groups: z
    .array(z.string().refine(isGroupText, 'a group address is written 01:00:5e:00:00:09'))
    .max(64)
    .default([])
    .describe('Group addresses of which the guest asks for the frames.'),
  mtu: z.int().min(576).max(9216).default(1500).describe('Largest IP packet on its cable.'),
  queues: z
    .int()
    .min(1)
    .max(PAIRS_MAX)
    .default(1)
    .describe('Pairs of receive and transmit queues.'),
  queueSize: queueSize({ min: 16 }).default(256).describe('Largest size of each queue.'),
  ...commonOptions,
  ...inOrderOption,
  checksum: z.boolean().default(true).describe('Offer CSUM and GUEST_CSUM.'),
  segmentation: z
    .boolean()
    .default(true)
    .describe('Offer HOST_TSO4, HOST_TSO6, HOST_ECN and HOST_USO; needs `checksum`.'),
  receiveMerging: z
    .boolean()
    .default(false)
    .describe('Offer GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_USO4, GUEST_USO6; needs `checksum`.'),
  mergeTime: time()
    .default(0)
    .describe('How long a frame waits for more to be joined with it; 0: for those that are there.'),
  rss: z.boolean().default(false).describe('Offer RSS: the guest spreads flows by a table.'),
  hashReport: z.boolean().default(false).describe('Offer HASH_REPORT; the guest checks each hash.'),
  deviceStats: z
    .boolean()
    .default(false)
    .describe('Offer DEVICE_STATS; at the end of each workload, the driver asks for them.'),
  mergeable: z.boolean().default(true).describe('Offer MRG_RXBUF.'),
  coalesceReceive: coalescing('received packets'),
  coalesceTransmit: coalescing('sent packets'),
  receiveBuffer: size({ min: 16_384 })
    .default(262_144)
    .describe('Frames that wait for a receive queue at the most; more are lost.'),
  linkDownAt: time().optional().describe('Instant at which its cable is pulled.'),
  linkDownFor: time({ min: 1 })
    .prefault('1ms')
    .describe('Time until the cable is back, with `linkDownAt` only.'),
  announceAt: time()
    .optional()
    .describe('Instant at which it asks its driver to announce itself, as after a migration.'),
});

export type NetOptions = z.output<typeof netOptions>;
