// The revisions of virtio-msg as data: what each changes of the table, and the rules that differ
// between them. Shared code asks these rows, never for the revision's name.

import type { DeviceBits, Revision } from '../../contracts/index.ts';
import { assert } from '../../errors.ts';
import { checkMessages, type MessageRow, type MessageTable, WireError } from '../../wire/index.ts';
import { Codec, type Leg } from './codec.ts';
import { EXPRESSIBLE_SIZE_MAX, headerSizeFor } from './header.ts';
import {
  type Differences,
  QueueState,
  type StandardMessages,
  type StandardName,
  standardMessages,
  v2Rows,
  v2WideRows,
  wideRows,
} from './table.ts';

/** Transport feature bits (v2), apart from those of devices. */
export const TRANSPORT_F = { STRICT_CONFIG_GENERATION: 1 } as const;

/** What becomes of a SET_CONFIG of a stale generation, under these transport features. */
export function staleGeneration(
  { rules }: RevisionInfo,
  transportFeatures: number,
): RevisionRules['staleGeneration'] {
  const strict = (transportFeatures & TRANSPORT_F.STRICT_CONFIG_GENERATION) !== 0;
  return rules.hasTransportFeatures && strict ? 'refused' : rules.staleGeneration;
}

/** Flags of a SET_VQUEUE that enables its queue. */
export function enablingFlags({ rules }: RevisionInfo): number {
  return rules.queueEnable === 'byFlags' ? QueueState.enable : 0;
}

/** How one revision differs from the others in behaviour. */
export interface RevisionRules {
  readonly name: Revision;
  /** Least value of a bus's maximum message size that the text allows. */
  readonly minMessageSize: number;
  /** Largest maximum that it recommends; more is legal. */
  readonly recommendedMax: number;
  /** Largest maximum that it states. 65536 cannot be said in msg_size; see `largestSize`. */
  readonly protocolMax: number;
  /** Who chooses tokens: the requester, or the bus. */
  readonly tokenOwner: 'requester' | 'bus';
  /** Requests have a token other than 0. */
  readonly tokenNonZero: boolean;
  /** Events have token 0. */
  readonly eventTokenZero: boolean;
  /** In what order responses may come back. */
  readonly responseOrder: 'any' | 'request' | 'correlated';
  /** What GET_DEVICE_FEATURES shows once the driver has written its features. */
  readonly featuresAfterSet: 'offered' | 'acknowledged';
  /** What an inactive device answers to GET_DEVICE_INFO. */
  readonly inactiveInfo: 'zero' | 'consistent';
  /** GET_DEVICES: offset and count are multiples of this. */
  readonly deviceWindowStep: 8 | 1;
  /** GET_DEVICES: what a next_offset other than 0 must be. */
  readonly nextOffsetRule: 'multipleOf8' | 'afterWindow' | 'increasing';
  /** SET_CONFIG with a stale generation: refused, or (v2 without STRICT) taken as it is. */
  readonly staleGeneration: 'refused' | 'ignored';
  /** SET_VQUEUE enables a queue always, or by its flags. */
  readonly queueEnable: 'always' | 'byFlags';
  /** GET_VQUEUE tells whether the queue is enabled. */
  readonly queueStateVisible: boolean;
  /** A reset may still be going on when the response to status 0 is sent. */
  readonly asynchronousReset: boolean;
  /** EVENT_CONFIG also reports a status that the driver itself wrote. */
  readonly eventOnDriverStatus: boolean;
  /** The bus has transport feature bits. */
  readonly hasTransportFeatures: boolean;
  /** Places and lengths of shared memory regions lie below this. */
  readonly regionsEnd: bigint;
  /** Device numbers that there are, from 0 on: 65536 in all drafts. */
  readonly deviceNumbers: number;
}

const rfc3Rules: RevisionRules = {
  name: 'rfc3',
  minMessageSize: 44,
  recommendedMax: 274,
  protocolMax: 65536,
  tokenOwner: 'requester',
  tokenNonZero: true,
  eventTokenZero: true,
  responseOrder: 'any',
  // rfc3 says nothing; offering stays constant in virtio itself.
  featuresAfterSet: 'offered',
  inactiveInfo: 'zero',
  deviceWindowStep: 8,
  nextOffsetRule: 'multipleOf8',
  staleGeneration: 'refused',
  queueEnable: 'always',
  queueStateVisible: false,
  asynchronousReset: false,
  eventOnDriverStatus: false,
  hasTransportFeatures: false,
  regionsEnd: 2n ** 32n,
  deviceNumbers: 2 ** 16,
};

const v1Rules: RevisionRules = {
  ...rfc3Rules,
  name: 'v1',
  recommendedMax: 264,
  protocolMax: EXPRESSIBLE_SIZE_MAX,
  tokenOwner: 'bus',
  tokenNonZero: false,
  eventTokenZero: false,
  responseOrder: 'request',
  featuresAfterSet: 'acknowledged',
  inactiveInfo: 'consistent',
  nextOffsetRule: 'afterWindow',
};

const v2Rules: RevisionRules = {
  ...v1Rules,
  name: 'v2',
  minMessageSize: 52,
  responseOrder: 'correlated',
  featuresAfterSet: 'offered',
  deviceWindowStep: 1,
  nextOffsetRule: 'increasing',
  staleGeneration: 'ignored',
  queueEnable: 'byFlags',
  queueStateVisible: true,
  asynchronousReset: true,
  hasTransportFeatures: true,
  regionsEnd: 2n ** 64n,
};

/** How much of the variable messages one message of a given size holds. */
export interface Capacity {
  /** Bytes of GET_CONFIG and SET_CONFIG data. */
  readonly configBytes: number;
  /** Bytes of EVENT_CONFIG data. */
  readonly eventConfigBytes: number;
  /** 32-bit blocks of features. */
  readonly featureBlocks: number;
  /** Device numbers that one GET_DEVICES response tells of. */
  readonly deviceSlots: number;
}

/** One revision: its rules, its codec, and what follows from both. */
export interface RevisionInfo {
  readonly name: Revision;
  readonly rules: RevisionRules;
  readonly codec: Codec<StandardMessages>;
  /** Bytes of the largest message that a device must be able to handle, and that message. */
  readonly largestRequired: number;
  readonly largestRequiredType: string;
  /** Largest maximum message size that a bus can have. */
  readonly largestSize: number;
}

const differences: Readonly<
  Record<
    Revision,
    {
      readonly rules: RevisionRules;
      readonly rows: Differences;
      /** With device numbers of 32 bits. */
      readonly wideRows: Differences;
    }
  >
> = {
  rfc3: { rules: rfc3Rules, rows: {}, wideRows },
  v1: { rules: v1Rules, rows: {}, wideRows },
  v2: { rules: v2Rules, rows: v2Rows, wideRows: v2WideRows },
};

const revisions = {
  16: { rfc3: makeRevision('rfc3', 16), v1: makeRevision('v1', 16), v2: makeRevision('v2', 16) },
  32: { rfc3: makeRevision('rfc3', 32), v1: makeRevision('v1', 32), v2: makeRevision('v2', 32) },
} as const;

/** Returns a revision, or its dialect with device numbers of 32 bits, which is in no draft. */
export function revision(name: Revision, deviceBits: DeviceBits = 16): RevisionInfo {
  return revisions[deviceBits][name];
}

/**
 * Makes the codec of a revision with a bus's private messages beside the standard ones. Their ids
 * are 0x80 and above; a response with id 0, which no request uses, is allowed as well.
 */
export function codec<const P extends MessageTable>(
  name: Revision,
  busMessages: P,
  deviceBits: DeviceBits = 16,
): Codec<StandardMessages & P> {
  for (const [message, row] of Object.entries(busMessages)) {
    const isPrivate = row.id >= 0x80 || (row.id === 0 && row.request === undefined);
    assert(isPrivate, `${message}: id ${row.id} belongs to the standard`);
    assert(!(message in standardMessages), `${message} is the name of a standard message`);
  }
  const table = { ...tableOf(name, deviceBits), ...busMessages };
  checkMessages(table);
  return new Codec(table, headerSizeFor(deviceBits));
}

/**
 * Throws WireError SIZE when a bus with this maximum cannot carry what the revision requires,
 * naming the messages that do not fit, and RANGE when no bus can have that maximum.
 */
export function checkCarries(name: Revision, busMax: number, deviceBits: DeviceBits = 16): void {
  const { rules, codec: messages, largestSize } = revision(name, deviceBits);
  if (!Number.isInteger(busMax) || busMax < 0 || busMax > largestSize) {
    throw new WireError(
      'RANGE',
      `a maximum of ${busMax} bytes is outside ${rules.minMessageSize} … ${largestSize}`,
    );
  }
  const tooLarge = requiredLegs(messages).filter((leg) => leg.usefulSize > busMax);
  if (tooLarge.length > 0) {
    const list = tooLarge.map((leg) => `${leg.type} (${leg.usefulSize} bytes)`).join(', ');
    throw new WireError(
      'SIZE',
      `a bus with messages of at most ${busMax} bytes cannot carry ${list} of revision ${name}`,
    );
  }
  if (busMax < rules.minMessageSize) {
    throw new WireError(
      'SIZE',
      `revision ${name} demands messages of at least ${rules.minMessageSize} bytes, not ${busMax}`,
    );
  }
}

/** Returns how much the variable messages hold on a bus with this maximum message size. */
export function capacity(name: Revision, busMax: number, deviceBits: DeviceBits = 16): Capacity {
  const { codec: messages } = revision(name, deviceBits);
  const room = (type: string) => Math.max(0, busMax - messages.leg(type).leastSize);
  return {
    configBytes: Math.min(room('res.GET_CONFIG'), room('req.SET_CONFIG')),
    eventConfigBytes: room('req.EVENT_CONFIG'),
    featureBlocks: Math.floor(
      Math.min(room('res.GET_DEVICE_FEATURES'), room('req.SET_DRIVER_FEATURES')) / 4,
    ),
    // The count is a 16-bit field and, before v2, a multiple of 8.
    deviceSlots: Math.min(room('res.GET_DEVICES') * 8, 65528),
  };
}

function makeRevision(name: Revision, deviceBits: DeviceBits): RevisionInfo {
  const rules = { ...differences[name].rules, deviceNumbers: 2 ** deviceBits };
  const messages = new Codec(tableOf(name, deviceBits), headerSizeFor(deviceBits));
  const largest = requiredLegs(messages).reduce((a, b) => (b.usefulSize > a.usefulSize ? b : a));
  return {
    name,
    rules,
    codec: messages,
    largestRequired: largest.usefulSize,
    largestRequiredType: largest.type,
    largestSize: Math.min(rules.protocolMax, EXPRESSIBLE_SIZE_MAX),
  };
}

function tableOf(name: Revision, deviceBits: DeviceBits): StandardMessages {
  const changes: Differences = differences[name].rows;
  const widened: Differences = deviceBits === 16 ? {} : differences[name].wideRows;
  const rows = Object.entries(standardMessages).map(([message, row]): [string, MessageRow] => [
    message,
    { ...row, ...changes[message as StandardName], ...widened[message as StandardName] },
  ]);
  const table = Object.fromEntries(rows);
  checkMessages(table);
  // `Differences` makes sure that the bodies have the same value types in all revisions.
  return table as StandardMessages;
}

function requiredLegs(messages: Codec<StandardMessages>): Leg[] {
  return messages.legs.filter((leg) => leg.row.scope === 'transport' && leg.row.optional !== true);
}
