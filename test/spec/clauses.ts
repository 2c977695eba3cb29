// The rules of virtio-msg that tests claim by id in their titles (`HDR-1 MUST: …`), in own words; those of
// virtio itself are in virtio-rules.ts. A rule without a test is open; rules.ts counts. One rule a line, continued where indented:
// id | who | level, and the revisions where it differs | revisions | text
import type { Revision } from '../../platform/contracts/topology.ts';
import { REVISIONS } from '../../platform/contracts/topology.ts';
import { assert } from '../../platform/errors.ts';
import { VIRTIO_RULES } from './virtio-rules.ts';

export const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'] as const;
export type Level = (typeof LEVELS)[number];

export interface Clause {
  readonly id: string;
  readonly section: string;
  /** Whom it binds: driver, device, bus, `bus driver` and `bus device` for one end of it, or all. */
  readonly who: string;
  /** The level in the newest revision that has the rule. */
  readonly level: Level;
  /** The level in each revision that has the rule. */
  readonly levels: Readonly<Partial<Record<Revision, Level>>>;
  readonly revisions: readonly Revision[];
  readonly text: string;
}

const RULES = `
# Header, byte order, padding
HDR-1 | all | MUST | rfc3 v1 v2 | Every number in header and payload is little-endian.
HDR-2 | all | MUST | rfc3 v1 v2 | Bits 7:2 of the type are sent as zero and ignored when received; a
  bus that forwards ignores them too.
HDR-3 | bus | MUST | rfc3 v1 v2 | Bus messages have dev_num 0.
HDR-4 | driver, device | MUST | v1 v2 | In a transport message the driver names the device it
  means, and a device names itself.
HDR-5 | bus | MUST NOT | v1 v2 | A bus changes dev_num no further than routing needs.
HDR-6 | all | MUST | rfc3 v1 v2 | msg_size counts header and payload, is at least 8 and at most the
  maximum of the bus.
HDR-7 | all | MUST | rfc3 v1 v2 | Padding is sent as zero and ignored when received; bytes that a
  bus adds for framing are zero.
HDR-8 | all | MUST | rfc3 v1 v2 | Header values without a meaning are sent as zero and ignored when
  received.
HDR-9 | all | MUST | v2 | An event has bit 0 of the type clear and is never sent as a response.

# Tokens and order
TOK-1 | requester | MUST | rfc3 | A request's token is not 0, and with its dev_num unique among the
  requests in flight.
TOK-2 | sender | MUST | rfc3 | Events have the token 0.
TOK-3 | responder | MUST | rfc3 | A response repeats token and dev_num of its request.
TOK-4 | receiver | SHOULD | rfc3 | A response that answers nothing, or something already answered,
  is dropped without a word.
TOK-5 | driver, device | MUST | v1 v2 | Tokens are opaque; nothing rests on their values.
TOK-6 | bus | MUST | v1 v2 | A bus that rewrites tokens does so unseen by driver and device.
TOK-7 | device | MUST | v2 | The response has the token of its request.
ORD-1 | bus | MUST | v1 | A device's responses are delivered in the order of its requests.
ORD-2 | bus | MUST | v1 | Each forwarded request gets exactly one response.
ORD-3 | bus | MUST | v2 | Each request ends in exactly one response or one failure that the
  transport sees.
ORD-4 | bus | MUST | v2 | Requests of a driver reach their device in the order they were sent;
  several may be outstanding.
ORD-5 | bus | MUST NOT | v2 | An event is not held back for the sake of its order among requests
  and responses.
ORD-6 | device | MUST | v2 | Requests are processed in the order they were received.
ORD-7 | device | MUST | v2 | A valid request gets one response; a malformed or unsupported one is
  discarded and gets none.

# Bus parameters, revisions, forwarding
PAR-1 | bus | MUST | v1 v2 | Revision, maximum message size and transport feature bits are known
  before the first transport message.
PAR-2 | all | MUST | rfc3 v1 v2 | No message exceeds the maximum of the bus.
PAR-3 | driver, device | MUST NOT | rfc3 v1 v2 | Nothing is used or demanded that the revision of
  the bus does not have.
PAR-4 | bus | MUST | v1 v2 | Both directions have the same limits.
PAR-5 | bus | MUST | v1 v2 | The transport hears of a changed parameter before the bus takes more
  messages.
PAR-6 | bus | MUST | v1 v2 | The maximum message size is at least 44 bytes (v1) or 52 bytes (v2).
PAR-7 | bus | SHOULD NOT | v1 v2 | The maximum message size is above 264 bytes.
PAR-8 | bus | MUST | v2 | Transport feature bits are apart from device features, and only those
  that both sides have count.
PAR-9 | all | MUST | v1 v2 | Revision N has all that revisions 1 to N demand.
PAR-10 | driver | MUST | v1 v2 | What a device sends beyond the revision is ignored or fails; it is
  never acted upon half understood.
PAR-11 | device | MUST | v1 v2 | A request beyond the revision is refused by the means of its
  message, or ignored.
PAR-12 | bus | MUST | v1 v2 | Messages beyond the revision fail or are dropped, never forwarded.
FWD-1 | bus | MUST | rfc3 v1 v2 | Every transport message reaches the device it names, however that
  device was found.
FWD-2 | bus | SHOULD | v1 v2 | Payloads are opaque to the bus: their size is checked, their bytes
  stay.
FWD-3 | bus | MUST | v1 v2 | dev_num is validated before anything is forwarded.
FWD-4 | bus | MUST | v2 | A request that cannot be routed fails visibly; an event may be dropped.
FWD-5 | bus | MUST; rfc3 SHOULD, v1 SHOULD | rfc3 v1 v2 | A bus that enumerates, hot-plugs or
  checks health by message uses the standard messages, any subset of them.

# Errors
ERR-1 | bus | MAY | rfc3 v1 | A message that cannot be delivered or answered becomes a failure.
ERR-2 | bus | MUST | v2 | Waiting is bounded, and each request has exactly one outcome.
ERR-3 | all | MUST; rfc3 SHOULD | rfc3 v1 v2 | Malformed headers and unsupported ids are discarded
  without causing traffic.
ERR-4 | bus | MUST NOT | v2 | The bus judges ids of transport messages.
ERR-5 | all | MUST NOT | rfc3 v1 v2 | An event is answered by an error.
ERR-6 | all | MUST | rfc3 v1 v2 | Recovery uses status and reset as virtio defines them.
ERR-7 | driver | MUST | v2 | Timeouts and retries are bounded; after the last the request fails and
  the device is reset.

# Device numbers and discovery
NUM-1 | bus | MUST | v1 v2 | A device's number is unique on its bus instance.
NUM-2 | bus | SHOULD | v2 | The number of a removed device is not given out again at once.
NUM-3 | bus | MUST; v1 SHOULD | v1 v2 | The driver can learn of every device number.
NUM-4 | bus | MUST | v1 v2 | Only validated numbers are exposed.
NUM-5 | bus | MUST; rfc3 SHOULD, v1 SHOULD | rfc3 v1 v2 | A number that was found is followed by
  GET_DEVICE_INFO (v2: exposed so that the driver sends it).
NUM-6 | bus | MUST; rfc3 SHOULD, v1 SHOULD | rfc3 v1 v2 | An added device is queried and exposed;
  before a device goes its driver is made to stop.
NUM-7 | bus | MUST | v1 v2 | A bus with EVENT_DEVICE says READY (ADDED) when a device can be
  reached and REMOVED when it is gone.
NUM-8 | bus | MUST | v2 | EVENT_DEVICE names an exposed number, and ADDED only one whose transport
  messages would be served.

# Mandatory messages, device information, initialisation
MAN-1 | device | MUST | rfc3 v1 v2 | A device has the messages 0x02 to 0x0B, in v2 0x0C as well.
MAN-2 | driver | MUST | v1 v2 | A driver can send and understand them; GET_SHM is optional.
MAN-3 | all | MUST | rfc3 | What the three events say can be said, by message, by other signals or
  by polling.
INF-1 | device | MUST | rfc3 v1 v2 | GET_DEVICE_INFO is answered while the device is inactive,
  always alike (rfc3: with zeros).
INF-2 | device | MUST | rfc3 v1 v2 | The number of feature bits is a multiple of 32 (v2: there are
  blocks for every offered bit).
INF-3 | device | MUST | v2 | There are at most 65536 queues, admin queues among them; without admin
  queues their start is 0.
INF-4 | device | MUST | v2 | A device without UUID says nil; another should be of version 4.
INI-1 | driver | MUST | v1 v2 | GET_DEVICE_INFO comes before features and queues (v2: before the
  status sequence nothing else).
INI-2 | driver | MUST | v1 v2 | The order is reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK read
  back, set-up, DRIVER_OK.
INI-3 | driver | MUST | v1 v2 | Features and FEATURES_OK come before any queue is enabled.
INI-4 | driver | MUST | rfc3 v1 v2 | Each queue is configured by SET_VQUEUE and confirmed before
  use.
INI-5 | driver | MUST | v1 v2 | DRIVER_OK is set after features and all queues needed.
INI-6 | driver | MUST NOT | v1 v2 | Requests are queued before the device shows DRIVER_OK.
INI-7 | driver | MUST NOT | v1 v2 | A queue not yet configured gets buffers or notifications.
INI-8 | device | MUST | v1 v2 | Queues are left alone before DRIVER_OK and served after it.

# Features
FEA-1 | device | MUST | rfc3 v1 v2 | Feature blocks that a device does not have read as zero.
FEA-2 | all | MUST | rfc3 | Feature data is a multiple of 4 bytes.
FEA-3 | driver | MUST | v1 v2 | Only wanted bits are written back.
FEA-4 | driver | MUST | v1 v2 | FEATURES_OK is set and the resulting status checked.
FEA-5 | device | MUST | rfc3 v1 v2 | FEATURES_OK does not stick for a set that is not acceptable.
FEA-6 | device | MUST | v1 v2 | After SET_DRIVER_FEATURES, GET_DEVICE_FEATURES shows the
  acknowledged set in v1 and the offered set in v2.
FEA-7 | device | MUST | v2 | SET_DRIVER_FEATURES changes the addressed blocks only.
FEA-8 | driver, device | MUST NOT | v2 | VIRTIO_F_NOTIF_CONFIG_DATA is offered or taken.
FEA-9 | driver | MUST | v1 v2 | A response is 32-bit blocks from the index asked for, zero beyond.

# Configuration space and generation
CFG-1 | device | MUST | rfc3 v1 v2 | A change that the driver can see has a new generation.
CFG-2 | device | MUST NOT | rfc3 v1 | Two EVENT_CONFIG with data have the same generation.
CFG-3 | device | SHOULD | rfc3 v1 v2 | A change too large for one event is told without data and
  with a new generation; GET_CONFIG fetches it.
CFG-4 | device | MAY; rfc3 SHOULD NOT | rfc3 v2 | A device reset starts the generation anew; a v2
  driver relies on neither.
CFG-5 | device | MUST | rfc3 v1 v2 | SET_CONFIG of a stale generation is refused; the baseline of
  v2 ignores the generation.
CFG-6 | driver | MUST | v1 v2 | SET_CONFIG has the latest generation, in the baseline of v2 a 0.
CFG-7 | driver | SHOULD | rfc3 v1 v2 | After a refusal the driver reads again and retries.
CFG-8 | driver | MUST | v1 v2 | Offset and length stay inside the configuration space.
CFG-9 | device | MUST | v1 v2 | GET_CONFIG responses have the current generation (v2: and SET_CONFIG
  responses and EVENT_CONFIG).
CFG-10 | device | MUST | v2 | SET_CONFIG is applied whole, its length repeated, or not at all with
  length 0 and no data; length 0 changes nothing.
CFG-11 | driver | MUST | v2 | Only an equal length is success; 0 means not applied.
CFG-12 | device | MUST | rfc3 v1 v2 | A visible change by the device itself is told by EVENT_CONFIG.
CFG-13 | device | SHOULD | v1 v2 | Without data, EVENT_CONFIG still says offset and length.
CFG-14 | driver | SHOULD | rfc3 v1 v2 | On EVENT_CONFIG its data or a GET_CONFIG comes before any use
  of the values.
CFG-15 | device | MUST | v2 | EVENT_CONFIG for a change of status alone has offset and length 0.
CFG-16 | device | MUST NOT | v2 | EVENT_CONFIG is sent merely because the driver wrote the status
  or used a wrong generation.
CFG-17 | driver | MUST | v2 | The profile is taken from the bus's feature bits before the first
  SET_CONFIG.

# Status and reset
RST-1 | driver | MUST; rfc3 MAY | rfc3 v1 v2 | Reset is status 0, and SET_DEVICE_STATUS drives all
  states.
RST-2 | device | MUST | rfc3 v1 | On status 0 the device resets, drops queue work and shows 0 at
  once.
RST-3 | device | MUST | v2 | On status 0 a reset starts; 0 is shown when it is complete, not before.
RST-4 | driver | MUST | v2 | A response of 0 ends the reset; otherwise the driver polls until 0.
RST-5 | device | SHOULD; rfc3 MAY | rfc3 v1 v2 | An error without recovery is signalled by
  DEVICE_NEEDS_RESET.
RST-6 | driver | SHOULD | rfc3 v1 v2 | DEVICE_NEEDS_RESET is answered by status 0 and a new start.
RST-7 | device | MUST | rfc3 v1 v2 | The status shown is true, FEATURES_OK and DEVICE_NEEDS_RESET
  included.

# Virtqueues, shared memory
VQ-1 | driver | MUST NOT | rfc3 v2 | A queue with a maximum size of 0 is used.
VQ-2 | device | MUST | v1 v2 | Maximum and current size are true; the current size of a queue not
  configured is 0.
VQ-3 | device | MUST | v2 | For a queue that does not exist all fields but the index are 0.
VQ-4 | driver | MUST | v1 v2 | A queue is queried before it is configured.
VQ-5 | driver | MUST | v1 v2 | The size is within the maximum, the addresses valid and aligned.
VQ-6 | device | MUST | rfc3 v1 | Parameters are kept; a queue is inactive until SET_VQUEUE ends.
VQ-7 | device | MUST | v1 | SET_VQUEUE after initialisation is obeyed.
VQ-8 | driver | MUST | v2 | Reserved flags and words are 0, the state is not 3, state 0 disables
  nothing, and an enabled queue keeps size and addresses.
VQ-9 | device | MUST | v2 | SET_VQUEUE is all or nothing and always has the empty response.
VQ-10 | device | MUST | v2 | A field with its ignore flag stays, others apply, the state last.
VQ-11 | device | MUST | v2 | Flags of GET_VQUEUE: bit 0 says enabled, all others are 0.
VQ-12 | driver | MUST | v1 v2 | Where it matters, GET_VQUEUE confirms that SET_VQUEUE was accepted.
VQ-13 | driver | MUST; rfc3 SHOULD, v1 SHOULD | rfc3 v1 v2 | RESET_VQUEUE is sent only with
  VIRTIO_F_RING_RESET.
VQ-14 | device | MUST | v1 v2 | RESET_VQUEUE stops and resets the queue, which can be configured
  anew; v2 without RING_RESET or with a bad index does nothing.
VQ-15 | driver | MUST; v1 SHOULD | v1 v2 | With RING_RESET an enabled queue is reset before it is
  programmed again.
VQ-16 | all | MUST | rfc3 | Reserved words of GET_VQUEUE and SET_VQUEUE are 0.
SHM-1 | device | MUST | rfc3 v1 v2 | An unknown region has length 0, others their true values (v2:
  reserved words 0).

# Notifications
NTF-1 | driver | MUST | rfc3 v1 v2 | EVENT_AVAIL follows buffers made available (v2: unless only
  polling was chosen).
NTF-2 | driver | MUST | rfc3 v1 v2 | EVENT_AVAIL names its queue; next_offset is filled with
  NOTIFICATION_DATA and 0 without.
NTF-3 | bus driver | MUST; rfc3 SHOULD | rfc3 v1 | EVENT_AVAIL is relayed or turned into another
  signal, and not dropped unless the device polls.
NTF-4 | bus driver | MUST | rfc3 v1 v2 | EVENT_CONFIG and EVENT_USED reach the driver, forwarded or
  made up.
NTF-5 | bus | SHOULD | rfc3 v1 | A bus polls only where nothing else works.
NTF-6 | device | MUST; v1 SHOULD | rfc3 v1 v2 | EVENT_USED follows used buffers (v2: unless only
  polling was chosen).
NTF-7 | driver | MUST | v1 v2 | EVENT_USED makes the driver look at the used ring.
NTF-8 | bus | MUST; rfc3 SHOULD, v1 SHOULD | rfc3 v1 v2 | NOTIFICATION_DATA is kept from being
  agreed where the bus cannot carry it.
NTF-9 | bus | MUST | v2 | Events are forwarded or made up, as declared, and seen exactly once.
NTF-10 | bus | MUST | v2 | A signal beside the messages is only a hint to look.
NTF-11 | bus | MUST | v2 | A bus that only polls makes up no EVENT_AVAIL or EVENT_USED.
NTF-12 | bus | MUST | v2 | Delivery is bounded; after the last try a failure is seen.

# Bus messages
BUS-1 | bus driver, bus device | MUST | rfc3 v1 v2 | Offset and count of GET_DEVICES are multiples of
  8 (v2: any, 0 too).
BUS-2 | bus device | MUST | rfc3 v1 v2 | The bitmap starts with the lowest bit and has one bit a
  number (v2: unused bits 0).
BUS-3 | bus device | MUST | rfc3 v1 v2 | next_offset is 0 or a multiple of 8 (rfc3), 0 or not inside
  the window (v1), 0 or above the offset asked for (v2).
BUS-4 | bus device | MUST NOT; v1 SHOULD | v1 v2 | More is returned than was asked for; what was
  asked for is returned where it fits.
BUS-5 | responder | MUST | rfc3 v1 v2 | The response to PING has the data of the request.
BUS-6 | driver | MUST | v1 | READY leads to a probe, REMOVED to stopping and letting go; repeated
  and reordered events do no harm.
CNF-1 | all | MUST NOT | rfc3 | Conformance is claimed without every MUST.

# Administration virtqueues (virtio 1.4 §2.12.1, §2.13, §4.1.4.3), whatever carries the device
ADM-1 | device | MUST | rfc3 v1 v2 | What is invalid is answered by EINVAL: the group by INVALID_GROUP,
  else the opcode by INVALID_OPCODE, else the member, where the command has one, by INVALID_MEMBER.
ADM-2 | device | MUST | rfc3 v1 v2 | A command that succeeds has status OK and qualifier 0, one that
  fails another status.
ADM-3 | device | MUST NOT | rfc3 v1 v2 | A command answered by EINVAL changes anything.
ADM-4 | device | MUST | rfc3 v1 v2 | After a reset LIST_QUERY and LIST_USE are all that may be used,
  after a LIST_USE that succeeds what is in its list; all else gets INVALID_OPCODE.
ADM-5 | device | SHOULD | rfc3 v1 v2 | A LIST_USE that succeeded does so again after a reset.
ADM-6 | driver | MUST | rfc3 v1 v2 | LIST_USE has succeeded before any other command is sent, but
  the first LIST_QUERY.
ADM-7 | driver | MUST NOT | rfc3 v1 v2 | LIST_USE is sent while another command is with the device.
ADM-8 | driver | MUST NOT | rfc3 v1 v2 | Use is asked of commands that LIST_QUERY has not told; nor
  should it be of those that the driver does not know.
ADM-9 | driver | MUST | rfc3 v1 v2 | A status that is reserved is taken like EINVAL.
ADM-10 | driver | SHOULD | rfc3 v1 v2 | A command is sent again whose status is EAGAIN.
ADM-11 | device | MUST | rfc3 v1 v2 | Parts that are short or long are taken: missing bytes are zero,
  bytes without room are discarded, what is too much is ignored, and the used length is what was written.
ADM-12 | device | MUST | rfc3 v1 v2 | Status and qualifier are always written, and whole words of 64
  bits.
ADM-13 | device | MUST | rfc3 v1 v2 | Commands of one queue are done in the order in which they came.
ADM-14 | driver | MUST | rfc3 v1 v2 | Both parts of a command have some bytes, in whole words of 64
  bits.
ADM-15 | driver | MUST | rfc3 v1 v2 | Administration virtqueues are set up where the device says that
  they are; fewer of them may be.
ADM-16 | device | MUST | rfc3 v1 v2 | Over PCI they begin at or behind num_queues.
`;

/** All rules, in the order of the list. */
export const clauses: readonly Clause[] = parseRules(RULES + VIRTIO_RULES);

/** All rules by id. */
export const clauseById: ReadonlyMap<string, Clause> = new Map(
  clauses.map((clause) => [clause.id, clause]),
);

function parseRules(text: string): Clause[] {
  const rows: Clause[] = [];
  const seen = new Set<string>();
  let section = '';
  for (const line of text.replace(/\n {2}/g, ' ').split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# ')) {
      section = line.slice(2);
      continue;
    }
    const clause = parseRule(line, section);
    assert(!seen.has(clause.id), `rule ${clause.id} is listed twice`);
    seen.add(clause.id);
    rows.push(clause);
  }
  return rows;
}

function parseRule(line: string, section: string): Clause {
  const [id, who, levelText, place, text] = line.split(' | ');
  assert(text !== undefined, `rule line has too few columns: ${line}`);
  assert(/^[A-Z]{2,3}-[1-9]\d*$/.test(id), `${id} is no rule id`);
  // What virtio itself demands holds for every revision of virtio-msg.
  const ofVirtio = /^\d+(\.\d+)+$/.test(place);
  const revisions = REVISIONS.filter((name) => ofVirtio || place.split(' ').includes(name));
  assert(ofVirtio || revisions.join(' ') === place, `${id} has unknown revisions ${place}`);
  const [level, exceptions = ''] = levelText.split('; ');
  const levels = Object.fromEntries(revisions.map((name) => [name, asLevel(level, id)]));
  for (const exception of exceptions.split(', ').filter((part) => part !== '')) {
    const [name, ...words] = exception.split(' ');
    assert(name in levels, `${id} has no revision ${name}`);
    levels[name] = asLevel(words.join(' '), id);
  }
  return { id, section, who, level: asLevel(level, id), levels, revisions, text };
}

function asLevel(text: string, id: string): Level {
  const level = LEVELS.find((known) => known === text);
  assert(level !== undefined, `${id} has the unknown level ${text}`);
  return level;
}
