// Bus transparency: the transport messages of a session, from the first question to the last notification,
// are the same over every bus that carries virtio-msg, up to time. Left out is what belongs to the bus: device
// numbers, tokens (virtio-msg v1: the bus owns them) and where memory lies. What time may change is how the messages of one
// side fall between those of the other; the order of each side, and of requests and responses, it may not.
import { describe, expect, it } from 'vitest';
import { deviceBitsOf } from '../../buses/common/index.ts';
import { type DeviceBits, REVISIONS, type Revision } from '../../platform/contracts/topology.ts';
import { type LooseMessage, revision } from '../../platform/virtio/messages/index.ts';
import { Rig, type TransportMessage } from '../support/rig.ts';
import { BUS_CASES, carriesAll, carriesDevice, contractTopology, LONE_REQUESTS } from './cases.ts';

const buses = Object.keys(BUS_CASES).filter(carriesAll);
const devices = Object.keys(LONE_REQUESTS);
/** The bus that the others are compared with. */
const REFERENCE = buses[0];
/** Long configurations are parted alike when the largest message is the same; a bridge has none of 64. */
const sizeOver = (bus: string) => (BUS_CASES[bus].type === 'loopback' ? '72B' : '64B');
/** What a session must have, lest two empty ones be alike. */
const LEAST = [
  'driver req GET_DEVICE_INFO',
  'device res GET_DEVICE_INFO',
  'driver req SET_DRIVER_FEATURES',
  'driver req SET_VQUEUE',
  'device res SET_DEVICE_STATUS',
  'driver req EVENT_AVAIL',
  'device req EVENT_USED',
];

/**
 * Devices that do several things by themselves at one time. How many notifications that takes is a matter of
 * time: the second is left out while the first is not yet heard. Which queues have some is not.
 */
const SEVERAL_AT_ONCE: Readonly<Record<string, string>> = {
  balloon: 'hints at free pages until it is told of something else',
  console: 'opens its ports at once, by messages on one queue',
  gpio: 'waits for several lines at a time',
  net: 'is given back a buffer while a frame comes in',
  vsock: 'sends on one queue while it receives on another',
};

interface Session {
  /** Requests and responses of both sides. */
  readonly operations: readonly string[];
  /** All messages of each side; or its events without their order and number, for SEVERAL_AT_ONCE. */
  readonly driver: readonly string[];
  readonly device: readonly string[];
}

/** How the messages of a bus are encoded. */
interface Form {
  readonly revision: Revision;
  readonly deviceBits: DeviceBits;
}

/** A message in a line, without what belongs to the bus. */
function lineOf({ from, bytes }: TransportMessage, form: Form, addresses: Set<string>): string {
  const { codec } = revision(form.revision, form.deviceBits);
  const message = codec.decode(bytes, bytes.length) as LooseMessage;
  const text = codec
    .text(message as never)
    .replace(/ dev=\d+ tok=\d+/, '')
    .replace(/ address=\w+/, ' address=somewhere');
  // Areas of queues are named in the order of their appearance.
  const label = (whole: string, key: string, value: string) => {
    if (/^(0x)?0+$/.test(value)) return whole;
    addresses.add(value);
    return `${key}=area${[...addresses].indexOf(value)}`;
  };
  return `${from} ${text.replace(/(\w+Area)=(\w+)/g, label)}`;
}

const sessions = new Map<string, Session>();

/** The session of the device under test, of which nothing went wrong. */
function sessionOver(bus: string, device: string, name: Revision, maxMessageSize: string): Session {
  const key = [bus, device, name, maxMessageSize].join();
  const known = sessions.get(key);
  if (known !== undefined) return known;
  const choice = { bus, device, revision: name, lone: true, busOptions: { maxMessageSize } };
  const rig = new Rig(contractTopology(choice));
  expect(rig.run()).toBe('done');
  expect([rig.result().errors, rig.result().failure, rig.violations]).toEqual([0, null, []]);
  expect(rig.result().verified).toBeGreaterThan(0);
  const addresses = new Set<string>();
  const form = { revision: name, deviceBits: deviceBitsOf(BUS_CASES[bus]) };
  const lines = rig.transportMessages
    .filter((message) => message.bus === 0)
    .map((message) => lineOf(message, form, addresses));
  const isEvent = (line: string) => line.includes(' EVENT_');
  const sideOf = (side: 'driver' | 'device') => {
    const own = lines.filter((line) => line.startsWith(side));
    return device in SEVERAL_AT_ONCE ? [...new Set(own.filter(isEvent))].sort() : own;
  };
  const operations = lines.filter((line) => !isEvent(line));
  const session = { operations, driver: sideOf('driver'), device: sideOf('device') };
  sessions.set(key, session);
  return session;
}

/** The revisions differ in their messages, not in who says what: one device speaks them all. */
const revisionsOf = (device: string) => (device === 'blk' ? REVISIONS : (['v1'] as const));

describe.each(devices)('the session of a driver and its %s', (device) => {
  it.each(revisionsOf(device))('has questions, answers and notifications: %s', (name) => {
    const session = sessionOver(REFERENCE, device, name, sizeOver(REFERENCE));
    const lines = [...session.operations, ...session.driver, ...session.device];
    const kinds = lines.map((line) => line.split(' ').slice(0, 3).join(' '));
    expect(LEAST.filter((kind) => !kinds.includes(kind))).toEqual([]);
  });

  describe.each(buses.slice(1).filter((bus) => carriesDevice(bus, device)))(
    `is that over ${REFERENCE}, message by message, over: %s`,
    (bus) => {
      it.each(revisionsOf(device))('%s', (name) => {
        const session = sessionOver(bus, device, name, sizeOver(bus));
        expect(session).toEqual(sessionOver(REFERENCE, device, name, sizeOver(bus)));
      });
    },
  );
});
