// The ends of an FF-A bus without transports, and peers that say whatever a test wants them to: a
// partition for the driver's end, a caller for the device's end.
import { FfaDeviceEnd } from '../../buses/ffa/device-end.ts';
import { FfaDriverEnd } from '../../buses/ffa/driver-end.ts';
import { dialects, FFA_VERSION, ffaMessages } from '../../buses/ffa/messages.ts';
import {
  DIRECT_ERROR,
  DIRECT_REQUEST,
  DIRECT_RESPONSE,
  NOTIFICATION,
  PARTITION_INFO,
  PARTITION_INFO_REPLY,
} from '../../buses/ffa/packets.ts';
import { addressTo, DEVICE_ROLE, serviceOf } from '../../buses/ffa/service.ts';
import type { FaultPlan } from '../../platform/contracts/index.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { type LooseMessage, codec as makeCodec } from '../../platform/virtio/messages/index.ts';
import { recordDevices, recordDrivers } from './bus-recorders.ts';
import type { ScenarioParts } from './scenarios.ts';
import { testNodes } from './test-nodes.ts';

type Revision = 'rfc3' | 'v1' | 'v2';

/** Codec of the FF-A bus in a revision, for messages whose type the test knows. */
export function ffaCodec(revision: Revision = 'v1') {
  return makeCodec(revision, ffaMessages);
}

/** Encodes one message of the FF-A bus. */
export function ffaBytes(message: LooseMessage, revision: Revision = 'v1'): Uint8Array {
  const bytes = new Uint8Array(112);
  return bytes.slice(0, ffaCodec(revision).encode(message as never, bytes));
}

/** Both ends of the bus of a scenario, each with recorders for these device numbers. */
export function ffaEnds(parts: ScenarioParts = {}, numbers: readonly number[] = [0]) {
  const { topology, kernel, linux, storage } = testNodes(parts);
  const plan = topology.buses[0] as never;
  const { faults } = topology;
  const driverEnd = new FfaDriverEnd({ node: linux, plan, faults });
  const deviceEnd = new FfaDeviceEnd({ node: storage, plan, faults });
  const drivers = recordDrivers(kernel, driverEnd, numbers);
  const devices = recordDevices(deviceEnd, numbers);
  return { topology, kernel, linux, storage, driverEnd, deviceEnd, drivers, devices };
}

/** What a scripted partition does with a request: its answer, or null for none at all. */
export type PartitionScript = (message: LooseMessage, bytes: Uint8Array) => Uint8Array | null;

/** A partition that sets a session up like any other, but for what its script says. */
export class ScriptedPartition implements Component {
  /** Types of the requests, in order. */
  readonly requests: string[] = [];
  readonly frames: Uint8Array[] = [];
  present = true;
  /** Asked first; `undefined` leaves the answer to the usual. */
  script: (message: LooseMessage, bytes: Uint8Array) => Uint8Array | null | undefined = () =>
    undefined;
  readonly #node: Node;
  readonly #driver: { readonly node: number; readonly port: number };
  readonly #revision: Revision;
  readonly #numbers: readonly number[];

  constructor(
    node: Node,
    plan: {
      readonly driver: number;
      readonly driverPort: number;
      readonly devicePort: number;
      readonly revision: Revision;
    },
    numbers: readonly number[],
  ) {
    this.#node = node;
    this.#driver = { node: plan.driver, port: plan.driverPort };
    this.#revision = plan.revision;
    this.#numbers = numbers;
    node.kernel.bindPort(plan.devicePort, node.add(this));
  }

  deliver(): void {}

  receive(packet: Packet): void {
    if (packet.kind === PARTITION_INFO) {
      this.#send(PARTITION_INFO_REPLY, new Uint8Array(0), this.present ? 1 : 0);
    }
    if (packet.kind !== DIRECT_REQUEST) return;
    const bytes = packet.bytes.slice(0, packet.length);
    const message = ffaCodec(this.#revision).decode(bytes, bytes.length) as LooseMessage;
    this.requests.push(message.type);
    this.frames.push(bytes);
    const scripted = this.script(message, bytes);
    const answer = scripted === undefined ? this.#usual(message) : scripted;
    if (answer !== null) this.#send(DIRECT_RESPONSE, answer, 0);
  }

  /** Makes the notification of events pending at the driver. */
  notify(): void {
    this.#send(NOTIFICATION, new Uint8Array(0), 0);
  }

  /** Encodes a bus response. */
  response(type: string, body: object, token: number): Uint8Array {
    return ffaBytes({ type, dev: 0, token, body }, this.#revision);
  }

  #usual({ type, body, token }: LooseMessage): Uint8Array {
    const transportRevision = this.#revision === 'v2' ? 2 : 1;
    switch (type) {
      case 'req.VERSION':
        return this.response(
          'res.VERSION',
          {
            busVersion: dialects.linux.busVersion,
            transportRevision,
            ffaVersion: FFA_VERSION,
            featureBits: 0,
            busFeatures: 0,
            maxAreas: 31,
          },
          token,
        );
      case 'req.RESET':
      case 'req.EVENT_CONFIGURE':
        return this.response(type.replace('req', 'res'), { result: 0 }, token);
      case 'req.GET_DEVICES': {
        const { offset, count } = body as { offset: number; count: number };
        const bitmap = new Uint8Array(Math.ceil(count / 8));
        for (const number of this.#numbers) {
          const at = number - offset;
          if (at >= 0 && at < count) bitmap[at >> 3] |= 1 << (at & 7);
        }
        return this.response('res.GET_DEVICES', { offset, count, nextOffset: 0, bitmap }, token);
      }
      default:
        return this.response('res.EVENT_POLL', {}, token);
    }
  }

  #send(kind: number, bytes: Uint8Array, a: number): void {
    const { kernel, index } = this.#node;
    const packet = kernel.packets.acquire(bytes.length);
    packet.bytes.set(bytes);
    packet.label(kind, a);
    kernel.send(index, this.#driver.node, this.#driver.port, 1000, packet);
  }
}

/** The driver's end of a bus whose partition is scripted. */
export function scriptedPartition(parts: ScenarioParts = {}, numbers: readonly number[] = [0]) {
  const { topology, kernel, linux, storage } = testNodes(parts);
  const plan = topology.buses[0];
  const faults: readonly FaultPlan[] = topology.faults;
  const driverEnd = new FfaDriverEnd({ node: linux, plan: plan as never, faults });
  const partition = new ScriptedPartition(storage, plan, numbers);
  const drivers = recordDrivers(kernel, driverEnd, numbers);
  return { topology, kernel, linux, driverEnd, partition, drivers };
}

/** The device's end of a bus, called by a script: each frame gets its answer before the next. */
export class ScriptedCaller implements Component {
  readonly answers: Uint8Array[] = [];
  /** Kinds of other packets that came. */
  readonly kinds: number[] = [];
  /** What FFA_ERROR said, in place of answers. */
  readonly errors: number[] = [];
  /** The service that is called. */
  service: string = DEVICE_ROLE;
  readonly #node: Node;
  readonly #device: { readonly node: number; readonly port: number };

  constructor(
    node: Node,
    plan: { readonly device: number; readonly devicePort: number; readonly driverPort: number },
  ) {
    this.#node = node;
    this.#device = { node: plan.device, port: plan.devicePort };
    node.kernel.bindPort(plan.driverPort, node.add(this));
  }

  deliver(): void {}

  receive(packet: Packet): void {
    if (packet.kind === DIRECT_RESPONSE) this.answers.push(packet.bytes.slice(0, packet.length));
    else this.kinds.push(packet.kind);
    if (packet.kind === DIRECT_ERROR) this.errors.push(packet.a);
  }

  /** Lets so many ps pass. */
  wait(time: number): void {
    const { kernel } = this.#node;
    kernel.runUntil(kernel.now + time);
  }

  /** Makes a direct call and returns its answer, or null when there is none. */
  call(frame: Uint8Array): Uint8Array | null {
    const { kernel, index } = this.#node;
    const packet = kernel.packets.acquire(frame.length);
    packet.bytes.set(frame);
    packet.kind = DIRECT_REQUEST;
    addressTo(packet, serviceOf(this.service));
    kernel.send(index, this.#device.node, this.#device.port, 1000, packet);
    const before = this.answers.length;
    kernel.runUntil(kernel.now + 1_000_000_000);
    return this.answers.length > before ? this.answers[before] : null;
  }
}

/** The device's end of a bus whose driver is scripted; `agree` negotiates the session. */
export function scriptedCaller(parts: ScenarioParts = {}, numbers: readonly number[] = [0]) {
  const { topology, kernel, linux, storage } = testNodes(parts);
  const plan = topology.buses[0];
  const deviceEnd = new FfaDeviceEnd({ node: storage, plan: plan as never, faults: [] });
  const caller = new ScriptedCaller(linux, plan);
  const devices = recordDevices(deviceEnd, numbers);
  const codec = ffaCodec(plan.revision);
  /** Calls with a message and decodes the answer. */
  const ask = (message: LooseMessage): LooseMessage => {
    const answer = caller.call(ffaBytes(message, plan.revision))!;
    return codec.decode(answer, answer.length) as LooseMessage;
  };
  const agree = () => {
    const transportRevision = plan.revision === 'v2' ? 2 : 1;
    const body = {
      busVersion: dialects.linux.busVersion,
      transportRevision,
      ffaVersion: FFA_VERSION,
    };
    return ask({ type: 'req.VERSION', dev: 0, token: 3, body });
  };
  return { topology, kernel, storage, deviceEnd, caller, devices, ask, agree };
}
