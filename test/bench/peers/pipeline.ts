// A request pipeline of 14 steps, driver → bus → device → interrupt → driver, with some requests in
// flight in a closed loop. The same model is in pipeline.cpp and pipeline.py, number for number.
//
// A step either waits in line for one of four servers and is served by it, or takes its time by
// itself, beside others (a link's latency). Each ends with one event: 14 events a request.
import { type Component, type ComponentId, Kernel } from '../../../platform/kernel/index.ts';

/** Index of a server, or LATENCY. */
const LATENCY = -1;
const DRIVER = 0;
const BUS = 1;
const DEVICE = 2;
const MEDIUM = 3;
const SERVERS = 4;

/** Where, and how many ps. */
export const STEPS: readonly (readonly [number, number])[] = [
  [DRIVER, 400_000], // submit: block layer, ring
  [BUS, 20_000], // doorbell message
  [LATENCY, 250_000],
  [DEVICE, 300_000], // take the message
  [LATENCY, 150_000], // DMA read of the descriptors, there …
  [LATENCY, 150_000], // … and back
  [DEVICE, 200_000], // parse the request
  [MEDIUM, 350_000], // read the data
  [LATENCY, 400_000], // DMA write of data and status
  [DEVICE, 150_000], // used ring
  [BUS, 20_000], // event message
  [LATENCY, 250_000],
  [DRIVER, 250_000], // interrupt
  [DRIVER, 150_000], // completion
];
const WHERE = Int32Array.from(STEPS, ([where]) => where);
const DURATION = Int32Array.from(STEPS, ([, duration]) => duration);

/** Takes tokens through the steps. `kind` of its events is the step that ends, `a` the token. */
class Requests implements Component {
  completed = 0;
  readonly id: ComponentId;
  readonly servers: Server[] = [];
  readonly #kernel: Kernel;
  readonly #steps: Int32Array;

  constructor(kernel: Kernel, inFlight: number) {
    this.#kernel = kernel;
    this.#steps = new Int32Array(inFlight);
    this.id = kernel.add(0, this);
  }

  /** The end of a latency. */
  deliver(_kind: number, token: number): void {
    this.finish(token);
  }

  start(): void {
    for (let token = 0; token < this.#steps.length; token++) this.#enter(token, 0);
  }

  /** The token's step is over. */
  finish(token: number): void {
    let step = this.#steps[token] + 1;
    if (step === WHERE.length) {
      this.completed++;
      step = 0;
    }
    this.#enter(token, step);
  }

  #enter(token: number, step: number): void {
    this.#steps[token] = step;
    const where = WHERE[step];
    if (where === LATENCY) this.#kernel.post(this.id, DURATION[step], step, token);
    else this.servers[where].enter(token, step);
  }
}

/** Serves one token at a time, in the order they came. */
class Server implements Component {
  readonly id: ComponentId;
  readonly #kernel: Kernel;
  readonly #requests: Requests;
  // A ring of those that wait, the one being served included: token and step.
  readonly #tokens: Int32Array;
  readonly #steps: Int32Array;
  #head = 0;
  #waiting = 0;

  constructor(kernel: Kernel, requests: Requests, inFlight: number) {
    this.#kernel = kernel;
    this.#requests = requests;
    this.#tokens = new Int32Array(inFlight);
    this.#steps = new Int32Array(inFlight);
    this.id = kernel.add(0, this);
  }

  enter(token: number, step: number): void {
    const size = this.#tokens.length;
    let tail = this.#head + this.#waiting++;
    if (tail >= size) tail -= size;
    this.#tokens[tail] = token;
    this.#steps[tail] = step;
    if (this.#waiting === 1) this.#serve();
  }

  /** The end of a service. */
  deliver(_kind: number, token: number): void {
    const next = this.#head + 1;
    this.#head = next === this.#tokens.length ? 0 : next;
    if (--this.#waiting > 0) this.#serve();
    this.#requests.finish(token);
  }

  #serve(): void {
    const step = this.#steps[this.#head];
    this.#kernel.post(this.id, DURATION[step], step, this.#tokens[this.#head]);
  }
}

export class Pipeline {
  readonly kernel = new Kernel(1);
  readonly #requests: Requests;

  constructor(inFlight: number) {
    this.#requests = new Requests(this.kernel, inFlight);
    for (let i = 0; i < SERVERS; i++) {
      this.#requests.servers.push(new Server(this.kernel, this.#requests, inFlight));
    }
    this.#requests.start();
  }

  get completed(): number {
    return this.#requests.completed;
  }
}
