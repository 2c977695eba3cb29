// A subchannel as the device model serves it: it fetches the command words of a program and their data by
// DMA, has them done, and keeps the status that the program ends with.
import type { DmaClient, DmaPort } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  CCW_SIZE,
  CHAIN_COMMAND,
  CHANNEL_AND_DEVICE_END,
  CHANNEL_END,
  type ChannelCommand,
  COMMAND_REJECT,
  decodeCommand,
  encodeIrb,
  INCORRECT_LENGTH,
  IRB_SIZE,
  PROGRAM_CHECK,
  PROTECTION_CHECK,
  SUPPRESS_LENGTH,
  type SubchannelStatus,
  UNIT_CHECK,
} from './blocks.ts';
import type { CcwDeviceTransport } from './ccw-device.ts';
import { Condition, commandOf, commands, TRANSFER_IN_CHANNEL } from './commands.ts';
import {
  type SubchannelEffect,
  type SubchannelEvent,
  SubchannelEvents,
  subchannelChart,
} from './subchannel-chart.ts';
import type { CcwTiming } from './timing.ts';

const TAG_COMMAND = 0;
const TAG_DATA = 1;
const TAG_RESULT = 2;
/** A program of more commands goes round in circles. */
const COMMANDS_MAX = 256;

/** The status of a device that has something to say. */
const ALERT: SubchannelStatus = {
  ended: false,
  deviceStatus: 0,
  subchannelStatus: 0,
  residue: 0,
  sense: 0,
};
const NO_COMMAND: ChannelCommand = { code: 0, flags: 0, count: 0, address: 0 };

export interface SubchannelOptions {
  readonly node: Node;
  readonly name: string;
  readonly timing: CcwTiming;
  readonly dma: DmaPort;
  interrupt(): void;
}

export class Subchannel implements DmaClient, CpuClient {
  /** Commands done, rejected ones included. */
  commands = 0;
  readonly #options: SubchannelOptions;
  readonly #chart: Chart<unknown, SubchannelEvent>;
  #unit: CcwDeviceTransport | null = null;
  #address = 0;
  #command = NO_COMMAND;
  #data = new Uint8Array(0);
  /** Commands of this program so far. */
  #count = 0;
  #status: SubchannelStatus = ALERT;
  /** The sense byte of the last program that had one. */
  #sense = 0;
  readonly #irb = new Uint8Array(IRB_SIZE);

  constructor(options: SubchannelOptions) {
    this.#options = options;
    this.#chart = options.node.charts.start(subchannelChart, {
      name: `${options.name}.subchannel`,
      perform: (effect: SubchannelEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  connect(unit: CcwDeviceTransport): void {
    this.#unit = unit;
  }

  get enabled(): boolean {
    return !this.#chart.matches('disabled');
  }

  /** MODIFY SUBCHANNEL. Returns the condition code, as the others do. */
  modify(enable: boolean): number {
    if (this.#chart.matches('pending')) return Condition.STATUS_PENDING;
    if (this.enabled && !this.#chart.matches('idle')) return Condition.BUSY;
    this.#chart.send(enable ? SubchannelEvents.ENABLE : SubchannelEvents.DISABLE);
    return Condition.DONE;
  }

  /** START SUBCHANNEL with the address of a program. */
  start(program: number): number {
    if (!this.enabled) return Condition.NOT_OPERATIONAL;
    if (this.#chart.matches('pending')) return Condition.STATUS_PENDING;
    if (!this.#chart.matches('idle')) return Condition.BUSY;
    this.#address = program;
    this.#count = 0;
    this.#chart.send(SubchannelEvents.START);
    return Condition.DONE;
  }

  /** TEST SUBCHANNEL: writes the response block, and has nothing to tell any more. */
  test(irbAddress: number): number {
    if (!this.enabled) return Condition.NOT_OPERATIONAL;
    if (!this.#chart.matches('pending')) return Condition.STATUS_PENDING;
    encodeIrb(this.#irb, this.#address, this.#status);
    const { dma } = this.#options;
    dma.writeSegment(irbAddress, this.#irb, 0, IRB_SIZE);
    dma.write(this, TAG_RESULT);
    this.#chart.send(SubchannelEvents.TEST);
    return Condition.DONE;
  }

  /** The device has something to say: an interrupt, unless one comes anyhow. */
  alert(): void {
    if (!this.#chart.matches('idle')) return;
    this.#status = ALERT;
    this.#chart.send(SubchannelEvents.ALERT);
  }

  /** The device was taken away; a program under way comes to nothing. */
  gone(): void {
    this.#chart.send(SubchannelEvents.GONE);
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    if (!this.enabled) return;
    if (tag === TAG_COMMAND) return this.#fetched(decodeCommand(bytes, 0));
    this.#data = bytes.slice(0, length);
    this.#chart.send(SubchannelEvents.READY);
  }

  refused(tag: number): void {
    // A response block or a result that could not be stored: nothing waits for it.
    if (tag === TAG_RESULT) return;
    this.#end(PROTECTION_CHECK, 0);
  }

  /** A command's cost has been paid. */
  deliver(): void {
    if (!this.#chart.matches('executing')) return;
    this.commands++;
    const { code, flags, count, address } = this.#command;
    const name = commandOf(code);
    const { size } = name === null ? commands.NOP : commands[name];
    if (name === null) return this.#end(0, COMMAND_REJECT);
    if (count < size) return this.#end(INCORRECT_LENGTH, 0);
    const isSense = name === 'SENSE';
    const result = isSense ? this.#takeSense() : this.#unit!.execute(name, this.#data, count);
    if (result === null) return this.#end(0, COMMAND_REJECT);
    const moved = commands[name].access === 'write' ? Math.max(size, this.#used()) : result.length;
    const residue = count - Math.min(count, moved);
    if (result.length > 0 && !this.#store(result, address, count)) {
      return this.#end(PROTECTION_CHECK, 0);
    }
    if (residue > 0 && (flags & SUPPRESS_LENGTH) === 0) return this.#end(INCORRECT_LENGTH, 0);
    if ((flags & CHAIN_COMMAND) !== 0) return this.#chart.send(SubchannelEvents.NEXT);
    this.#end(0, 0, residue);
  }

  #perform(effect: SubchannelEffect): void {
    const { node, timing, dma, interrupt } = this.#options;
    switch (effect.type) {
      case 'forgetRevision':
        return this.#unit!.forgetRevision();
      case 'fetchCommand':
        return this.#fetch();
      case 'fetchData':
        dma.readSegment(this.#command.address, this.#command.count);
        return dma.read(this, TAG_DATA);
      case 'execute':
        return node.cpu.submit(Priority.task, node.charge(timing.command), this, 0);
      case 'interrupt':
        return interrupt();
    }
  }

  #fetch(): void {
    const inReach = this.#address % CCW_SIZE === 0 && this.#address < CHANNEL_END;
    const at = this.#address;
    // The status names the word behind the one that was looked at.
    this.#address += CCW_SIZE;
    if (!inReach || this.#count++ === COMMANDS_MAX) return this.#end(PROGRAM_CHECK, 0);
    this.#options.dma.readSegment(at, CCW_SIZE);
    this.#options.dma.read(this, TAG_COMMAND);
  }

  #fetched(command: ChannelCommand): void {
    this.#command = command;
    this.#data = NOTHING;
    if (command.code === TRANSFER_IN_CHANNEL) {
      this.#address = command.address;
      return this.#chart.send(SubchannelEvents.NEXT);
    }
    const name = commandOf(command.code);
    const access = name === null ? 'none' : commands[name].access;
    const needsData = (access === 'write' || access === 'both') && command.count > 0;
    this.#chart.send(needsData ? SubchannelEvents.NEEDS_DATA : SubchannelEvents.READY);
  }

  /** Bytes of data that a command which takes them has taken: configuration is taken whole. */
  #used(): number {
    return this.#command.code === commands.WRITE_CONF.code ? this.#command.count : 0;
  }

  #takeSense(): Uint8Array {
    const sense = Uint8Array.of(this.#sense);
    this.#sense = 0;
    return sense;
  }

  #store(result: Uint8Array, address: number, count: number): boolean {
    const { dma } = this.#options;
    dma.writeSegment(address, result, 0, Math.min(count, result.length));
    return dma.write(this, TAG_RESULT);
  }

  #end(subchannelStatus: number, sense: number, residue = 0): void {
    if (sense !== 0) this.#sense = sense;
    const deviceStatus = CHANNEL_AND_DEVICE_END | (sense === 0 ? 0 : UNIT_CHECK);
    this.#status = { ended: true, deviceStatus, subchannelStatus, residue, sense };
    this.#chart.send(SubchannelEvents.END);
  }
}

const NOTHING = new Uint8Array(0);
