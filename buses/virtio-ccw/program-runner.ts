// Runs a driver's channel programs on one subchannel, one after another: it writes command words and data
// into guest memory, starts the subchannel, and reads what came of it after the interrupt.
//
//   area:  command words │ IRB │ indicators (queues, configuration) │ data of the commands …
import { assert } from '../../platform/errors.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  CCW_SIZE,
  CHAIN_COMMAND,
  CHANNEL_END,
  decodeIrb,
  encodeCommand,
  hasEnded,
  IRB_SIZE,
  SUPPRESS_LENGTH,
} from './blocks.ts';
import { type CommandName, Condition, commands, Instruction } from './commands.ts';
import type { InstructionPort } from './instruction-port.ts';
import {
  type ProgramEffect,
  type ProgramEvent,
  ProgramEvents,
  programChart,
} from './program-chart.ts';

const COMMANDS_MAX = 8;
const IRB_AT = COMMANDS_MAX * CCW_SIZE;
const INDICATORS_AT = IRB_AT + IRB_SIZE;
const CONFIG_INDICATORS_AT = INDICATORS_AT + 8;
const DATA_AT = CONFIG_INDICATORS_AT + 8;
const AREA_SIZE = 1024;
/** Data blocks start at such addresses. */
const DATA_ALIGNMENT = 8;

export interface Command {
  readonly name: CommandName;
  /** What the command takes, or room for what it brings. */
  readonly data: Uint8Array;
}

/** How a program ended. */
export interface ProgramResult {
  /** All commands were done. */
  readonly ok: boolean;
  /** How many were done. */
  readonly done: number;
  /** The data of each command as they are now. */
  readonly data: readonly Uint8Array[];
}

interface Program {
  readonly commands: readonly Command[];
  readonly done: (result: ProgramResult) => void;
}

/** What waits for its turn: a program, or something for which none may be under way. */
type Job = Program | ((over: () => void) => void);

export interface ProgramRunnerOptions {
  readonly node: Node;
  readonly port: InstructionPort;
  readonly device: number;
  /** Names the chart. */
  readonly name: string;
  /** A status was collected: indicators may be set. */
  tested(): void;
}

export class ProgramRunner {
  /** Programs started, those started again included. */
  started = 0;
  /** Where classic indicators lie, and those of configuration changes. */
  readonly indicators: number;
  readonly configIndicators: number;
  readonly #options: ProgramRunnerOptions;
  readonly #chart: Chart<unknown, ProgramEvent>;
  readonly #area: number;
  readonly #irb = new Uint8Array(IRB_SIZE);
  readonly #jobs: Job[] = [];
  /** How the program under way ended; null when its subchannel is not there. */
  #status: ReturnType<typeof decodeIrb> | null = null;

  constructor(options: ProgramRunnerOptions) {
    this.#options = options;
    const { node, name } = options;
    this.#area = node.memory.allocate(AREA_SIZE, AREA_SIZE);
    assert(this.#area + AREA_SIZE <= CHANNEL_END, 'channel programs lie below 2 GiB');
    this.indicators = this.#area + INDICATORS_AT;
    this.configIndicators = this.#area + CONFIG_INDICATORS_AT;
    this.#chart = node.charts.start(programChart, {
      name,
      perform: (effect: ProgramEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** Runs commands, chained, when those before are over. */
  run(list: readonly Command[], done: (result: ProgramResult) => void): void {
    assert(list.length <= COMMANDS_MAX, 'a program is too long for its area');
    this.#push({ commands: list, done });
  }

  /** Calls `action` when no program is under way; none is until it calls `over`. */
  exclusively(action: (over: () => void) => void): void {
    this.#push(action);
  }

  /** The interrupt handler: collects the subchannel's status. */
  interrupted(): void {
    const { port, device } = this.#options;
    port.issue(device, Instruction.TSCH, this.#area + IRB_AT, (condition) => {
      if (condition !== Condition.DONE) return;
      this.#options.node.memory.copyOut(this.#area + IRB_AT, this.#irb, 0, IRB_SIZE);
      const ended = hasEnded(this.#irb);
      if (ended) this.#status = decodeIrb(this.#irb);
      this.#chart.send(ended ? ProgramEvents.ENDED : ProgramEvents.TESTED);
      this.#options.tested();
    });
  }

  #push(job: Job): void {
    if (this.#jobs.push(job) === 1) this.#begin();
  }

  #begin(): void {
    const job = this.#jobs[0];
    if (typeof job === 'function') return job(() => this.#next());
    this.#write(job.commands);
    this.#chart.send(ProgramEvents.START);
  }

  #next(): void {
    this.#jobs.shift();
    if (this.#jobs.length > 0) this.#begin();
  }

  /** Writes the command words and their data into memory. */
  #write(list: readonly Command[]): void {
    const { memory } = this.#options.node;
    const words = new Uint8Array(list.length * CCW_SIZE);
    let address = this.#area + DATA_AT;
    for (const [i, { name, data }] of list.entries()) {
      const chain = i < list.length - 1 ? CHAIN_COMMAND : 0;
      const { code } = commands[name];
      const flags = SUPPRESS_LENGTH | chain;
      encodeCommand(words, i * CCW_SIZE, { code, flags, count: data.length, address });
      memory.copyIn(address, data, 0, data.length);
      address = afterData(address, data.length);
    }
    assert(address <= this.#area + AREA_SIZE, 'data of a program are too long for its area');
    memory.copyIn(this.#area, words, 0, words.length);
  }

  #perform(effect: ProgramEffect): void {
    if (effect.type === 'over') return this.#over();
    this.started++;
    this.#status = null;
    const { port, device } = this.#options;
    port.issue(device, Instruction.SSCH, this.#area, (condition) => {
      // Nobody else starts programs here: the subchannel can't be busy with one.
      assert(condition !== Condition.BUSY, 'a program was started while another runs');
      if (condition === Condition.DONE) this.#chart.send(ProgramEvents.ACCEPTED);
      else if (condition === Condition.STATUS_PENDING) {
        this.#chart.send(ProgramEvents.STATUS_PENDING);
      } else this.#chart.send(ProgramEvents.NOT_OPERATIONAL);
    });
  }

  #over(): void {
    const { commands: list, done } = this.#jobs[0] as Program;
    const status = this.#status;
    const looked = status === null ? 0 : (status.commandAddress - this.#area) / CCW_SIZE;
    const failed = status === null || status.sense !== 0 || status.subchannelStatus !== 0;
    const count = failed ? Math.max(0, looked - 1) : looked;
    const data = this.#readData(list);
    this.#next();
    done({ ok: !failed && count === list.length, done: count, data });
  }

  #readData(list: readonly Command[]): Uint8Array[] {
    const { memory } = this.#options.node;
    let address = this.#area + DATA_AT;
    return list.map(({ data: { length } }) => {
      const bytes = new Uint8Array(length);
      memory.copyOut(address, bytes, 0, length);
      address = afterData(address, length);
      return bytes;
    });
  }
}

function afterData(address: number, length: number): number {
  return Math.ceil((address + length) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
}
