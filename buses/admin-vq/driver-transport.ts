// The driver's side of a device that is driven by commands: it resets the device and makes its administration
// virtqueue by registers, and does everything else through that.
import type {
  DriverTransport,
  QueueSetup,
  TransportReply,
} from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Access, ProbedFunction, Script } from '../../platform/pcie/index.ts';
import {
  ADMIN_OPCODE,
  ADMIN_STATUS,
  type AdminResponse,
  decodeAdminList,
  encodeAdminList,
  encodeAdminRequest,
  F,
} from '../../platform/virtio/index.ts';
import {
  FunctionTransport,
  type FunctionTransportOptions,
  VENDOR_ID,
} from '../virtio-pci/index.ts';
import {
  AdminChannel,
  CHANNEL_MEMORY_SIZE,
  type ChannelMemory,
  QUEUE_SIZE,
} from './admin-channel.ts';
import { commands } from './commands.ts';
import * as operations from './driver-operations.ts';
import {
  ADMIN_VECTOR,
  CONFIG_VECTOR,
  DEVICE_ID,
  FIRST_QUEUE_VECTOR,
  MAGIC,
  REGISTER_SIZE,
  REGISTERS_BAR,
  type RegisterName,
  registers,
  STATE,
} from './registers.ts';
import { type SessionEffect, type SessionEvent, sessionChart } from './session-chart.ts';
import { adminTimingIds } from './timing.ts';

/** What the driver uses: the lists, and all commands of the transport. */
const USED = new Set<number>([
  ...Object.values(ADMIN_OPCODE),
  ...Object.values(commands).map(({ opcode }) => opcode),
]);
/** Stands for the administration virtqueue among doorbells; no queue has this index. */
const ADMIN_QUEUE = 0xffff;
/** What a load brings from where nobody answers. */
const ALL_ONES = 0xffff_ffff;
const TWO_32 = 2 ** 32;

export class AdminVqDriver extends FunctionTransport implements DriverTransport {
  readonly impossible = F.NOTIF_CONFIG_DATA;
  readonly #channel: AdminChannel;
  readonly #chart: Chart<unknown, SessionEvent>;
  /** Addresses of doorbells by queue. */
  readonly #doorbells = new Map<number, number>();
  /** Address of the registers; -1 without a function. */
  #registers = -1;
  #memory: ChannelMemory | null = null;
  #queueSizeMax = 0;
  /** Counts functions that were lost: memory taken for one of before is nothing to the next. */
  #losses = 0;
  /** The driver waits for the end of a reset, and of an operation. */
  #resetting = false;
  #asked = false;

  constructor(options: FunctionTransportOptions) {
    super(options);
    const { node, plan } = options;
    this.#channel = new AdminChannel({
      node,
      name: plan.name,
      notify: () => this.ring(ADMIN_QUEUE, 0),
      sent: () => this.#chart.send({ type: 'SENT' }),
      answered: () => this.#chart.send({ type: 'ANSWERED' }),
    });
    this.#chart = node.charts.start(sessionChart, {
      name: `${plan.name}.session`,
      input: { timeout: node.costs.value(adminTimingIds(node.costs).timeout) },
      perform: (effect: SessionEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  /** Commands that were answered. */
  get commands(): number {
    return this.#channel.commands;
  }

  getInfo(): void {
    this.#ask(operations.getInfo());
  }

  getFeatures(): void {
    this.#ask(operations.getFeatures());
  }

  setFeatures(features: bigint): void {
    this.tellsNext = (features & F.NOTIFICATION_DATA) !== 0n;
    this.#ask(operations.setFeatures(features));
  }

  getStatus(): void {
    this.#ask(operations.getStatus());
  }

  /** A reset is the register's, and the way to the commands begins anew. */
  setStatus(status: number): void {
    if (status !== 0) return this.#ask(operations.setStatus(status));
    if (this.#registers < 0) return this.#fail('there is no function');
    this.unmapRegions();
    this.#resetting = true;
    this.#chart.send({ type: 'RESET' });
  }

  getConfig(offset: number, length: number): void {
    if (length <= operations.CONFIG_BYTES_MAX)
      return this.#ask(operations.getConfig(offset, length));
    this.#fail(`${length} bytes of configuration are too many for one command`);
  }

  setConfig(offset: number, data: Uint8Array): void {
    this.#ask(operations.setConfig(offset, data));
  }

  getQueue(index: number): void {
    this.#ask(operations.getQueue(index));
  }

  /** The configuration's vector is set before the first queue: a reset has taken it away. */
  setQueue(setup: QueueSetup): void {
    const { index } = setup;
    const create = operations.createQueue(setup, FIRST_QUEUE_VECTOR + index, (doorbell) => {
      this.#doorbells.set(index, this.#registers + doorbell);
    });
    if (index > 0) return this.#ask(create);
    const vector = operations.setConfigVector(CONFIG_VECTOR);
    this.#asked = true;
    this.#channel.send(vector.command, (response) => {
      if (response.status === ADMIN_STATUS.OK) this.#ask(create);
      else this.#reply(vector.reply(response));
    });
  }

  resetQueue(index: number): void {
    this.#doorbells.delete(index);
    this.#ask(operations.destroyQueue(index));
  }

  protected override accepts(vendorId: number, deviceId: number): boolean {
    return vendorId === VENDOR_ID && deviceId === DEVICE_ID;
  }

  protected override functionReady({ bars }: ProbedFunction): string | null {
    const place = bars.get(REGISTERS_BAR);
    if (place === undefined) return 'the function lacks the BAR with its registers';
    this.#registers = place.address;
    this.#chart.send({ type: 'FOUND' });
    return null;
  }

  /** Its memory is given back by the function's transport. */
  protected override functionLost(): boolean {
    const wasThere = this.#registers >= 0;
    this.#losses++;
    this.#registers = -1;
    this.#memory = null;
    this.#resetting = false;
    this.#asked = false;
    this.#doorbells.clear();
    this.#chart.send({ type: 'GONE' });
    return wasThere;
  }

  protected override vectorRaised(vector: number): void {
    if (vector === ADMIN_VECTOR) this.#channel.used();
    else if (vector === CONFIG_VECTOR) this.#changed();
    else this.listener!.used(vector - FIRST_QUEUE_VECTOR);
  }

  /** INTx is not used. */
  protected override lineRaised(): void {}

  protected override doorbellOf(queue: number): number {
    if (queue !== ADMIN_QUEUE) return this.#doorbells.get(queue) ?? -1;
    return this.#registers < 0 ? -1 : this.#registers + registers.QueueNotify.at;
  }

  #perform(effect: SessionEffect): void {
    switch (effect.type) {
      case 'reset':
        this.#doorbells.clear();
        this.#asked = false;
        return this.runner.run(this.number, this.#resetScript(), (done) => this.#tell(done));
      case 'create':
        return this.#create();
      case 'query':
        return this.#channel.send(encodeAdminRequest(ADMIN_OPCODE.LIST_QUERY), (response) => {
          this.#tell(offersAll(response));
        });
      case 'use': {
        const command = encodeAdminRequest(ADMIN_OPCODE.LIST_USE, encodeAdminList(USED));
        return this.#channel.send(command, ({ status }) => this.#tell(status === ADMIN_STATUS.OK));
      }
      case 'ready':
        if (!this.#resetting) return this.listener!.online();
        this.#resetting = false;
        return this.listener!.reply({ type: 'reply.status', status: 0 });
      case 'failed':
        return this.#failed(effect.reason);
    }
  }

  /** Takes memory for the queue, once, and tells the device of it. */
  #create(): void {
    if (this.#memory !== null) return this.#createIn(this.#memory);
    const losses = this.#losses;
    const client = {
      allocated: (address: number, reason: string | null) => {
        if (losses !== this.#losses) return;
        if (reason !== null) return this.#tell(false);
        this.#memory = { address, busAddress: this.pages.busAddress(address) };
        this.#createIn(this.#memory);
      },
    };
    this.pages.allocate(this.number, client, CHANNEL_MEMORY_SIZE);
  }

  #createIn(memory: ChannelMemory): void {
    this.#channel.begin(memory);
    this.runner.run(this.number, this.#createScript(), (done) => this.#tell(done));
  }

  /** Returns false when these are other registers. */
  *#resetScript(): Script<boolean> {
    if ((yield this.#load('Magic')) !== MAGIC) return false;
    this.#queueSizeMax = yield this.#load('QueueSizeMax');
    yield this.#store('State', STATE.RESET);
    for (;;) {
      const state = yield this.#load('State');
      if (state === STATE.RESET) return true;
      if (state === ALL_ONES) return false;
    }
  }

  /** Returns false when the device does not take the queue. */
  *#createScript(): Script<boolean> {
    const { descriptor, driver, device } = this.#channel.areas;
    if (this.#queueSizeMax < QUEUE_SIZE) return false;
    yield this.#store('QueueSize', QUEUE_SIZE);
    yield this.#store('QueueVector', ADMIN_VECTOR);
    if ((yield this.#load('QueueVector')) !== ADMIN_VECTOR) return false;
    yield this.#store('QueueDescLow', descriptor % TWO_32);
    yield this.#store('QueueDescHigh', Math.floor(descriptor / TWO_32));
    yield this.#store('QueueDriverLow', driver % TWO_32);
    yield this.#store('QueueDriverHigh', Math.floor(driver / TWO_32));
    yield this.#store('QueueDeviceLow', device % TWO_32);
    yield this.#store('QueueDeviceHigh', Math.floor(device / TWO_32));
    yield this.#store('State', STATE.READY);
    return (yield this.#load('State')) === STATE.READY;
  }

  #load(name: RegisterName): Access {
    return { type: 'load', address: this.#registers + registers[name].at, size: REGISTER_SIZE };
  }

  #store(name: RegisterName, value: number): Access {
    const address = this.#registers + registers[name].at;
    return { type: 'store', address, size: REGISTER_SIZE, value };
  }

  #tell(done: boolean): void {
    this.#chart.send({ type: done ? 'DONE' : 'REFUSED' });
  }

  /** Sends an operation's command; what comes of it is the listener's. */
  #ask(operation: operations.Operation): void {
    if (!this.#chart.matches('idle') && !this.#chart.matches('waiting')) {
      return this.#fail('the device takes no commands');
    }
    this.#asked = true;
    this.#channel.send(operation.command, (response) => this.#reply(operation.reply(response)));
  }

  #reply(reply: TransportReply): void {
    this.#asked = false;
    this.listener!.reply(reply);
  }

  #fail(reason: string): void {
    this.#reply({ type: 'reply.failed', reason });
  }

  /** Whoever waits is told; a driver that was not told of the device yet never is. */
  #failed(reason: string): void {
    const waited = this.#resetting || this.#asked;
    this.#resetting = false;
    if (waited) this.#fail(reason);
    else this.listener!.offline(reason);
  }

  /** The device has changed its configuration or status. */
  #changed(): void {
    if (!this.#chart.matches('idle') && !this.#chart.matches('waiting')) return;
    const { command, reply } = operations.getStatus();
    this.#channel.send(command, (response) => {
      const answer = reply(response);
      if (answer.type === 'reply.status') this.listener!.configChanged(answer.status);
    });
  }
}

function offersAll({ status, commandSpecificResult }: AdminResponse): boolean {
  if (status !== ADMIN_STATUS.OK) return false;
  const offered = decodeAdminList(commandSpecificResult);
  return [...USED].every((opcode) => offered.has(opcode));
}
