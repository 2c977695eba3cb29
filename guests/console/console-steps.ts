// The steps that a script may have a console do: a conversation on its ports.
import type { Node } from '../../platform/node/index.ts';
import { count } from '../../platform/scenario/fields.ts';
import { CONSOLE_PORTS_MAX } from '../../platform/virtio/index.ts';
import {
  awaitedFields,
  type Bytes,
  bytesOf,
  contentOf,
  defineRows,
  defineSteps,
  Inbox,
  lengthOf,
  oneOf,
  type ScriptPort,
  type StepOf,
  type StepPlayer,
  sentFields,
  withinField,
} from '../common/index.ts';
import type { ConsoleDriver } from './console-driver.ts';
import type { ConsoleClient } from './driver-port.ts';

const port = count({ max: CONSOLE_PORTS_MAX - 1 })
  .default(0)
  .describe('The port.');

const rows = defineRows({
  write: {
    doc: 'Writes to a port, once it is open.',
    fields: { port, ...sentFields, within: withinField() },
    rule: oneOf('text', 'bytes'),
    outcomes: ['ok', 'timeout', 'lost'],
    isRequest: true,
  },
  receive: {
    doc: 'Waits until as much has come from a port as is expected, and compares.',
    fields: { port, ...awaitedFields, within: withinField() },
    rule: oneOf('text', 'bytes'),
    outcomes: ['ok', 'timeout'],
  },
});

type ConsoleStep = StepOf<typeof rows>;

/** A port as a script uses it. */
class PortUser implements ConsoleClient {
  readonly inbox = new Inbox();
  readonly slot: number;
  isOpen = false;
  /** The device has not taken what was written last. */
  isBusy = false;
  readonly #player: ConsolePlayer;
  readonly #node: Node;

  constructor(player: ConsolePlayer, driver: ConsoleDriver, index: number, bytes: number) {
    this.#player = player;
    this.#node = driver.node;
    this.slot = driver.reserve(this, index, 1, bytes);
  }

  consoleReady(): void {
    this.isOpen = true;
    this.#player.goOn(this);
  }

  consoleReceived(address: number, length: number): void {
    const bytes = new Uint8Array(length);
    this.#node.memory.copyOut(address, bytes, 0, length);
    this.inbox.add(bytes, length);
    this.#player.goOn(this);
  }

  consoleSent(): void {
    this.isBusy = false;
    this.#player.sent(this);
  }

  consoleEmergency(): void {}

  /** The port may be plugged in again; what was written to it is lost. */
  consoleDown(): void {
    this.isOpen = false;
    const lost = this.isBusy;
    this.isBusy = false;
    if (lost) this.#player.lost(this);
  }
}

class ConsolePlayer implements StepPlayer<ConsoleStep> {
  readonly #port: ScriptPort<ConsoleDriver, ConsoleStep>;
  readonly #users = new Map<number, PortUser>();
  #step: ConsoleStep | null = null;
  /** The step under way has written. */
  #written = false;

  constructor(script: ScriptPort<ConsoleDriver, ConsoleStep>) {
    this.#port = script;
    const { steps } = script;
    for (const index of new Set(steps.map((step) => step.port))) {
      const own = steps.filter((step) => step.port === index && step.do === 'write');
      const longest = Math.max(1, ...own.map((step) => lengthOf(contentOf(step))));
      this.#users.set(index, new PortUser(this, script.driver, index, longest));
    }
  }

  begin(step: ConsoleStep): void {
    this.#step = step;
    this.#written = false;
    this.#port.expireAfter(step.within);
    this.goOn(this.#users.get(step.port)!);
  }

  expired(): void {
    const step = this.#step!;
    this.#step = null;
    const user = this.#users.get(step.port)!;
    const found = `found ${user.inbox.length} bytes of ${lengthOf(contentOf(step))}`;
    const open = user.isOpen ? null : 'the port is not open';
    this.#port.end({ outcome: 'timeout', detail: open ?? (step.do === 'receive' ? found : null) });
  }

  /** Something has happened on a port that the step under way may have waited for. */
  goOn(user: PortUser): void {
    const step = this.#step;
    if (step === null || this.#users.get(step.port) !== user) return;
    const content = contentOf(step);
    if (step.do === 'write') this.#write(user, content);
    else if (user.inbox.has(content)) {
      this.#step = null;
      this.#port.end({ outcome: 'ok', wrong: user.inbox.take(content) });
    }
  }

  sent(user: PortUser): void {
    if (this.#written) this.#over(user, 'ok');
    else this.goOn(user);
  }

  lost(user: PortUser): void {
    if (this.#written) this.#over(user, 'lost');
  }

  #over(user: PortUser, outcome: string): void {
    const step = this.#step;
    if (step === null || this.#users.get(step.port) !== user) return;
    this.#step = null;
    this.#port.end({ outcome, bytes: lengthOf(contentOf(step)) });
  }

  #write(user: PortUser, content: Bytes): void {
    if (!user.isOpen || user.isBusy || this.#written) return;
    const { driver, node } = this.#port;
    const bytes = bytesOf(content);
    node.memory.copyIn(driver.dataAddress(user.slot), bytes, 0, bytes.length);
    user.isBusy = true;
    this.#written = true;
    driver.write(user.slot, bytes.length);
  }
}

export const consoleSteps = defineSteps(
  rows,
  (script: ScriptPort<ConsoleDriver, ConsoleStep>) => new ConsolePlayer(script),
);
