// The device side of virtio-gpio (virtio 1.4 §5.18): requests for lines are done in order; a pair of
// buffers on the event queue unmasks a line's interrupt and comes back when it fires.
import type { DeviceEnvironment } from '../../platform/contracts/index.ts';
import { InterruptLine, Milestone } from '../../platform/node/index.ts';
import {
  encodeLineNames,
  GPIO_DEVICE_ID,
  GPIO_DIRECTION,
  GPIO_F,
  GPIO_IRQ_REQUEST_SIZE,
  GPIO_IRQ_STATUS,
  GPIO_IRQ_TYPE,
  GPIO_MSG,
  GPIO_REQUEST,
  GPIO_REQUEST_SIZE,
  GPIO_RESPONSE_SIZE,
  GPIO_STATUS,
  gpioConfig,
} from '../../platform/virtio/index.ts';
import { readU16, readU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ServiceStation,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import { GpioLines } from './gpio-lines.ts';
import type { GpioOptions } from './options.ts';

const REQUEST_QUEUE = 0;
const EVENT_QUEUE = 1;
const IRQ_TYPES: readonly number[] = Object.values(GPIO_IRQ_TYPE);

export class GpioDevice extends VirtioDevice {
  readonly #lines: GpioLines;
  readonly #names: Uint8Array;
  readonly #access: number;
  readonly #requests: RequestFetcher;
  readonly #events: RequestFetcher;
  readonly #controller: ServiceStation;
  readonly #interrupt: InterruptLine;
  /** Requests that the controller is busy with, oldest first. */
  readonly #line: FetchedRequest[] = [];
  #epoch = 0;
  /** The unmasking pair of each line, or null. */
  readonly #pairs: (FetchedRequest | null)[];
  readonly #response = new Uint8Array(GPIO_RESPONSE_SIZE);
  readonly #status = new Uint8Array(1);

  constructor({ node, plan }: DeviceEnvironment<GpioOptions>) {
    const { options } = plan;
    const names = options.names.some((name) => name !== '')
      ? encodeLineNames(options.names, options.lines)
      : new Uint8Array(0);
    const config = new Uint8Array(gpioConfig.fixedSize);
    gpioConfig.encode({ ngpio: options.lines, gpioNamesSize: names.length }, config, 0);
    super(node, plan, {
      deviceId: GPIO_DEVICE_ID,
      features: options.interrupts ? GPIO_F.IRQ : 0n,
      config,
      queueSizes: new Array<number>(options.interrupts ? 2 : 1).fill(options.queueSize),
    });
    this.#names = names;
    this.#access = node.costs.idOf('gpio.access');
    this.#pairs = new Array<FetchedRequest | null>(options.lines).fill(null);
    this.#interrupt = new InterruptLine(node, () => this.#deliverAll());
    this.#lines = new GpioLines(node, options, () => this.#interrupt.raise());
    this.#controller = new ServiceStation(node, 1, (epoch) => this.#accessed(epoch));
    const fetcher = (bytesMax: number, ready: (request: FetchedRequest) => void) =>
      new RequestFetcher({ node, name: plan.name, bytesMax, ready });
    this.#requests = fetcher(GPIO_REQUEST_SIZE, (request) => {
      this.#line.push(request);
      this.#controller.request(node.charge(this.#access), this.#epoch);
    });
    this.#events = fetcher(GPIO_IRQ_REQUEST_SIZE, (request) => this.#unmask(request));
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    const fetcher = queue.index === REQUEST_QUEUE ? this.#requests : this.#events;
    fetcher.fetch(queue, chain);
  }

  protected forget(queue: QueueEngine): void {
    if (queue.index === EVENT_QUEUE) {
      this.#events.forget(queue);
      this.#pairs.fill(null);
      return;
    }
    this.#requests.forget(queue);
    this.#line.length = 0;
    this.#epoch++;
  }

  /** Pairs wait for their lines' interrupts. */
  override keeps({ index }: QueueEngine): number {
    return index === EVENT_QUEUE ? this.#pairs.filter((pair) => pair !== null).length : 0;
  }

  /** Edges that came meanwhile are latched. */
  protected override resumed(): void {
    this.#deliverAll();
  }

  /** A reset gives up all lines. */
  protected override wasReset(): void {
    this.#lines.reset();
  }

  #accessed(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const request = this.#line.shift()!;
    const { bytes, length } = request;
    const { writableBytes } = request.chain!;
    request.queue!.mark(request.chain!, Milestone.served);
    const response = this.#response.fill(0);
    if (request.refused || length < GPIO_REQUEST_SIZE || writableBytes < GPIO_RESPONSE_SIZE) {
      if (!request.refused) this.#violation('a request or a response of too few bytes');
      response[0] = GPIO_STATUS.ERR;
      return this.#answer(request, Math.min(writableBytes, GPIO_RESPONSE_SIZE));
    }
    const type = readU16(bytes, GPIO_REQUEST.type);
    if (type === GPIO_MSG.GET_LINE_NAMES) return this.#answerNames(request);
    const line = readU16(bytes, GPIO_REQUEST.gpio);
    const value = readU32(bytes, GPIO_REQUEST.value);
    const done = line < this.#lines.count && this.#perform(type, line, value);
    response[0] = done ? GPIO_STATUS.OK : GPIO_STATUS.ERR;
    this.#answer(request, GPIO_RESPONSE_SIZE);
  }

  /** Does what a request asks for; false when it can't be done. */
  #perform(type: number, line: number, value: number): boolean {
    const lines = this.#lines;
    switch (type) {
      case GPIO_MSG.GET_DIRECTION:
        this.#response[1] = lines.direction[line];
        return true;
      case GPIO_MSG.SET_DIRECTION:
        if (value > GPIO_DIRECTION.IN) return false;
        lines.setDirection(line, value);
        if (value === GPIO_DIRECTION.NONE) this.#giveBack(line, GPIO_IRQ_STATUS.INVALID);
        return true;
      case GPIO_MSG.GET_VALUE:
        this.#response[1] = lines.level(line);
        return true;
      case GPIO_MSG.SET_VALUE:
        if (value > 1) return false;
        lines.setOutput(line, value);
        return true;
      case GPIO_MSG.SET_IRQ_TYPE:
        return this.#setIrqType(line, value);
      default:
        return false;
    }
  }

  #setIrqType(line: number, type: number): boolean {
    const lines = this.#lines;
    if (!IRQ_TYPES.includes(type)) return false;
    if ((this.driverFeatures & GPIO_F.IRQ) === 0n) {
      this.#violation('an interrupt type, without the feature for it');
      return false;
    }
    if (type === GPIO_IRQ_TYPE.NONE) {
      lines.setIrqType(line, type);
      this.#giveBack(line, GPIO_IRQ_STATUS.INVALID);
      return true;
    }
    if (lines.direction[line] === GPIO_DIRECTION.OUT) {
      this.#violation(`an interrupt for line ${line}, which is an output`);
      return false;
    }
    if (lines.irqType[line] !== GPIO_IRQ_TYPE.NONE) {
      this.#violation(`another interrupt type for line ${line}, not disabled before`);
      return false;
    }
    lines.setIrqType(line, type);
    return true;
  }

  #answerNames(request: FetchedRequest): void {
    const names = this.#names;
    if (names.length === 0 || request.chain!.writableBytes < 1 + names.length) {
      this.#response[0] = GPIO_STATUS.ERR;
      return this.#answer(request, 1);
    }
    this.#response[0] = GPIO_STATUS.OK;
    scatter(this.dma, request.chain!, 1, names, 0, names.length);
    scatter(this.dma, request.chain!, 0, this.#response, 0, 1);
    this.#complete(this.#requests, request, 1 + names.length);
  }

  #answer(request: FetchedRequest, length: number): void {
    scatter(this.dma, request.chain!, 0, this.#response, 0, length);
    this.#complete(this.#requests, request, length);
  }

  /** A pair of buffers for a line's interrupt has come. */
  #unmask(request: FetchedRequest): void {
    const { bytes, length } = request;
    const line = length < GPIO_IRQ_REQUEST_SIZE ? -1 : readU16(bytes, 0);
    const known = line >= 0 && line < this.#lines.count && request.chain!.writableBytes >= 1;
    const second = known && this.#pairs[line] !== null;
    const usable = known && !second && this.#lines.irqType[line] !== GPIO_IRQ_TYPE.NONE;
    if (!usable) {
      if (!known && !request.refused) this.#violation('an interrupt pair that names no line');
      if (second) this.#violation(`a second interrupt pair for line ${line}`);
      return this.#answerEvent(request, GPIO_IRQ_STATUS.INVALID);
    }
    this.#pairs[line] = request;
    if (this.pausing) this.settle(request.queue!);
    else if (this.#lines.pending(line)) this.#fire(line);
  }

  /** The controller's interrupt was taken: tells the driver of every line that is pending. */
  #deliverAll(): void {
    if (this.pausing) return;
    for (let line = 0; line < this.#lines.count; line++) {
      if (this.#pairs[line] !== null && this.#lines.pending(line)) this.#fire(line);
    }
  }

  #fire(line: number): void {
    this.#lines.acknowledge(line);
    this.#giveBack(line, GPIO_IRQ_STATUS.VALID);
  }

  /** Returns the line's pair, if there is one, which masks its interrupt. */
  #giveBack(line: number, status: number): void {
    const pair = this.#pairs[line];
    if (pair === null) return;
    this.#pairs[line] = null;
    this.#answerEvent(pair, status);
  }

  #answerEvent(request: FetchedRequest, status: number): void {
    this.#status[0] = status;
    const written = scatter(this.dma, request.chain!, 0, this.#status, 0, 1);
    this.#complete(this.#events, request, written);
  }

  #complete(fetcher: RequestFetcher, request: FetchedRequest, written: number): void {
    const { queue, chain } = request;
    fetcher.release(request);
    if (!queue!.complete(chain!, written)) queue!.fail();
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
