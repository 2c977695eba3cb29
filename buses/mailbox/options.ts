// What a scenario may say of a mailbox bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { count, oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import { dataPath, deviceNumbers, discovery, pingInterval } from '../common/index.ts';

export const mailboxOptions = z.strictObject({
  maxMessageSize: size({ min: 8, max: 264, multipleOf: 4 })
    .prefault('64B')
    .describe('Bytes of an element, which is the largest message.'),
  dialect: oneOfNames(['draft', 'alpha'])
    .default('draft')
    .describe(
      'Messages of the revision, or those of 2024 that open-amp has: 40 bytes, without tokens, and one ' +
        'exchange at a time.',
    ),
  elements: count({ min: 2, max: 64 })
    .default(4)
    .describe('Elements of each queue, of which one stays free (open-amp: 4).'),
  perInterrupt: oneOfNames(['one', 'all'])
    .default('one')
    .describe('Messages taken at one interrupt: one, as open-amp does, or all that are there.'),
  carveOut: size({ min: 8192, max: 2 ** 30, multipleOf: 4096 })
    .prefault('1MiB')
    .describe('Memory that both cores reach: queues in its first page, then that of virtqueues.'),
  readyAfter: time()
    .prefault('0ps')
    .describe('Time from the start of the run until the device side has booted.'),
  quirks: z
    .array(z.enum(['shortStride']))
    .default([])
    .describe(
      'Known defects to have. shortStride: elements lie as many bytes apart as there are elements.',
    ),
  discovery: discovery('static'),
  deviceNumbers: deviceNumbers(),
  data: dataPath(),
  pingInterval: pingInterval(),
});

export type MailboxOptions = z.output<typeof mailboxOptions>;

/** A bus's plan with its options. */
export type MailboxPlan = WithOptions<BusPlan, MailboxOptions>;
