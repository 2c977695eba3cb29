// The virtio-console driver (virtio 1.4 §5.3): ports as the device announces them, one program a port,
// and the emergency write.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import {
  CONSOLE_CONFIG,
  CONSOLE_CONTROL,
  CONSOLE_CONTROL_RECEIVE,
  CONSOLE_CONTROL_SIZE,
  CONSOLE_CONTROL_TRANSMIT,
  CONSOLE_DEVICE_ID,
  CONSOLE_EVENT,
  CONSOLE_F,
  CONSOLE_PORTS_MAX,
  consoleConfig,
  consolePortOf,
  consoleQueueCount,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import { FIRST_OWN_STEP, SlotTable, VirtioDriver } from '../common/index.ts';
import { BUFFER_SIZE, BUFFERS, CELL, CONTROL_CELLS, ConsoleLayout } from './console-layout.ts';
import { type ConsoleClient, DriverPort, type PortOwner } from './driver-port.ts';
import type { PortEffect } from './port-chart.ts';

const EMERGENCY_BYTES = 4;

const STEP_WRITE = FIRST_OWN_STEP;
const STEP_FILL = FIRST_OWN_STEP + 1;
const STEP_REFILL = FIRST_OWN_STEP + 2;
const STEP_CONTROL = FIRST_OWN_STEP + 3;

export class ConsoleDriver extends VirtioDriver implements PortOwner {
  readonly #slots = new SlotTable<ConsoleClient>();
  readonly #portOfSlot: number[] = [];
  readonly #length: number[] = [];
  readonly #since: number[] = [];
  readonly #sinceKey: number[] = [];
  readonly #clients = new Map<number, ConsoleClient>();
  readonly #ports: DriverPort[] = [];
  #portCount = 1;
  #layout = new ConsoleLayout(0, 0);
  readonly #freeCells: number[] = [];
  /** Control messages that wait for a cell: port, event, value. */
  readonly #messages: (readonly [number, number, number])[] = [];
  readonly #control = new Uint8Array(CELL);
  /** Who waits for each emergency write under way, oldest first. */
  readonly #emergencies: ConsoleClient[] = [];
  /** Writes that the device has not returned. */
  #writes = 0;
  /** The device was reset, and had nothing to return. */
  #cameBackIdle = false;

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: CONSOLE_DEVICE_ID,
      queueCount: 2,
      features: CONSOLE_F.SIZE | CONSOLE_F.MULTIPORT | CONSOLE_F.EMERG_WRITE,
      configSize: consoleConfig.fixedSize,
      segmentsMax: 1,
    });
  }

  /**
   * Opens a port for its only client, with slots whose buffers have this size. Only before the device
   * is live. Returns the first slot.
   */
  reserve(client: ConsoleClient, port: number, count: number, bytes: number): number {
    this.#clients.set(port, client);
    const first = this.#slots.reserve(client, count, bytes, 64);
    for (let i = 0; i < count; i++) this.#portOfSlot[first + i] = port;
    return first;
  }

  /** Address of a slot's buffer in own RAM. */
  dataAddress(slot: number): number {
    return this.#layout.slot(this.#slots.offsetOf(slot));
  }

  /** Writes the first `length` bytes of a slot's buffer to its port. */
  write(slot: number, length: number): void {
    const { kernel, timing } = this.node;
    this.#length[slot] = length;
    this.#since[slot] = kernel.now;
    this.#sinceKey[slot] = kernel.currentKey;
    const port = this.#ports[this.#portOfSlot[slot]];
    port.written.push(slot);
    // While the device is being reset, writes wait for the port to be open again.
    if (port.again) return;
    const cost = this.node.charge(timing.submit) + this.ringCosts.add();
    this.later(STEP_WRITE, cost, slot);
  }

  /** Writes a character through the configuration, without any queue. */
  emergencyWrite(client: ConsoleClient, character: number): void {
    const data = new Uint8Array(EMERGENCY_BYTES);
    data[0] = character;
    this.#emergencies.push(client);
    this.writeConfig(CONSOLE_CONFIG.emergWr, data);
  }

  get canEmergencyWrite(): boolean {
    return (this.features & CONSOLE_F.EMERG_WRITE) !== 0n;
  }

  performPort(port: DriverPort, effect: PortEffect): void {
    switch (effect.type) {
      case 'fill':
        return this.#fill(port);
      case 'ready':
        if (!this.#multiport) return port.chart.send({ type: 'HOST_OPEN' });
        this.#tell(port.index, CONSOLE_EVENT.PORT_READY, 1);
        if (port.client !== null) this.#tell(port.index, CONSOLE_EVENT.PORT_OPEN, 1);
        return;
      case 'opened':
        this.#writeAgain(port);
        return port.client?.consoleReady(port);
      case 'closed':
        return port.client?.consoleDown(effect.reason);
      case 'unexpected':
        return this.#violation(
          `${effect.event} of port ${port.index} in state ${port.chart.state}`,
        );
    }
  }

  protected override queuesWanted(): number {
    const { maxNrPorts } = consoleConfig.decode(this.config, 0, this.config.length);
    this.#portCount = this.#multiport ? Math.min(maxNrPorts, CONSOLE_PORTS_MAX) : 1;
    return this.#multiport ? consoleQueueCount(this.#portCount) : 2;
  }

  get #multiport(): boolean {
    return (this.features & CONSOLE_F.MULTIPORT) !== 0n;
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override bufferBytes(): number {
    return ConsoleLayout.bytes(this.#slots.bytes, this.#portCount);
  }

  protected override wentLive(buffers: number): void {
    this.#layout = new ConsoleLayout(buffers, this.#slots.bytes);
    this.#freeCells.length = 0;
    for (let cell = CONTROL_CELLS - 1; cell >= 0; cell--) this.#freeCells.push(cell);
    this.#messages.length = 0;
    const { cols, rows } = consoleConfig.decode(this.config, 0, this.config.length);
    for (let index = 0; index < this.#portCount; index++) {
      const port = (this.#ports[index] ??= new DriverPort(this, index));
      port.client = this.#clients.get(index) ?? null;
      port.cols = index === 0 ? cols : 0;
      port.rows = index === 0 ? rows : 0;
    }
    for (const [index, client] of this.#clients) {
      if (index >= this.#portCount) client.consoleDown(`the device has no port ${index}`);
    }
    // With nothing to do it has done all it can.
    if (this.#cameBackIdle) this.proven();
    this.#cameBackIdle = false;
    if (!this.#multiport) return this.#ports[0].chart.send({ type: 'ADD' });
    const cost = this.ringCosts.add(CONTROL_CELLS);
    this.later(STEP_FILL, cost, -1);
    this.#tell(0, CONSOLE_EVENT.DEVICE_READY, 1);
  }

  /** The device forgets its ports, and announces them anew. */
  protected override interrupted(): void {
    for (const port of this.#ports) port.lost();
    for (const client of this.#emergencies.splice(0)) client.consoleEmergency(false);
  }

  /** What the device has taken is not written again. */
  protected override released(): void {
    if (this.#writes > 0) for (const port of this.#ports) this.#takeSent(port);
    this.#writes = 0;
    this.#cameBackIdle = this.#ports.every(({ written }) => written.length === 0);
  }

  protected override wentDown(reason: string): void {
    this.#emergencies.length = 0;
    this.#writes = 0;
    for (const port of this.#ports) {
      port.lost();
      port.written = [];
    }
    for (const client of this.#clients.values()) client.consoleDown(reason);
  }

  protected override work(step: number, a: number): void {
    if (!this.live || this.restarts.parks(this.#queueOf(step, a), step, a)) return;
    if (step === STEP_WRITE) this.#addWrite(a);
    else if (step === STEP_CONTROL) this.#sendMessages();
    else if (step === STEP_REFILL) this.#refill(Math.floor(a / BUFFERS), a % BUFFERS);
    else this.#addBuffers(a);
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    // A slot, a buffer or a control cell.
    const meaning = this.tagOf(queue, head);
    if (queue === CONSOLE_CONTROL_TRANSMIT && this.#multiport) {
      this.#freeCells.push(meaning);
      return this.#sendMessages();
    }
    const port = consolePortOf(queue);
    if (port >= 0 && queue % 2 === 1) {
      this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
      return this.#sent(this.#ports[port], meaning);
    }
    const size = port < 0 ? CELL : BUFFER_SIZE;
    if (written > size) return this.#violation(`${written} bytes in a buffer of ${size}`);
    const address = this.#layout.receive(queue, meaning);
    if (port >= 0) this.#ports[port].client?.consoleReceived(address, written);
    else this.#received(address, written);
    const cost = this.ringCosts.add();
    this.later(STEP_REFILL, cost, queue * BUFFERS + meaning, Priority.interrupt);
  }

  protected override configWritten(offset: number, applied: boolean): void {
    if (offset === CONSOLE_CONFIG.emergWr) this.#emergencies.shift()!.consoleEmergency(applied);
  }

  /** The size in the configuration is that of port 0. */
  protected override configurationChanged(offset: number, length: number): void {
    const { cols } = CONSOLE_CONFIG;
    if (this.concerns(offset, length, cols, 4)) this.readConfig(cols, 4);
  }

  /** Columns, and behind them rows. */
  protected override configRead(_offset: number, data: Uint8Array): void {
    this.#ports[0].cols = readU16(data, 0);
    this.#ports[0].rows = readU16(data, 2);
  }

  /** The queue that a step of work adds to. */
  #queueOf(step: number, a: number): number {
    if (step === STEP_WRITE) return this.#ports[this.#portOfSlot[a]].transmitQueue;
    if (step === STEP_CONTROL) return CONSOLE_CONTROL_TRANSMIT;
    if (step === STEP_REFILL) return Math.floor(a / BUFFERS);
    return a < 0 ? CONSOLE_CONTROL_RECEIVE : this.#ports[a].receiveQueue;
  }

  protected override queueRestarted(queue: number): void {
    if (queue === CONSOLE_CONTROL_TRANSMIT && this.#multiport) return this.#sendMessages();
    const port = this.#ports[consolePortOf(queue)];
    if (queue === port?.transmitQueue) this.#writeWaiting(port);
  }

  #writeWaiting(port: DriverPort): void {
    const queue = port.transmitQueue;
    if (this.restarts.isStopped(queue)) return;
    const ring = this.rings[queue];
    while (port.waiting.length > 0 && ring.hasRoom(1)) this.#write(port, port.waiting.shift()!);
  }

  #takeSent(port: DriverPort): void {
    const queue = port.transmitQueue;
    const ring = this.rings[queue];
    for (let head = ring.reap(); head >= 0; head = ring.reap()) {
      this.#sent(port, this.tagOf(queue, head));
    }
  }

  /** After a reset: what the device had not returned, in the same order. */
  #writeAgain(port: DriverPort): void {
    if (!port.again) return;
    port.again = false;
    for (const slot of port.written) {
      this.later(STEP_WRITE, this.ringCosts.add(), slot);
    }
  }

  #addWrite(slot: number): void {
    const port = this.#ports[this.#portOfSlot[slot]];
    if (this.rings[port.transmitQueue].hasRoom(1)) this.#write(port, slot);
    else port.waiting.push(slot);
    this.kick(port.transmitQueue);
  }

  #write(port: DriverPort, slot: number): void {
    const queue = port.transmitQueue;
    const head = this.#add(queue, this.dataAddress(slot), this.#length[slot], false, slot);
    this.#writes++;
    const use = this.countUse(queue, head);
    const { milestones } = this.node;
    milestones?.mark(this.index, queue, head, use, Milestone.submitted, {
      key: this.#sinceKey[slot],
      at: this.#since[slot],
    });
    milestones?.mark(this.index, queue, head, use, Milestone.published);
  }

  #sent(port: DriverPort, slot: number): void {
    this.#writes--;
    port.written = port.written.filter((other) => other !== slot);
    this.#writeWaiting(port);
    this.#slots.clientOf(slot).consoleSent(slot, this.node.kernel.now - this.#since[slot]);
  }

  /** Makes a chain of one segment available and returns its head. */
  #add(queue: number, address: number, length: number, writable: boolean, meaning: number): number {
    const ring = this.rings[queue];
    ring.addSegment(this.transport.busAddress(address), length, writable);
    return this.commit(queue, meaning);
  }

  /** Offers a port's buffers. Those of a port that comes back are with the device still. */
  #fill(port: DriverPort): void {
    if (port.filled) return port.chart.send({ type: 'FILLED' });
    port.filled = true;
    this.later(STEP_FILL, this.ringCosts.add(BUFFERS), port.index);
  }

  /** Offers all buffers of a port, or those for control messages (port -1). */
  #addBuffers(index: number): void {
    const queue = index < 0 ? CONSOLE_CONTROL_RECEIVE : this.#ports[index].receiveQueue;
    for (let buffer = 0; buffer < BUFFERS; buffer++) this.#offer(queue, buffer);
    this.kick(queue);
    if (index >= 0) this.#ports[index].chart.send({ type: 'FILLED' });
  }

  #refill(queue: number, buffer: number): void {
    this.#offer(queue, buffer);
    this.kick(queue);
  }

  #offer(queue: number, buffer: number): void {
    const size = consolePortOf(queue) < 0 ? CELL : BUFFER_SIZE;
    const head = this.#add(queue, this.#layout.receive(queue, buffer), size, true, buffer);
    this.countUse(queue, head);
  }

  /** Sends a control message. */
  #tell(port: number, event: number, value: number): void {
    this.#messages.push([port, event, value]);
    this.later(STEP_CONTROL, this.ringCosts.add());
  }

  #sendMessages(): void {
    if (this.restarts.isStopped(CONSOLE_CONTROL_TRANSMIT)) return;
    const { memory } = this.node;
    while (this.#messages.length > 0 && this.#freeCells.length > 0) {
      const [port, event, value] = this.#messages.shift()!;
      const cell = this.#freeCells.pop()!;
      const address = this.#layout.control(cell);
      memory.writeU32(address + CONSOLE_CONTROL.id, port);
      memory.writeU16(address + CONSOLE_CONTROL.event, event);
      memory.writeU16(address + CONSOLE_CONTROL.value, value);
      const queue = CONSOLE_CONTROL_TRANSMIT;
      this.countUse(queue, this.#add(queue, address, CONSOLE_CONTROL_SIZE, false, cell));
    }
    this.kick(CONSOLE_CONTROL_TRANSMIT);
  }

  /** A control message of the device. */
  #received(address: number, length: number): void {
    if (length < CONSOLE_CONTROL_SIZE) return this.#violation('a control message of too few bytes');
    const bytes = this.#control;
    this.node.memory.copyOut(address, bytes, 0, length);
    const id = readU32(bytes, CONSOLE_CONTROL.id);
    const port = id < this.#portCount ? this.#ports[id] : undefined;
    if (port === undefined) return this.#violation(`a control message for port ${id}`);
    const value = readU16(bytes, CONSOLE_CONTROL.value);
    switch (readU16(bytes, CONSOLE_CONTROL.event)) {
      case CONSOLE_EVENT.DEVICE_ADD:
        return port.chart.send({ type: 'ADD' });
      case CONSOLE_EVENT.DEVICE_REMOVE:
        return port.chart.send({ type: 'REMOVE' });
      case CONSOLE_EVENT.CONSOLE_PORT:
        port.terminal = true;
        return this.#tell(id, CONSOLE_EVENT.PORT_OPEN, 1);
      case CONSOLE_EVENT.RESIZE:
        port.cols = readU16(bytes, CONSOLE_CONTROL_SIZE);
        port.rows = readU16(bytes, CONSOLE_CONTROL_SIZE + 2);
        return;
      case CONSOLE_EVENT.PORT_OPEN:
        return port.chart.send({ type: value === 1 ? 'HOST_OPEN' : 'HOST_CLOSE' });
      case CONSOLE_EVENT.PORT_NAME:
        port.name = Buffer.from(bytes.subarray(CONSOLE_CONTROL_SIZE, length)).toString('utf8');
        return;
      default:
        this.#violation('a control message of an unknown kind');
    }
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
