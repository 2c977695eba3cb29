// The guest's end of virtio-ccw: a subchannel for each device, an interrupt for each, one adapter interrupt
// for all, and all of its memory open to the device model.
import type {
  BusEnvironment,
  DevicePlan,
  DriverEnd,
  DriverTransport,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { InterruptLine, interruptTotals, type Node } from '../../platform/node/index.ts';
import { DMA_READ, DMA_WRITE, GuestMemory } from '../common/index.ts';
import { AdapterIndicators } from './adapter-indicators.ts';
import { reportedSubchannel } from './blocks.ts';
import { CcwDriverTransport } from './ccw-driver.ts';
import { Condition, Instruction } from './commands.ts';
import { InstructionPort } from './instruction-port.ts';
import type { CcwOptions, CcwPlan } from './options.ts';
import {
  ADAPTER_INTERRUPT,
  BITS_SET,
  CHANNEL_REPORT,
  INSTRUCTION_DONE,
  INTERRUPT,
  SET_BITS,
} from './packets.ts';
import { ccwTimingIds } from './timing.ts';

export class CcwDriverEnd implements DriverEnd, Component {
  readonly #node: Node;
  readonly #plan: CcwPlan;
  readonly #port: InstructionPort;
  readonly #memory: GuestMemory;
  readonly #adapter: AdapterIndicators;
  readonly #adapterLine: InterruptLine;
  readonly #transports = new Map<number, CcwDriverTransport>();
  /** The machine check of the channel subsystem; null where all devices stay. */
  #reportLine: InterruptLine | null = null;
  readonly #lines = new Map<number, InterruptLine>();

  constructor({ node, plan }: BusEnvironment<CcwOptions>) {
    this.#node = node;
    this.#plan = plan;
    node.kernel.bindPort(plan.driverPort, node.add(this));
    this.#port = new InstructionPort({
      node,
      timing: ccwTimingIds(node.costs),
      post: (kind, a, b, c, delay) => this.#send(this.#packet(kind, a, b, c), delay),
    });
    this.#memory = new GuestMemory(node, plan);
    this.#adapter = new AdapterIndicators(node);
    this.#adapterLine = new InterruptLine(node, () => this.#adapter.interrupted());
  }

  transport(plan: DevicePlan): DriverTransport {
    const { name, number } = plan;
    const comesOrGoes = plan.addAt !== undefined || plan.removeAt !== undefined;
    if (comesOrGoes) this.#reportLine ??= new InterruptLine(this.#node, () => this.#readReport());
    const transport = new CcwDriverTransport({
      node: this.#node,
      port: this.#port,
      device: number,
      name,
      options: this.#plan.options,
      adapter: this.#adapter,
      comesOrGoes,
    });
    this.#transports.set(number, transport);
    this.#lines.set(number, new InterruptLine(this.#node, () => transport.interrupted()));
    return transport;
  }

  start(): void {
    for (const transport of this.#transports.values()) transport.start();
  }

  receive(packet: Packet): void {
    switch (packet.kind) {
      case INSTRUCTION_DONE:
        return this.#port.served(packet.b, packet.c);
      case INTERRUPT:
        return this.#lines.get(packet.a)!.raise();
      case CHANNEL_REPORT:
        return this.#reportLine!.raise();
      case ADAPTER_INTERRUPT:
        return this.#adapterLine.raise();
      case SET_BITS:
        return this.#setBits(packet.a, packet.b, packet.c);
      case DMA_READ:
      case DMA_WRITE:
        return this.#memory.target.receive(packet);
      default:
        assert(false, `${this.#plan.name}: packet of kind ${packet.kind} at the guest's end`);
    }
  }

  /** All its work is the port's and the lines'. */
  deliver(): void {}

  statistics(): Statistics {
    let programs = 0;
    for (const transport of this.#transports.values()) programs += transport.programs;
    return {
      messages: 0,
      bytes: 0,
      exits: this.#port.exits,
      kernelExits: this.#port.kernelExits,
      programs,
      ...interruptTotals([this.#adapterLine, ...this.#lines.values()]),
      adapterInterrupts: this.#adapterLine.taken,
      ...this.#memory.target.link.statistics('driver'),
    };
  }

  /** Stores report after report; the subchannel that one names is looked at anew. */
  #readReport(): void {
    this.#port.issue(0, Instruction.STCRW, 0, (condition, report) => {
      if (condition !== Condition.DONE) return;
      this.#transports.get(reportedSubchannel(report))?.evaluate();
      this.#readReport();
    });
  }

  /** An indicator is set by the device model's core, and its summary after it. */
  #setBits(address: number, bits: number, summary: number): void {
    const before = this.#orByte(address, bits);
    if (summary === 0 || before < 0) return;
    const summaryBefore = this.#orByte(summary, 1);
    if (summaryBefore < 0) return;
    const delay = this.#memory.target.link.arrivalDelay(1);
    this.#send(this.#packet(BITS_SET, summaryBefore), delay);
  }

  /** Returns the byte as it was, or -1 where the device model may not write. */
  #orByte(address: number, bits: number): number {
    if (!this.#memory.writable(address)) {
      const text = `${this.#plan.name}: no indicator can be at 0x${address.toString(16)}`;
      this.#node.violations.report('DMA_FAULT', text);
      return -1;
    }
    const before = this.#node.memory.readU8(address);
    this.#node.memory.writeU8(address, before | bits);
    return before;
  }

  #packet(kind: number, a = 0, b = 0, c = 0): Packet {
    return this.#node.kernel.packets.acquire(0).label(kind, a, b, c);
  }

  #send(packet: Packet, delay: number): void {
    const { kernel, index } = this.#node;
    kernel.send(index, this.#plan.device, this.#plan.devicePort, delay, packet);
  }
}
