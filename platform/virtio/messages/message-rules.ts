// The rules that one message breaks or keeps by itself, for monitors and tests: headers, padding,
// reserved fields, values that contradict each other. Decoding accepts such messages; this says
// which rule (by the ids of the rule list) a sender broke. It judges and never throws.
import { EVENT_BIT, WireError } from '../../wire/index.ts';
import type { Leg, LooseMessage } from './codec.ts';
import {
  peekDevice,
  peekIsBus,
  peekIsEvent,
  peekIsResponse,
  peekSize,
  peekToken,
  TYPE_MASK,
} from './header.ts';
import type { RevisionInfo } from './revision.ts';
import { QUEUE_STATE_MASK, QueueState } from './table.ts';

/** A rule that a message breaks. */
export interface BrokenRule {
  /** Id in the list of rules, e.g. `HDR-2`. */
  readonly rule: string;
  readonly text: string;
}

type Body = Readonly<Record<string, number | bigint | Uint8Array | readonly number[]>>;

interface BodyCheck {
  readonly rule: string;
  readonly types: readonly string[];
  readonly applies: (info: RevisionInfo) => boolean;
  readonly text: string;
  readonly holds: (body: Body, info: RevisionInfo) => boolean;
}

const always = () => true;
/** Rules that came with the queue flags and the rest of v2. */
const v2Only = ({ rules }: RevisionInfo) => rules.queueEnable === 'byFlags';
const SET_QUEUE_FLAGS = 0x3f;

const bodyChecks: readonly BodyCheck[] = [
  {
    rule: 'INF-2',
    types: ['res.GET_DEVICE_INFO'],
    applies: always,
    text: 'the number of feature bits is no multiple of 32',
    holds: (body) => (body.featureBits as number) % 32 === 0,
  },
  {
    rule: 'INF-3',
    types: ['res.GET_DEVICE_INFO'],
    applies: v2Only,
    text: 'the numbers of queues and admin queues contradict each other',
    holds(body) {
      const most = body.maxVirtqueues as number;
      const start = body.adminStart as number;
      const count = body.adminCount as number;
      return most <= 65536 && (count === 0 ? start === 0 : start + count <= most);
    },
  },
  {
    rule: 'VQ-3',
    types: ['res.GET_VQUEUE'],
    applies: v2Only,
    text: 'a queue without a size limit has other fields set',
    holds: (body) =>
      body.maxSize !== 0 ||
      (body.size === 0 &&
        body.flags === 0 &&
        body.descriptorArea === 0n &&
        body.driverArea === 0n &&
        body.deviceArea === 0n),
  },
  {
    rule: 'VQ-8',
    types: ['req.SET_VQUEUE'],
    applies: v2Only,
    text: 'reserved flags are set or the state operation is 3',
    holds(body) {
      const flags = body.flags as number;
      return flags <= SET_QUEUE_FLAGS && (flags & QUEUE_STATE_MASK) !== QueueState.reserved;
    },
  },
  {
    rule: 'VQ-11',
    types: ['res.GET_VQUEUE'],
    applies: v2Only,
    text: 'flags other than ENABLED are set',
    holds: (body) => (body.flags as number) <= 1,
  },
  {
    rule: 'BUS-1',
    types: ['req.GET_DEVICES', 'res.GET_DEVICES'],
    applies: always,
    text: 'offset or count is no multiple of 8',
    holds: (body, { rules }) =>
      (body.offset as number) % rules.deviceWindowStep === 0 &&
      (body.count as number) % rules.deviceWindowStep === 0,
  },
  {
    rule: 'BUS-2',
    types: ['res.GET_DEVICES'],
    applies: always,
    text: 'bits beyond the count are set',
    holds(body) {
      const used = (body.count as number) % 8;
      const map = body.bitmap as Uint8Array;
      return used === 0 || map[map.length - 1] >> used === 0;
    },
  },
  {
    rule: 'BUS-3',
    types: ['res.GET_DEVICES'],
    applies: always,
    text: 'next_offset is not what the revision allows',
    holds(body, { rules }) {
      const next = body.nextOffset as number;
      if (next === 0) return true;
      if (rules.nextOffsetRule === 'multipleOf8') return next % 8 === 0;
      const offset = body.offset as number;
      const least = rules.nextOffsetRule === 'increasing' ? 1 : (body.count as number);
      return next >= offset + least;
    },
  },
];

const NONE: readonly BrokenRule[] = [];

/** The part of a codec, of whatever table, that judging needs. */
export interface MessageReader {
  decode(bytes: Uint8Array, length: number): LooseMessage;
  legAt(bytes: Uint8Array, length: number): Leg;
}

/** What the bus adds to a revision. */
export interface RuleOptions {
  /** The bus's maximum message size; by default what msg_size can say. */
  readonly busMax?: number;
  /** Codec with the bus's private messages. */
  readonly codec?: MessageReader;
}

/**
 * Lists the rules that the message in the first `length` bytes breaks. What is no message at all
 * breaks HDR-6 (its sizes) or ERR-3 (an unknown id).
 */
export function brokenRules(
  info: RevisionInfo,
  bytes: Uint8Array,
  length: number,
  options: RuleOptions = {},
): readonly BrokenRule[] {
  const messages: MessageReader = options.codec ?? info.codec;
  const broken: BrokenRule[] = [];
  try {
    const message = messages.decode(bytes, length);
    checkHeader(info, bytes, options.busMax ?? info.largestSize, broken);
    checkFraming(info, messages.legAt(bytes, length), bytes, length, broken);
    checkBody(info, message, broken);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const rule = error.code === 'UNKNOWN_ID' ? unknownRule(info, bytes) : 'HDR-6';
    broken.push({ rule, text: error.message });
  }
  return broken.length === 0 ? NONE : broken;
}

function checkBody(info: RevisionInfo, message: LooseMessage, broken: BrokenRule[]): void {
  for (const check of bodyChecks) {
    if (!check.types.includes(message.type) || !check.applies(info)) continue;
    if (!check.holds(message.body as Body, info)) {
      broken.push({ rule: check.rule, text: `${message.type}: ${check.text}` });
    }
  }
}

/** An event id in a response breaks the rule that events are no responses, which v2 made. */
function unknownRule(info: RevisionInfo, bytes: Uint8Array): string {
  const answersEvent = peekIsResponse(bytes) && (bytes[1] & EVENT_BIT) !== 0;
  return answersEvent && v2Only(info) ? 'HDR-9' : 'ERR-3';
}

function checkHeader(
  { rules, codec }: RevisionInfo,
  bytes: Uint8Array,
  busMax: number,
  broken: BrokenRule[],
): void {
  const isEvent = peekIsEvent(bytes);
  const token = peekToken(bytes);
  if ((bytes[0] & ~TYPE_MASK) !== 0) {
    broken.push({ rule: 'HDR-2', text: 'reserved bits of the type are set' });
  }
  const device = peekDevice(bytes, 0, codec.headerSize);
  if (peekIsBus(bytes) && device !== 0) {
    broken.push({ rule: 'HDR-3', text: `a bus message has dev_num ${device}` });
  }
  if (isEvent && rules.eventTokenZero && token !== 0) {
    broken.push({ rule: 'TOK-2', text: `an event has the token ${token}` });
  }
  if (!isEvent && rules.tokenNonZero && token === 0) {
    broken.push({ rule: 'TOK-1', text: 'a request or response has the token 0' });
  }
  if (peekSize(bytes) > busMax) {
    broken.push({
      rule: 'PAR-2',
      text: `a message of ${peekSize(bytes)} bytes exceeds the bus maximum of ${busMax}`,
    });
  }
}

function checkFraming(
  info: RevisionInfo,
  { name, layout }: Leg,
  bytes: Uint8Array,
  length: number,
  broken: BrokenRule[],
): void {
  const { headerSize } = info.codec;
  const used = headerSize + layout.usedSize(bytes, headerSize, peekSize(bytes) - headerSize);
  for (let at = used; at < length; at++) {
    if (bytes[at] === 0) continue;
    broken.push({ rule: 'HDR-7', text: `padding at byte ${at} is not zero` });
    break;
  }
  if (!layout.reservedIsZero(bytes, headerSize)) {
    const rule = reservedRule(info, name);
    broken.push({ rule, text: `reserved fields of ${name} are not zero` });
  }
}

/** Reserved words are padding (HDR-7) but where a revision has a rule of its own for them. */
function reservedRule({ rules }: RevisionInfo, name: string): string {
  if (rules.queueEnable === 'byFlags') return name === 'GET_SHM' ? 'SHM-1' : 'VQ-8';
  return rules.tokenOwner === 'requester' ? 'VQ-16' : 'HDR-7';
}
