// The mailbox bus as a row of the table of buses.
import type { BusEnvironment, BusPlan, Finding } from '../../platform/contracts/index.ts';
import { PAGE_SIZE } from '../../platform/node/index.ts';
import { codec } from '../../platform/virtio/messages/index.ts';
import {
  checkHotPlug,
  checkMessageSize,
  defineMessageBus,
  inBandMessages,
  linkEnds,
} from '../common/index.ts';
import { MailboxDeviceLink } from './device-link.ts';
import { MailboxDriverLink } from './driver-link.ts';
import { type MailboxOptions, mailboxOptions } from './options.ts';
import { sharedArea } from './shared-area.ts';
import { mailboxTiming } from './timing.ts';

export const mailbox = defineMessageBus({
  type: 'mailbox',
  doc: 'Two unlike cores of one chip: a hardware message unit, small static queues, a carve-out.',
  spec: 'open-amp virtio-msg with static queues, as on STM32MP157; messages of the revision',
  options: mailboxOptions,
  timing: mailboxTiming,
  latencies: ['mailbox.carveOutLatency', 'mailbox.signal'],
  messages: codec('v1', inBandMessages).names,
  ownMessages: { inBand: inBandMessages },
  hotPlug: true,
  check: (plan, topology) => [
    ...checkMessageSize(plan as BusPlan),
    ...checkHotPlug(plan as BusPlan, topology),
    ...checkCarveOut(plan as BusPlan),
  ],
  ...linkEnds({
    requestTimeout: 'mailbox.requestTimeout',
    statusPoll: 'mailbox.statusPoll',
    room: ({ elements }: MailboxOptions) => elements - 1,
    driverLink: (environment: BusEnvironment<MailboxOptions>, client) =>
      new MailboxDriverLink(environment, client),
    deviceLink: (environment, client) => new MailboxDeviceLink(environment, client),
  }),
});

/** The queues must leave at least a page for virtqueues. */
function checkCarveOut({ options }: BusPlan): readonly Finding[] {
  const { carveOut } = options as MailboxOptions;
  const { size } = sharedArea(options as MailboxOptions);
  if (Math.ceil(size / PAGE_SIZE) * PAGE_SIZE < carveOut) return [];
  const message = `the queues take ${size} of the ${carveOut} bytes of the carve-out`;
  return [{ field: 'carveOut', message, expected: 'a page more than that at least' }];
}
