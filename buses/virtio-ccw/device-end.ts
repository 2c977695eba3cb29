// The device model's end of virtio-ccw: it serves I/O instructions and notifications, and injects
// interrupts.
import type {
  BusEnvironment,
  DeviceEnd,
  DeviceModel,
  DevicePlan,
  Statistics,
} from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component, Packet } from '../../platform/kernel/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  DMA_DATA,
  DMA_REFUSED,
  guestMemoryPort,
  planHotPlug,
  type SharedMemoryPort,
} from '../common/index.ts';
import { subchannelReport } from './blocks.ts';
import { CcwDeviceTransport } from './ccw-device.ts';
import { Condition, Instruction, NO_REPORT } from './commands.ts';
import type { CcwOptions, CcwPlan } from './options.ts';
import {
  ADAPTER_INTERRUPT,
  BITS_SET,
  CHANNEL_REPORT,
  INSTRUCTION,
  INSTRUCTION_DONE,
  INTERRUPT,
  NOTIFY,
  SET_BITS,
} from './packets.ts';
import { Subchannel } from './subchannel.ts';
import { type CcwTiming, ccwTimingIds } from './timing.ts';

const SERVE = 0;
const NOTIFIED = 1;

interface Served {
  readonly subchannel: Subchannel;
  readonly unit: CcwDeviceTransport;
  /** It has not been taken away, or is not yet to come. */
  isPresent: boolean;
}

export class CcwDeviceEnd implements DeviceEnd, Component, CpuClient {
  readonly #node: Node;
  readonly #plan: CcwPlan;
  readonly #timing: CcwTiming;
  readonly #port: SharedMemoryPort;
  readonly #devices = new Map<number, Served>();
  /** The instruction being served; the guest has one under way at a time. */
  #issued = { device: 0, instruction: 0, operand: 0 };
  #value = 0;
  /** The guest has issued an instruction. */
  #heard = false;
  /** Channel reports for STCRW, oldest first; a machine check tells of the first one. */
  readonly #reports: number[] = [];
  #checked = false;
  #interrupts = 0;
  #adapterInterrupts = 0;
  #indicatorsSet = 0;

  constructor({ node, plan }: BusEnvironment<CcwOptions>) {
    this.#node = node;
    this.#plan = plan;
    this.#timing = ccwTimingIds(node.costs);
    node.kernel.bindPort(plan.devicePort, node.add(this));
    this.#port = guestMemoryPort(node, plan);
  }

  connect(device: DevicePlan, model: DeviceModel): void {
    const { name, number } = device;
    const subchannel = new Subchannel({
      node: this.#node,
      name,
      timing: this.#timing,
      dma: this.#port,
      interrupt: () => this.#interrupt(number),
    });
    const unit = new CcwDeviceTransport({
      model,
      dma: this.#port,
      setBits: (address, bits, summary) => this.#setBits(address, bits, summary),
      alert: () => subchannel.alert(),
    });
    subchannel.connect(unit);
    this.#devices.set(number, { subchannel, unit, isPresent: true });
    planHotPlug(this.#node, device, this);
  }

  /** The guest is told by a channel report, once it has looked at a subchannel. */
  setPresent(number: number, present: boolean): void {
    const served = this.#devices.get(number)!;
    served.isPresent = present;
    if (!present) {
      served.subchannel.gone();
      served.unit.gone();
    }
    if (!this.#heard) return;
    this.#reports.push(subchannelReport(number));
    if (this.#checked) return;
    this.#checked = true;
    this.#send(this.#packet(CHANNEL_REPORT), this.#node.charge(this.#timing.inject));
  }

  receive(packet: Packet): void {
    const { cpu } = this.#node;
    switch (packet.kind) {
      case INSTRUCTION: {
        this.#heard = true;
        const { a: device, b: instruction, c: operand } = packet;
        this.#issued = { device, instruction, operand };
        const cost = this.#node.charge(this.#timing.emulate);
        return cpu.submit(Priority.interrupt, cost, this, SERVE);
      }
      case NOTIFY: {
        const cost = this.#node.charge(this.#timing.emulate);
        return cpu.submit(Priority.task, cost, this, NOTIFIED, packet.a, packet.b);
      }
      case BITS_SET:
        // A summary that was set already: its interrupt is on its way, or being handled.
        if (packet.a === 0) this.#adapterInterrupt();
        return;
      case DMA_DATA:
      case DMA_REFUSED:
        return this.#port.receive(packet);
      default:
        assert(false, `${this.#plan.name}: packet of kind ${packet.kind} at the model's end`);
    }
  }

  deliver(step: number, device: number, data: number): void {
    if (step === NOTIFIED) {
      this.#find(device)?.unit.notified(data);
      return;
    }
    this.#value = 0;
    const condition = this.#serve();
    const exit = this.#node.charge(this.#timing.exit);
    const { device: number } = this.#issued;
    this.#send(this.#packet(INSTRUCTION_DONE, number, condition, this.#value), exit);
  }

  statistics(): Statistics {
    let commands = 0;
    for (const { subchannel } of this.#devices.values()) commands += subchannel.commands;
    return {
      messages: 0,
      bytes: 0,
      channelCommands: commands,
      indicatorsSet: this.#indicatorsSet,
      interruptsInjected: this.#interrupts + this.#adapterInterrupts,
      adapterInterruptsInjected: this.#adapterInterrupts,
      ...this.#port.statistics(),
      ...this.#port.link.statistics('device'),
    };
  }

  /** Returns the condition code. */
  #serve(): number {
    const { device, instruction, operand } = this.#issued;
    if (instruction === Instruction.STCRW) return this.#storeReport();
    const served = this.#find(device);
    if (served === null) return Condition.NOT_OPERATIONAL;
    const { subchannel, unit } = served;
    switch (instruction) {
      case Instruction.STSCH:
        this.#value = subchannel.enabled ? 1 : 0;
        return Condition.DONE;
      case Instruction.MSCH:
        return subchannel.modify(operand === 1);
      case Instruction.SSCH:
        return subchannel.start(operand);
      case Instruction.TSCH:
        return subchannel.test(operand);
      default:
        unit.notified(operand);
        return Condition.DONE;
    }
  }

  /** STORE CHANNEL REPORT WORD. When there is none, the next one makes a machine check again. */
  #storeReport(): number {
    const report = this.#reports.shift();
    this.#checked = report !== undefined;
    if (report === undefined) return NO_REPORT;
    this.#value = report;
    return Condition.DONE;
  }

  #find(device: number): Served | null {
    const served = this.#devices.get(device);
    return served?.isPresent ? served : null;
  }

  #setBits(address: number, bits: number, summary: number): void {
    this.#indicatorsSet++;
    const delay = this.#port.link.arrivalDelay(1);
    this.#send(this.#packet(SET_BITS, address, bits, summary), delay);
  }

  #interrupt(device: number): void {
    this.#interrupts++;
    this.#send(this.#packet(INTERRUPT, device), this.#node.charge(this.#timing.inject));
  }

  #adapterInterrupt(): void {
    this.#adapterInterrupts++;
    this.#send(this.#packet(ADAPTER_INTERRUPT), this.#node.charge(this.#timing.inject));
  }

  #packet(kind: number, a = 0, b = 0, c = 0): Packet {
    return this.#node.kernel.packets.acquire(0).label(kind, a, b, c);
  }

  /** Nothing sent here overtakes DMA writes that were posted before. */
  #send(packet: Packet, delay: number): void {
    const { kernel, index } = this.#node;
    const total = delay + this.#port.link.orderingDelay(delay);
    kernel.send(index, this.#plan.driver, this.#plan.driverPort, total, packet);
  }
}
