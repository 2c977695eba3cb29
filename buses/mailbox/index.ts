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
import { ALPHA_SIZE, AlphaDeviceLink, AlphaDriverLink, CONFIG_BYTES } from './alpha/index.ts';
import { MailboxDeviceLink } from './device-link.ts';
import { MailboxDriverLink } from './driver-link.ts';
import { type MailboxOptions, mailboxOptions } from './options.ts';
import { sharedArea } from './shared-area.ts';
import { mailboxTiming } from './timing.ts';

/** Bytes of a message of any revision with as much of the configuration as one of ALPHA has. */
const ALPHA_MESSAGE_MAX = 20 + CONFIG_BYTES;

export const mailbox = defineMessageBus({
  type: 'mailbox',
  doc: 'Two unlike cores of one chip: a hardware message unit, small static queues, a carve-out.',
  spec: 'open-amp virtio-msg with static queues, as on STM32MP157; messages of the revision',
  options: mailboxOptions,
  timing: mailboxTiming,
  latencies: ['mailbox.carveOutLatency', 'mailbox.signal'],
  calls: ['doorbells'],
  messages: codec('v1', inBandMessages).names,
  ownMessages: { inBand: inBandMessages },
  hotPlug: true,
  check: (plan, topology) => [
    ...(isAlpha(plan as BusPlan) ? checkAlpha(plan as BusPlan) : checkMessageSize(plan as BusPlan)),
    ...checkHotPlug(plan as BusPlan, topology),
    ...checkCarveOut(plan as BusPlan),
  ],
  ...linkEnds({
    requestTimeout: 'mailbox.requestTimeout',
    statusPoll: 'mailbox.statusPoll',
    room: ({ elements }: MailboxOptions) => elements - 1,
    messageMax: ({ dialect, maxMessageSize }) =>
      dialect === 'alpha' ? ALPHA_MESSAGE_MAX : maxMessageSize,
    driverLink: (environment: BusEnvironment<MailboxOptions>, client) =>
      isAlpha(environment.plan)
        ? new AlphaDriverLink(environment, client, alphaOptions(environment))
        : new MailboxDriverLink(environment, client),
    deviceLink: (environment, client) =>
      isAlpha(environment.plan)
        ? new AlphaDeviceLink(environment, client, ALPHA_MESSAGE_MAX)
        : new MailboxDeviceLink(environment, client),
  }),
});

function isAlpha({ options }: Pick<BusPlan, 'options'>): boolean {
  return options['dialect'] === 'alpha';
}

function alphaOptions({ node }: BusEnvironment<MailboxOptions>) {
  const timeout = node.costs.value(node.costs.idOf('mailbox.requestTimeout'));
  // Whoever waits behind a lost answer must not give up at the same instant.
  return { maxMessageSize: ALPHA_MESSAGE_MAX, timeout: timeout / 2 };
}

/** The messages of 2024 say less than any revision: what they have no word for is refused. */
function checkAlpha({ options }: BusPlan): readonly Finding[] {
  const { maxMessageSize, discovery, pingInterval, deviceNumbers, data } =
    options as MailboxOptions;
  const findings: (Finding | false)[] = [
    maxMessageSize < ALPHA_SIZE && {
      field: 'maxMessageSize',
      message: `messages of ${ALPHA_SIZE} bytes do not fit into ${maxMessageSize}`,
      expected: `${ALPHA_SIZE}B at least`,
    },
    (discovery !== 'static' || pingInterval !== undefined) && {
      field: discovery !== 'static' ? 'discovery' : 'pingInterval',
      message: 'the alpha dialect has no bus messages',
      expected: 'discovery: static, and no pingInterval',
    },
    (deviceNumbers !== '16bit' || data !== 'shared') && {
      field: deviceNumbers !== '16bit' ? 'deviceNumbers' : 'data',
      message: 'the alpha dialect has no such messages',
      expected: 'device numbers of 16 bits and shared data',
    },
  ];
  return findings.filter((finding) => finding !== false);
}

/** The queues must leave at least a page for virtqueues. */
function checkCarveOut({ options }: BusPlan): readonly Finding[] {
  const { carveOut } = options as MailboxOptions;
  const { size } = sharedArea(options as MailboxOptions);
  if (Math.ceil(size / PAGE_SIZE) * PAGE_SIZE < carveOut) return [];
  const message = `the queues take ${size} of the ${carveOut} bytes of the carve-out`;
  return [{ field: 'carveOut', message, expected: 'a page more than that at least' }];
}
