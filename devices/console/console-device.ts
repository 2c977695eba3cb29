// The device side of virtio-console (virtio 1.4 §5.3): ports with a pair of queues each, control queues
// that tell of ports, sizes and opening, and the emergency write. Behind every port is an echo.
import type { DeviceEnvironment } from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import {
  CONSOLE_CONFIG,
  CONSOLE_CONTROL,
  CONSOLE_CONTROL_RECEIVE,
  CONSOLE_CONTROL_SIZE,
  CONSOLE_DEVICE_ID,
  CONSOLE_EVENT,
  CONSOLE_F,
  consoleConfig,
  consoleControl,
  consolePortOf,
  consoleQueueCount,
  consoleReceiveQueue,
  consoleResize,
} from '../../platform/virtio/index.ts';
import { readU16, readU32, writeU16 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import { ConsolePort, WRITE_MAX } from './console-port.ts';
import type { ConsoleOptions } from './options.ts';

const EVENT_RESIZE = 0;
const EVENT_UNPLUG = 1;
const EVENT_PLUG = 2;
/** Characters of emergency output that are kept. */
const EMERGENCY_MAX = 4096;
const NO_BYTES = new Uint8Array(0);

export class ConsoleDevice extends VirtioDevice implements Component {
  /** What was written by emergency writes. */
  emergencyOutput = '';
  readonly #options: ConsoleOptions;
  readonly #id: ComponentId;
  readonly #fetcher: RequestFetcher;
  readonly #ports: readonly ConsolePort[];
  /** Control messages that wait for a buffer, and buffers that wait for a message. */
  readonly #messages: Uint8Array[] = [];
  readonly #controlBuffers: { readonly queue: QueueEngine; readonly chain: Chain }[] = [];
  #cols: number;
  #rows: number;
  /** The driver has said that it takes control messages. */
  #driverReady = false;

  constructor({ node, plan }: DeviceEnvironment<ConsoleOptions>) {
    const { options } = plan;
    const { cols, rows, ports, multiport } = options;
    const config = new Uint8Array(consoleConfig.fixedSize);
    consoleConfig.encode({ cols, rows, maxNrPorts: multiport ? ports : 0, emergWr: 0 }, config, 0);
    const queues = multiport ? consoleQueueCount(ports) : 2;
    super(node, plan, {
      deviceId: CONSOLE_DEVICE_ID,
      features:
        CONSOLE_F.SIZE |
        (multiport ? CONSOLE_F.MULTIPORT : 0n) |
        (options.emergencyWrite ? CONSOLE_F.EMERG_WRITE : 0n),
      config,
      queueSizes: new Array<number>(queues).fill(options.queueSize),
    });
    this.#options = options;
    this.#cols = cols;
    this.#rows = rows;
    const dma = () => this.dma;
    const ready = (request: FetchedRequest) => this.#fetched(request);
    const fetcher = new RequestFetcher({ node, name: plan.name, bytesMax: WRITE_MAX, ready });
    this.#fetcher = fetcher;
    this.#ports = Array.from({ length: ports }, (_, index) => {
      const pausing = () => this.pausing;
      const blocked = (queue: QueueEngine) => this.settle(queue);
      return new ConsolePort({ node, index, fetcher, dma, pausing, blocked });
    });
    this.#id = node.add(this);
    for (const [index, { at }] of options.resize.entries()) this.#at(at, EVENT_RESIZE, index);
    for (const [index, { at }] of options.unplug.entries()) this.#at(at, EVENT_UNPLUG, index);
    for (const [index, { at, port }] of options.plug.entries()) {
      this.#ports[port].gone = true;
      this.#at(at, EVENT_PLUG, index);
    }
  }

  /** The emergency write works at any time, whatever the status (§5.3.5). */
  protected override configWritten(offset: number, source: Uint8Array): boolean {
    if (offset !== CONSOLE_CONFIG.emergWr || !this.#options.emergencyWrite) return false;
    if (this.emergencyOutput.length < EMERGENCY_MAX) {
      this.emergencyOutput += String.fromCharCode(source[0]);
    }
    return true;
  }

  override keeps({ index }: QueueEngine): number {
    const port = this.#ports[consolePortOf(index)];
    if (port === undefined) {
      return index === CONSOLE_CONTROL_RECEIVE ? this.#controlBuffers.length : 0;
    }
    return index % 2 === 0 ? port.bufferCount : port.blockedCount;
  }

  protected override resumed(): void {
    this.#sendMessages();
    for (const port of this.#ports) port.fill();
  }

  protected override wasReset(): void {
    this.#messages.length = 0;
    this.#driverReady = false;
    for (const port of this.#ports) port.reset();
  }

  deliver(kind: number, index: number): void {
    if (kind === EVENT_PLUG) return this.#plug(this.#ports[this.#options.plug[index].port]);
    if (kind === EVENT_UNPLUG) return this.#unplug(this.#ports[this.#options.unplug[index].port]);
    const { cols, rows } = this.#options.resize[index];
    this.#cols = cols;
    this.#rows = rows;
    writeU16(this.config, CONSOLE_CONFIG.cols, cols);
    writeU16(this.config, CONSOLE_CONFIG.rows, rows);
    this.configChanged(CONSOLE_CONFIG.cols, 4);
    for (const port of this.#ports) if (port.ready) this.#tellSize(port);
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    const port = consolePortOf(queue.index);
    const receives = queue.index === CONSOLE_CONTROL_RECEIVE || queue.index % 2 === 0;
    const wrongWay = receives ? chain.readableBytes : chain.writableBytes;
    if (wrongWay > 0 || chain.readableBytes > WRITE_MAX) {
      const text = wrongWay > 0 ? 'a buffer of the wrong direction' : 'too long a write';
      this.#violation(`${text} on queue ${queue.index}`);
      if (!queue.complete(chain, 0)) queue.fail();
    } else if (!receives) {
      this.#fetcher.fetch(queue, chain);
    } else if (port < 0) {
      this.#controlBuffers.push({ queue, chain });
      this.#sendMessages();
    } else {
      const target = this.#ports[port];
      // Without control queues there is one port, and it is always open.
      if (!this.#multiport) target.open = true;
      target.offer(queue, chain);
    }
  }

  protected forget(queue: QueueEngine): void {
    this.#fetcher.forget(queue);
    const index = consolePortOf(queue.index);
    if (index < 0) {
      if (queue.index === CONSOLE_CONTROL_RECEIVE) this.#controlBuffers.length = 0;
      return;
    }
    const port = this.#ports[index];
    if (queue.index === consoleReceiveQueue(index)) port.forgetBuffers();
    else port.forgetWrites();
  }

  get #multiport(): boolean {
    return (this.driverFeatures & CONSOLE_F.MULTIPORT) !== 0n;
  }

  #at(at: number, kind: number, index: number): void {
    this.node.kernel.schedule(this.#id, at, kind, index);
  }

  /** What the driver wrote, on a data queue or as a control message. */
  #fetched(request: FetchedRequest): void {
    const { chain, length, refused } = request;
    const queue = request.queue!;
    const port = consolePortOf(queue.index);
    if (port >= 0 && !refused && !this.#ports[port].gone) return this.#ports[port].write(request);
    if (port < 0 && !refused) {
      if (length < CONSOLE_CONTROL_SIZE) this.#violation('a control message of too few bytes');
      else this.#control(request);
    }
    this.#fetcher.release(request);
    if (!queue.complete(chain!, 0)) queue.fail();
  }

  #control({ bytes }: FetchedRequest): void {
    const event = readU16(bytes, CONSOLE_CONTROL.event);
    const value = readU16(bytes, CONSOLE_CONTROL.value);
    if (event === CONSOLE_EVENT.DEVICE_READY) {
      this.#driverReady = value === 1;
      if (this.#driverReady) for (const port of this.#ports) this.#add(port);
      return;
    }
    const id = readU32(bytes, CONSOLE_CONTROL.id);
    const port = this.#ports[id];
    if (port === undefined || !port.added) return this.#violation(`port ${id} does not exist`);
    if (event === CONSOLE_EVENT.PORT_READY) {
      if (value === 1) this.#setUp(port);
    } else if (event === CONSOLE_EVENT.PORT_OPEN) {
      port.open = value === 1;
      port.fill();
    } else {
      this.#violation(`control message of kind ${event}`);
    }
  }

  #add(port: ConsolePort): void {
    if (port.added || port.gone) return;
    port.added = true;
    this.#tell(port, CONSOLE_EVENT.DEVICE_ADD, 0);
  }

  /** The driver can use the port: tells what there is to know of it. */
  #setUp(port: ConsolePort): void {
    port.ready = true;
    if (this.#options.terminals.includes(port.index)) {
      this.#tell(port, CONSOLE_EVENT.CONSOLE_PORT, 1);
      this.#tellSize(port);
    }
    const name = this.#options.names[port.index] ?? '';
    if (name !== '') {
      this.#tell(port, CONSOLE_EVENT.PORT_NAME, 1, Uint8Array.from(Buffer.from(name, 'utf8')));
    }
    this.#tell(port, CONSOLE_EVENT.PORT_OPEN, 1);
  }

  #plug(port: ConsolePort): void {
    port.gone = false;
    if (this.#driverReady) this.#add(port);
  }

  #unplug(port: ConsolePort): void {
    port.gone = true;
    port.ready = false;
    port.open = false;
    if (!port.added) return;
    port.added = false;
    this.#tell(port, CONSOLE_EVENT.DEVICE_REMOVE, 0);
  }

  #tellSize(port: ConsolePort): void {
    if (!this.#options.terminals.includes(port.index)) return;
    const size = new Uint8Array(consoleResize.fixedSize);
    consoleResize.encode({ cols: this.#cols, rows: this.#rows }, size, 0);
    this.#tell(port, CONSOLE_EVENT.RESIZE, 0, size);
  }

  #tell(port: ConsolePort, event: number, value: number, more = NO_BYTES): void {
    if (!this.#multiport) return;
    const bytes = new Uint8Array(CONSOLE_CONTROL_SIZE + more.length);
    consoleControl.encode({ id: port.index, event, value }, bytes, 0);
    bytes.set(more, CONSOLE_CONTROL_SIZE);
    this.#messages.push(bytes);
    this.#sendMessages();
  }

  #sendMessages(): void {
    while (!this.pausing && this.#messages.length > 0 && this.#controlBuffers.length > 0) {
      const { queue, chain } = this.#controlBuffers.shift()!;
      const message = this.#messages.shift()!;
      if (chain.writableBytes < message.length) {
        this.#violation(`a control buffer of ${chain.writableBytes} bytes`);
      }
      const written = scatter(this.dma, chain, 0, message, 0, message.length);
      if (!queue.complete(chain, written)) return queue.fail();
    }
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
