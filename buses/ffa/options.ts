// What a scenario may say of an FF-A bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { SHARING_MODES } from '../../platform/memory/index.ts';
import { count, size, time } from '../../platform/scenario/fields.ts';
import { pingInterval } from '../common/index.ts';
import { DEVICE_ROLE } from './service.ts';

/** x4 … x17 of a direct message could carry 112 bytes; Linux uses 104 of them. */
const REGISTER_BYTES = 112;

/** A UUID; letters are as good in upper case. */
const serviceUuid = () =>
  z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID has 32 hexadecimal digits');

/** Defects of known implementations. */
export const QUIRKS = ['nullAnswers', 'topByteAreas', 'eventTokens', 'abandonedPoll'] as const;

export const ffaOptions = z.strictObject({
  messages: z
    .enum(['direct', 'indirect', 'fifo'])
    .default('direct')
    .describe(
      'How messages move: direct (FFA_MSG_SEND_DIRECT_REQ2, the caller lends its CPU), indirect ' +
        '(FFA_MSG_SEND2 through RX and TX buffers) or fifo (rings in shared pages, notifications).',
    ),
  events: z
    .enum(['notification', 'poll', 'indirect', 'fifo'])
    .optional()
    .describe(
      'How the driver hears of events: a notification or a timer and then EVENT_POLL, or the events ' +
        'themselves by indirect message or FIFO. Default: what suits `messages`.',
    ),
  mediator: z
    .enum(['spmc', 'hypervisor'])
    .default('spmc')
    .describe('Who stands between the ends: the SPMC (normal and secure world) or a hypervisor.'),
  dialect: z
    .enum(['linux', 'optee'])
    .default('linux')
    .describe('Dialect of the bus messages on both ends.'),
  deviceDialect: z
    .enum(['linux', 'optee'])
    .optional()
    .describe("The device end's dialect, where it is another than the driver end's."),
  service: serviceUuid()
    .default(DEVICE_ROLE)
    .describe(
      'UUID of the service that the driver looks for and calls; by default the device role.',
    ),
  deviceService: serviceUuid()
    .optional()
    .describe('UUID of the service that the device end is, where it is another than `service`.'),
  pollInterval: time({ min: 1 })
    .optional()
    .describe(
      'Time between two polls with events: poll. Default: ffa.pollInterval of the profile.',
    ),
  maxMessageSize: size({ min: 8, max: REGISTER_BYTES })
    .default(104)
    .describe('Largest message: 104 B in Linux, 96 B in OP-TEE and Trusty, at most 112 B.'),
  memory: z
    .enum(['handles', 'grants'])
    .default('handles')
    .describe(
      'How the device side reaches memory: by FF-A handles and areas, or by Xen page grants, which need no ' +
        'messages (with mediator: hypervisor).',
    ),
  rings: z
    .enum(SHARING_MODES)
    .default('share')
    .describe(
      'How rings and request headers are given to the partition, which both sides use at the same time: with ' +
        'lend (FFA_MEM_LEND) the driver loses access until it is given back, with donate for good.',
    ),
  buffers: z
    .enum(SHARING_MODES)
    .default('share')
    .describe(
      'How the data of disks is given to the partition. Where it is lent or donated, the VM has it read or ' +
        'written without looking at it.',
    ),
  areaSize: size({ min: 0, multipleOf: 4096 })
    .default(0)
    .describe('Share memory in areas of at least this size; 0 shares each allocation by itself.'),
  pingInterval: pingInterval(),
  reconnect: z
    .boolean()
    .default(true)
    .describe(
      'The driver looks for a partition that it has lost, and goes on with it; otherwise it gives the ' +
        'devices up, as the Linux driver of 2026 does.',
    ),
  resets: z
    .array(time({ min: 1 }))
    .default([])
    .describe('Instants at which the driver resets the bus and sets the session up anew.'),
  eventQueueDepth: count({ min: 1 })
    .default(128)
    .describe('Events that may wait in the partition; more are lost and reported (Linux: 128).'),
  sendQueueDepth: count({ min: 1 })
    .default(128)
    .describe('Indirect messages that may wait for the RX buffer; more are refused (Linux: 128).'),
  quirks: z
    .array(z.enum(QUIRKS))
    .default([])
    .describe(
      'Known defects to have. nullAnswers: the partition answers what it cannot understand with zeroes, ' +
        'which the driver takes for busy (OP-TEE). topByteAreas: the partition looks for the area in the ' +
        'top byte of a bus address (older Trusty). eventTokens: events have tokens of their own, which ' +
        'rfc3 forbids (Linux). abandonedPoll: an EVENT_POLL that fails after a notification is not ' +
        'repeated (Linux).',
    ),
});

export type FfaOptions = z.output<typeof ffaOptions>;

/** How the driver hears of events, with the default of the way that messages move. */
export function eventsOf({ events, messages }: FfaOptions): NonNullable<FfaOptions['events']> {
  return events ?? (messages === 'direct' ? 'notification' : messages);
}

/** A bus's plan with its options. */
export type FfaPlan = WithOptions<BusPlan, FfaOptions>;
