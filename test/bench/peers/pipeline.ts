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

/** What all requests of a pipeline share. */
class Shared {
  readonly kernel = new Kernel(1);
  readonly servers: Server[] = [];
  completed = 0;
}

class Request implements Component {
  step = 0;
  /** The next in a server's line. */
  next: Request | null = null;
  readonly #id: ComponentId;
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#id = shared.kernel.add(0, this);
  }

  enter(): void {
    const { step } = this;
    const where = WHERE[step];
    if (where === LATENCY) this.#shared.kernel.post(this.#id, DURATION[step], step);
    else this.#shared.servers[where].enter(this);
  }

  /** The end of a latency. */
  deliver(): void {
    this.finish();
  }

  /** The step is over. */
  finish(): void {
    this.step++;
    if (this.step === WHERE.length) {
      this.#shared.completed++;
      this.step = 0;
    }
    this.enter();
  }
}

/** Serves one request at a time, in the order they came. */
class Server implements Component {
  readonly #id: ComponentId;
  readonly #kernel: Kernel;
  // Those that wait, the one being served included.
  #first: Request | null = null;
  #last: Request | null = null;

  constructor({ kernel }: Shared) {
    this.#kernel = kernel;
    this.#id = kernel.add(0, this);
  }

  enter(request: Request): void {
    request.next = null;
    if (this.#first === null) {
      this.#first = request;
      this.#serve(request);
    } else {
      this.#last!.next = request;
    }
    this.#last = request;
  }

  /** The end of a service. */
  deliver(): void {
    const request = this.#first!;
    const { next } = request;
    this.#first = next;
    if (next !== null) this.#serve(next);
    request.finish();
  }

  #serve({ step }: Request): void {
    this.#kernel.post(this.#id, DURATION[step], step);
  }
}

export class Pipeline {
  readonly #shared = new Shared();

  constructor(inFlight: number) {
    const { servers } = this.#shared;
    for (let i = 0; i < SERVERS; i++) servers.push(new Server(this.#shared));
    for (let i = 0; i < inFlight; i++) new Request(this.#shared).enter();
  }

  get kernel(): Kernel {
    return this.#shared.kernel;
  }

  get completed(): number {
    return this.#shared.completed;
  }
}
