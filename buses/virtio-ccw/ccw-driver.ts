// The driver's side of one virtio-ccw device: each operation as the channel programs it is made of.
import type {
  DriverTransport,
  QueueSetup,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { type Node, PAGE_SIZE } from '../../platform/node/index.ts';
import { F, featureBlocks, STATUS } from '../../platform/virtio/index.ts';
import { readU32 } from '../../platform/wire/index.ts';
import type { AdapterIndicators } from './adapter-indicators.ts';
import {
  type AdapterArea,
  adapterBlock,
  addressBlock,
  featureBlock,
  queueConfigBlock,
  queueInfoBlock,
  readBe16,
  revisionBlock,
} from './blocks.ts';
import {
  CLASSIC_QUEUES_MAX,
  CONFIG_SIZE,
  CONTROL_UNIT_TYPE,
  type CommandName,
  Condition,
  commands,
  Instruction,
  REVISION,
} from './commands.ts';
import type { InstructionPort } from './instruction-port.ts';
import type { CcwOptions } from './options.ts';
import { type Command, type ProgramResult, ProgramRunner } from './program-runner.ts';

/** Blocks of features that are looked at; no feature is beyond them. */
const FEATURE_BLOCKS = 2;
/** What virtio-ccw can't tell of a device; its driver finds out queue by queue. */
const QUEUES_MAX = 65536;
const NO_DEVICE = 'no virtio-ccw device is there';
/** Indicators are one big-endian number of 8 bytes; this is its lowest byte. */
const LOWEST_BYTE = 7;

export interface CcwDriverOptions {
  readonly node: Node;
  readonly port: InstructionPort;
  /** Number of the subchannel. */
  readonly device: number;
  readonly name: string;
  readonly options: CcwOptions;
  readonly adapter: AdapterIndicators;
  /** The subchannel may be empty. */
  readonly comesOrGoes: boolean;
}

export class CcwDriverTransport implements DriverTransport {
  readonly impossible = F.NOTIF_CONFIG_DATA;
  readonly #options: CcwDriverOptions;
  readonly #runner: ProgramRunner;
  #listener: TransportListener | null = null;
  /** Queues that were set up. */
  readonly #queues = new Set<number>();
  /** An operation of the driver is under way; it is to begin anew after that. */
  #busy = false;
  #restarts = false;
  #indicatorsSet = false;
  /** Where it was looked for: the device is there. */
  #isOnline = false;
  /** The device's bits among those of the adapter, once it has some. */
  #area: (AdapterArea & { readonly count: number }) | null = null;

  constructor(options: CcwDriverOptions) {
    this.#options = options;
    const { node, port, device, name } = options;
    const tested = () => this.#scan();
    this.#runner = new ProgramRunner({ node, port, device, name: `${name}.programs`, tested });
  }

  /** Programs started so far. */
  get programs(): number {
    return this.#runner.started;
  }

  connect(listener: TransportListener): void {
    this.#listener = listener;
  }

  /** The subchannel is there, or is looked at. */
  start(): void {
    if (this.#options.comesOrGoes) this.evaluate();
    else this.#listener!.online();
  }

  /** Looks whether the subchannel has a device. */
  evaluate(): void {
    const { port, device } = this.#options;
    port.issue(device, Instruction.STSCH, 0, (condition) => {
      if (condition === Condition.DONE) return this.#found();
      const gone = this.#isOnline ? 'the device was removed' : `subchannel ${device} is empty`;
      this.#isOnline = false;
      this.#queues.clear();
      this.#listener!.offline(gone);
    });
  }

  #found(): void {
    if (this.#isOnline) return;
    this.#isOnline = true;
    this.#listener!.online();
  }

  getInfo(): void {
    // The driver has forgotten what it was about when it begins again.
    if (this.#busy) {
      this.#restarts = true;
      return;
    }
    this.#busy = true;
    this.#runner.exclusively((over) => this.#enable(over));
    this.#run([room('SENSE_ID'), take('SET_VIRTIO_REV', revisionBlock(REVISION))], (result) => {
      const [identity] = result.data;
      if (!result.ok || readBe16(identity, 1) !== CONTROL_UNIT_TYPE) return this.#fail(NO_DEVICE);
      const info = {
        deviceId: identity[3],
        vendorId: 0,
        featureBlocks: FEATURE_BLOCKS,
        configSize: CONFIG_SIZE,
        queuesMax: QUEUES_MAX,
        adminStart: 0,
        adminCount: 0,
      };
      this.#reply({ type: 'reply.info', info });
    });
  }

  getFeatures(): void {
    this.#operate(
      [take('READ_FEAT', featureBlock(0, 0)), take('READ_FEAT', featureBlock(0, 1))],
      ({ data: [low, high] }) => {
        const features = BigInt(readU32(low, 0)) | (BigInt(readU32(high, 0)) << 32n);
        this.#reply({ type: 'reply.features', features });
      },
    );
  }

  setFeatures(features: bigint): void {
    const blocks = featureBlocks(features, 0, FEATURE_BLOCKS);
    const list = blocks.map((block, index) => take('WRITE_FEAT', featureBlock(block, index)));
    this.#operate(list, () => this.#reply({ type: 'reply.featuresSet' }));
  }

  getStatus(): void {
    this.#operate([room('READ_STATUS')], ({ data: [[status]] }) =>
      this.#reply({ type: 'reply.status', status }),
    );
  }

  setStatus(status: number): void {
    this.#busy = true;
    this.#run([...this.#statusCommands(status), room('READ_STATUS')], ({ ok, data }) => {
      // A status that the device does not take stops the program; what it has instead is asked.
      if (!ok) return this.getStatus();
      const now = data.at(-1)![0];
      if (status === 0 && now !== 0) return this.#awaitReset();
      this.#reply({ type: 'reply.status', status: now });
    });
  }

  /** A reset is over when the status is 0. */
  #awaitReset(): void {
    this.#operate([room('READ_STATUS')], ({ data: [[status]] }) => {
      if (status === 0) this.#reply({ type: 'reply.status', status });
      else this.#awaitReset();
    });
  }

  getConfig(offset: number, length: number): void {
    this.#operate([room('READ_CONF', offset + length)], ({ data: [data] }) =>
      this.#reply({ type: 'reply.config', data: data.subarray(offset, offset + length) }),
    );
  }

  /** Configuration is transferred as a whole: read, changed, written back. */
  setConfig(offset: number, data: Uint8Array): void {
    this.#operate([room('READ_CONF', offset + data.length)], ({ data: [config] }) => {
      config.set(data, offset);
      this.#operate([take('WRITE_CONF', config)], () =>
        this.#reply({ type: 'reply.configSet', applied: true }),
      );
    });
  }

  getQueue(index: number): void {
    this.#operate([take('READ_VQ_CONF', queueConfigBlock(index, 0))], ({ data: [block] }) => {
      const { interrupts } = this.#options.options;
      const hasBit = interrupts === 'adapter' || index < CLASSIC_QUEUES_MAX;
      const sizeMax = hasBit ? readBe16(block, 2) : 0;
      const size = this.#queues.has(index) ? sizeMax : 0;
      this.#reply({ type: 'reply.queue', index, sizeMax, size });
    });
  }

  setQueue(setup: QueueSetup): void {
    const { index } = setup;
    this.#operate([take('SET_VQ', queueInfoBlock(setup))], () => {
      this.#queues.add(index);
      this.#reply({ type: 'reply.queueSet', index });
    });
  }

  /** RING_RESET is reserved on this transport (§4.3.4); it is not offered either. */
  resetQueue(): void {
    this.#reply({ type: 'reply.failed', reason: 'virtio-ccw has no command to reset a queue' });
  }

  /** This transport has no regions of shared memory (§4.3.4). */
  get regions(): null {
    return null;
  }

  getRegion(shmid: number): void {
    this.#reply({ type: 'reply.region', shmid, length: 0, address: 0 });
  }

  allocate(length: number): void {
    const bytes = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    const address = this.#options.node.memory.allocate(bytes, PAGE_SIZE);
    this.#reply({ type: 'reply.memory', address });
  }

  /** The device model sees guest-physical addresses. */
  busAddress(address: number): number {
    return address;
  }

  notify(queue: number, next: number): void {
    const { port, device, options } = this.#options;
    // With NOTIFICATION_DATA the upper half says how far the ring is (§4.3.3.2).
    const wrap = next >= 2 ** 31 ? 0x8000 : 0;
    const data = (queue | (((next & 0x7fff) | wrap) << 16)) >>> 0;
    port.notify(device, data, options.ioeventfd);
  }

  /** The handler of the subchannel's I/O interrupt, on a core. */
  interrupted(): void {
    this.#runner.interrupted();
  }

  /** The adapter's indicators say so. */
  indicated(queue: number): void {
    if (this.#queues.has(queue)) this.#listener!.used(queue);
  }

  /** Enables the subchannel; one that is enabled is disabled first, so that its revision is unset. */
  #enable(over: () => void): void {
    const { port, device } = this.#options;
    port.issue(device, Instruction.STSCH, 0, (condition, enabled) => {
      if (condition !== Condition.DONE) return over();
      if (enabled === 1) port.issue(device, Instruction.MSCH, 0, () => {});
      port.issue(device, Instruction.MSCH, 1, () => over());
    });
  }

  #statusCommands(status: number): Command[] {
    if (status === 0) {
      this.#queues.clear();
      this.#indicatorsSet = false;
      const configIndicators = addressBlock(this.#runner.configIndicators);
      return [room('VDEV_RESET'), take('SET_CONF_IND', configIndicators)];
    }
    const write = take('WRITE_STATUS', Uint8Array.of(status));
    if ((status & STATUS.DRIVER_OK) === 0 || this.#indicatorsSet) return [write];
    this.#indicatorsSet = true;
    return [this.#setIndicators(), write];
  }

  #setIndicators(): Command {
    const { options, adapter } = this.#options;
    if (options.interrupts === 'classic') {
      return take('SET_IND', addressBlock(this.#runner.indicators));
    }
    const count = Math.max(0, ...this.#queues) + 1;
    if (this.#area === null || this.#area.count < count) {
      this.#area = { ...adapter.take(this, count), count };
    }
    return take('SET_IND_ADAPTER', adapterBlock(this.#area));
  }

  /** Looks at the indicators of the subchannel's own, and clears them. */
  #scan(): void {
    const { memory } = this.#options.node;
    const { indicators, configIndicators } = this.#runner;
    for (let byte = 0; byte < CLASSIC_QUEUES_MAX / 8; byte++) {
      const at = indicators + LOWEST_BYTE - byte;
      const set = memory.readU8(at);
      if (set === 0) continue;
      memory.writeU8(at, 0);
      for (let bit = 0; bit < 8; bit++) {
        if ((set & (1 << bit)) !== 0) this.indicated(byte * 8 + bit);
      }
    }
    if (memory.readU8(configIndicators + LOWEST_BYTE) === 0) return;
    memory.writeU8(configIndicators + LOWEST_BYTE, 0);
    this.#runner.run([room('READ_STATUS')], ({ ok, data: [[status]] }) => {
      if (ok) this.#listener!.configChanged(status);
    });
  }

  /** An operation that fails when its program does. */
  #operate(list: readonly Command[], done: (result: ProgramResult) => void): void {
    this.#busy = true;
    this.#run(list, (result) => {
      if (result.ok) return done(result);
      this.#fail(`the device rejects ${list[result.done].name}`);
    });
  }

  #run(list: readonly Command[], done: (result: ProgramResult) => void): void {
    this.#runner.run(list, done);
  }

  #fail(reason: string): void {
    this.#reply({ type: 'reply.failed', reason });
  }

  #reply(reply: TransportReply): void {
    this.#busy = false;
    if (!this.#restarts) return this.#listener!.reply(reply);
    this.#restarts = false;
    this.getInfo();
  }
}

function take(name: CommandName, data: Uint8Array): Command {
  return { name, data };
}

/** A command without data of the driver's own: as much room as it brings. */
function room(name: CommandName, size: number = commands[name].size): Command {
  return { name, data: new Uint8Array(size) };
}
