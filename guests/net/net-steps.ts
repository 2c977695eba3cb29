// The steps that a script may have a network device do: commands of its control queue, and frames as they are.
import { z } from 'zod';
import { parseMac } from '../../platform/network/index.ts';
import { count } from '../../platform/scenario/fields.ts';
import {
  type Bytes,
  bytesField,
  bytesOf,
  defineRows,
  defineSteps,
  differenceOf,
  lengthOf,
  patternField,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
  withinField,
} from '../common/index.ts';
import { addVlan, hearAll, hearAllGroups, hearGroups, removeVlan } from './commands.ts';
import type { Command } from './control-channel.ts';
import type { NetDriver } from './net-driver.ts';

/** Shorter frames than an Ethernet header say to nobody whom they are for. */
const FRAME_MIN = 14;

const command = { outcomes: ['ok', 'refused', 'unsupported', 'lost'], isRequest: true } as const;
const vlan = count({ max: 4095 }).describe('The VLAN.');
const byte = () => count({ max: 255 });

const rows = defineRows({
  receiveMode: {
    doc: 'Asks for frames that are not for this device, or no longer.',
    fields: {
      mode: z.enum(['promiscuous', 'allMulticast']).describe('All frames, or all to groups.'),
      on: z.boolean().default(true).describe('Whether they are wanted.'),
    },
    ...command,
  },
  addVlan: { doc: 'Asks for the frames of a VLAN.', fields: { vlan }, ...command },
  removeVlan: { doc: 'Asks for the frames of a VLAN no longer.', fields: { vlan }, ...command },
  groups: {
    doc: 'Asks for frames to these groups, and to no others.',
    fields: {
      of: z
        .array(
          z
            .string()
            .refine(
              (text) => parseMac(text) !== null,
              'a MAC address is written 02:00:00:00:00:01',
            ),
        )
        .describe('MAC addresses.'),
    },
    ...command,
  },
  command: {
    doc: 'Sends any command of the control queue.',
    fields: {
      class: byte().describe('The class of the command.'),
      command: byte().describe('The command.'),
      data: bytesField().optional().describe('What follows: a number, or hexadecimal digits.'),
    },
    ...command,
  },
  send: {
    doc: 'Sends a frame as it is.',
    fields: { frame: bytesField().describe('From the destination on, in hexadecimal digits.') },
    rule: (step) =>
      lengthOf(step.frame as Bytes) < FRAME_MIN ? `at least ${FRAME_MIN} bytes of frame` : null,
    // Without a cable, or without room, a frame is dropped.
    outcomes: ['ok', 'dropped'],
  },
  receive: {
    doc: 'Waits for a frame that begins like this; others that come before it do not matter.',
    fields: {
      frame: patternField().describe('From the destination on, in hexadecimal digits, ? for any.'),
      within: withinField(),
    },
    outcomes: ['ok', 'timeout'],
  },
});

type NetStep = StepOf<typeof rows>;
type CommandStep = Exclude<NetStep, { readonly do: 'send' | 'receive' }>;

/** Frames that are kept until a step asks for one. */
const FRAMES_MAX = 1024;

class NetPlayer implements StepPlayer<NetStep> {
  readonly #port: ScriptPort<NetDriver, NetStep>;
  /** Frames that came and that no step has taken, if there are steps that do. */
  readonly #frames: Uint8Array[] = [];
  #step: NetStep | null = null;

  constructor(port: ScriptPort<NetDriver, NetStep>) {
    this.#port = port;
    if (!port.steps.some((step) => step.do === 'receive')) return;
    port.driver.listen((bytes, length) => this.#came(bytes.slice(0, length)));
  }

  begin(step: NetStep): void {
    const { driver } = this.#port;
    this.#step = step;
    if (step.do === 'send') {
      return this.#end(driver.sendFrame(bytesOf(step.frame)) ? 'ok' : 'dropped');
    }
    if (step.do === 'receive') {
      this.#port.expireAfter(step.within);
      return this.#take();
    }
    const sent = driver.command(commandOf(step), (ok) => {
      // The answer may be to a command that a reset has ended for the script.
      if (this.#step === step) this.#end(ok ? 'ok' : 'refused');
    });
    if (!sent) this.#end('unsupported');
  }

  expired(): void {
    if (this.#step?.do !== 'receive') return;
    const detail = `found ${this.#frames.length} other frames`;
    this.#frames.length = 0;
    this.#end('timeout', detail);
  }

  /** A command that was under way is never answered. */
  deviceInterrupted(): void {
    const kind = this.#step?.do;
    if (kind !== undefined && kind !== 'receive') this.#end('lost');
  }

  deviceDown(): void {
    this.deviceInterrupted();
  }

  #came(frame: Uint8Array): void {
    if (this.#frames.length === FRAMES_MAX) this.#frames.shift();
    this.#frames.push(frame);
    this.#take();
  }

  #take(): void {
    if (this.#step?.do !== 'receive') return;
    const { frame: wanted } = this.#step;
    const length = lengthOf(wanted);
    const index = this.#frames.findIndex(
      (frame) => frame.length >= length && differenceOf(frame, length, wanted) === null,
    );
    if (index < 0) return;
    this.#frames.splice(0, index + 1);
    this.#end('ok');
  }

  #end(outcome: string, detail: string | null = null): void {
    this.#step = null;
    this.#port.end({ outcome, detail });
  }
}

function commandOf(step: CommandStep): Command {
  switch (step.do) {
    case 'receiveMode':
      return step.mode === 'promiscuous' ? hearAll(step.on) : hearAllGroups(step.on);
    case 'addVlan':
      return addVlan(step.vlan);
    case 'removeVlan':
      return removeVlan(step.vlan);
    case 'groups':
      return hearGroups(step.of.map((text) => parseMac(text)!));
    case 'command': {
      const data = step.data === undefined ? new Uint8Array(0) : bytesOf(step.data);
      return { type: step.class, command: step.command, data };
    }
  }
}

export const netSteps = defineSteps(
  rows,
  (port: ScriptPort<NetDriver, NetStep>) => new NetPlayer(port),
);
