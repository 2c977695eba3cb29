// Runs a scenario on the calling thread with everything within reach: the kernel, every packet between
// the nodes (which a test may drop or change), and the outcome by name.

import { ffaMessages } from '../../buses/ffa/messages.ts';
import { DIRECT_REQUEST, DIRECT_RESPONSE } from '../../buses/ffa/packets.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { ModelTables, Topology, WorkloadResult } from '../../platform/contracts/index.ts';
import { Group, type GroupOutcome } from '../../platform/hosts/group.ts';
import { endAfter, endAtMost, linkLatencies } from '../../platform/hosts/stop-rule.ts';
import { combineDigests, type Kernel, type Packet } from '../../platform/kernel/index.ts';
import type { EngineName } from '../../platform/machine/index.ts';
import type { Violation } from '../../platform/node/index.ts';
import type { LooseMessage } from '../../platform/virtio/messages/index.ts';
import { codec, peekId, peekIsBus } from '../../platform/virtio/messages/index.ts';
import { type ScenarioParts, topologyOf } from './scenarios.ts';

/** A packet as it leaves its node. */
export interface SentPacket {
  readonly at: number;
  readonly fromNode: number;
  readonly delay: number;
  readonly packet: Packet;
}

/** Sees each packet before it goes; returns false to lose it. It may change the bytes. */
export type PacketFilter = (sent: SentPacket) => boolean;

interface Decoder {
  decode(bytes: Uint8Array, length: number): LooseMessage;
}

/** A virtio-msg message that crossed the FF-A bus as a direct message. */
export class SeenMessage {
  readonly at: number;
  readonly from: 'driver' | 'device';
  readonly bytes: Uint8Array;
  readonly #codec: Decoder;

  constructor(at: number, from: SeenMessage['from'], bytes: Uint8Array, messages: Decoder) {
    this.at = at;
    this.from = from;
    this.bytes = bytes;
    this.#codec = messages;
  }

  /** Decoded when it is looked at: most never are. */
  get message(): LooseMessage {
    return this.#codec.decode(this.bytes, this.bytes.length);
  }
}

/** A message as it goes on its way. */
export interface TransportMessage {
  /** Index of the bus. */
  readonly bus: number;
  readonly from: 'driver' | 'device';
  readonly bytes: Uint8Array;
}

export interface RigOptions {
  readonly engine?: EngineName;
  readonly tables?: ModelTables;
}

export type RigEnding = 'done' | 'limit' | 'stalled';

/** Transport messages with such ids are in no draft. */
const IMPLEMENTATION_IDS = 0x80;

export class Rig {
  readonly topology: Topology;
  readonly group: Group;
  readonly kernel: Kernel;
  readonly messages: SeenMessage[] = [];
  /** Every transport message of the drafts that was sent, whatever carries it. */
  readonly transportMessages: TransportMessage[] = [];
  /** Every bus message, those of the bus's own among them. */
  readonly busMessages: TransportMessage[] = [];
  filter: PacketFilter = () => true;
  readonly #tables: ModelTables;
  #started = false;

  constructor(scenario: ScenarioParts | Topology, options: RigOptions = {}) {
    this.topology =
      'profile' in scenario && typeof scenario.profile === 'object'
        ? (scenario as Topology)
        : topologyOf(scenario as ScenarioParts);
    this.#tables = options.tables ?? tables;
    this.group = new Group({
      topology: this.topology,
      tables: this.#tables,
      engine: options.engine ?? 'compiled',
      nodes: this.topology.nodes.map((_, index) => index),
      outbox: null,
      anatomy: false,
      trace: null,
      observe: (bus, from) => (bytes, length, dropped) => {
        if (dropped) return;
        const isBus = peekIsBus(bytes);
        if (!isBus && peekId(bytes) >= IMPLEMENTATION_IDS) return;
        const messages = isBus ? this.busMessages : this.transportMessages;
        messages.push({ bus, from, bytes: bytes.slice(0, length) });
      },
    });
    this.kernel = this.group.kernel;
    this.#tap();
  }

  /** Runs to the end that the scenario asks for. */
  run(): RigEnding {
    const { group, kernel, topology } = this;
    const waits = topology.until.workloadsDone && group.unfinished > 0;
    if (waits) group.allFinished = () => kernel.stop();
    const atMost = endAtMost(topology);
    this.#start();
    for (;;) {
      const next = kernel.nextTime();
      if (next >= atMost) return next === Infinity && waits ? 'stalled' : 'limit';
      if (kernel.runUntil(atMost)) continue;
      kernel.runUntil(
        endAfter(group.lastFinish, linkLatencies(topology, this.#tables.buses), topology),
      );
      return 'done';
    }
  }

  /** Runs up to an instant, whatever the workloads do. */
  runUntil(time: number): void {
    this.#start();
    this.kernel.runUntil(time);
  }

  get outcome(): GroupOutcome {
    return this.group.outcome();
  }

  get digest(): string {
    return combineDigests(this.outcome.nodes.map(({ lanes }) => lanes));
  }

  /** Result of the workload with this index. */
  result(index = 0): WorkloadResult {
    return this.outcome.workloads[index].result;
  }

  get violations(): readonly Violation[] {
    return this.outcome.nodes.flatMap(({ described }) => described);
  }

  get violationCodes(): string[] {
    return [...new Set(this.violations.map(({ code }) => code))].sort();
  }

  /** Types of the messages seen, in order, of one device or of the bus (`null`). */
  typesOf(device: number | null): string[] {
    return this.messages
      .filter(({ bytes, message }) =>
        device === null ? (bytes[0] & 2) !== 0 : (bytes[0] & 2) === 0 && message.dev === device,
      )
      .map(({ message }) => message.type);
  }

  #start(): void {
    if (!this.#started) this.group.start();
    this.#started = true;
  }

  /** Puts itself between the models and the kernel's `send`. */
  #tap(): void {
    const { kernel, topology } = this;
    const send = kernel.send.bind(kernel);
    const codecs = topology.buses.map((bus) => codec(bus.revision, ffaMessages) as Decoder);
    kernel.send = (fromNode, toNode, toPort, delay, packet) => {
      const passes = this.filter({ at: kernel.now, fromNode, delay, packet });
      if (!passes) return kernel.packets.release(packet);
      if (packet.kind === DIRECT_REQUEST || packet.kind === DIRECT_RESPONSE) {
        const bytes = packet.bytes.slice(0, packet.length);
        const from = packet.kind === DIRECT_REQUEST ? 'driver' : 'device';
        const bus = topology.buses.findIndex(
          (plan) =>
            plan.type === 'ffa' &&
            plan[from] === fromNode &&
            plan[from === 'driver' ? 'devicePort' : 'driverPort'] === toPort,
        );
        if (bus >= 0) this.messages.push(new SeenMessage(kernel.now, from, bytes, codecs[bus]));
      }
      send(fromNode, toNode, toPort, delay, packet);
    };
  }
}
