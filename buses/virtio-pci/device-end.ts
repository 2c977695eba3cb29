// The card's end of a transport whose devices are PCI functions: a function for each device, and the card's
// core that hears of notifications.
import type {
  BusEnvironment,
  DeviceEnd,
  DeviceModel,
  DevicePlan,
  Statistics,
} from '../../platform/contracts/index.ts';
import { type CpuClient, InterruptLine, type Node, Priority } from '../../platform/node/index.ts';
import { Endpoint, type PciePath, pathOf } from '../../platform/pcie/index.ts';
import { DeviceRegions, planHotPlug, planSlot } from '../common/index.ts';
import { mmioTimingIds } from '../virtio-mmio/index.ts';
import { emulatedCardWay, emulatedPath } from './emulated.ts';
import { regionHandle } from './function-regions.ts';
import type { FunctionOptions, FunctionPlan } from './options.ts';

/** What a function of a device is made from. */
export interface DeviceFunctionOptions<Options> {
  readonly node: Node;
  readonly path: PciePath;
  readonly options: Options;
  readonly endpoint: Endpoint;
  readonly functionId: number;
  readonly model: DeviceModel;
  /** A queue was notified; `next` is as for `DeviceModel.available`. */
  notified(queue: number, next: number): void;
  /** Told of an access that the function does not know. */
  objected(text: string): void;
}

export class FunctionDeviceEnd<Options extends FunctionOptions> implements DeviceEnd, CpuClient {
  readonly #node: Node;
  readonly #plan: FunctionPlan<Options>;
  readonly #makeFunction: (options: DeviceFunctionOptions<Options>) => unknown;
  readonly #path: PciePath;
  readonly #endpoint: Endpoint;
  /** Regions of devices whose functions are made believe. */
  readonly #regions: DeviceRegions | null;
  readonly #line: InterruptLine;
  /** Constant: a device model comes to a notification. */
  readonly #emulate: number;
  // Notifications that a core has yet to come to, in arrays that are used again.
  readonly #models: DeviceModel[] = [];
  readonly #queues: number[] = [];
  readonly #nexts: number[] = [];
  #waiting = 0;
  #notified = 0;

  constructor(
    { node, plan }: BusEnvironment<Options>,
    makeFunction: (options: DeviceFunctionOptions<Options>) => unknown,
  ) {
    this.#node = node;
    this.#plan = plan;
    this.#makeFunction = makeFunction;
    const { options } = plan;
    const { emulated } = options;
    this.#path = emulated ? emulatedPath(node, pathOf(options)) : pathOf(options);
    const way = emulated ? emulatedCardWay(node) : null;
    this.#regions = way === null ? null : new DeviceRegions({ node, plan, link: way.memory });
    this.#endpoint = new Endpoint({
      node,
      path: this.#path,
      hostNode: plan.driver,
      hostPort: plan.driverPort,
      ownPort: plan.devicePort,
      iommu: options.iommu && !emulated,
      ...(way === null ? {} : { way }),
      beside: (packet) => this.#regions?.receive(packet) ?? false,
    });
    this.#endpoint.bind();
    planSlot(node, this.#endpoint, options);
    this.#emulate = mmioTimingIds(node.costs).emulate;
    this.#line = new InterruptLine(node, () => this.#serve());
  }

  connect(device: DevicePlan, model: DeviceModel): void {
    const { name, number } = device;
    for (const region of model.regions ?? []) {
      this.#regions?.shareAs(regionHandle(number, region.shmid), region);
    }
    this.#makeFunction({
      node: this.#node,
      path: this.#path,
      options: this.#plan.options,
      endpoint: this.#endpoint,
      functionId: number,
      model,
      notified: (queue, next) => this.#take(model, queue, next),
      objected: (text) => this.#node.violations.report('BAD_REQUEST', `${name}: ${text}`),
    });
    planHotPlug(this.#node, device, this);
  }

  /** A device that comes and goes sits in a slot of its own. */
  setPresent(number: number, present: boolean): void {
    this.#endpoint.setPresent(number, present);
  }

  statistics(): Statistics {
    return {
      messages: 0,
      bytes: 0,
      notificationsTaken: this.#notified,
      interrupts: this.#line.taken,
      interruptsCoalesced: this.#line.coalesced,
      ...this.#endpoint.statistics(),
    };
  }

  #take(model: DeviceModel, queue: number, next: number): void {
    this.#notified++;
    this.#models[this.#waiting] = model;
    this.#queues[this.#waiting] = queue;
    this.#nexts[this.#waiting++] = next;
    this.#wake();
  }

  /** A core of the card is interrupted; a thread of a device model is awake already. */
  #wake(): void {
    if (!this.#plan.options.emulated) return this.#line.raise();
    if (this.#waiting > 1) return;
    const cost = this.#node.charge(this.#emulate);
    this.#node.cpu.submit(Priority.task, cost, this, 0);
  }

  deliver(): void {
    this.#serve();
  }

  /** One interrupt is for all notifications that have come. */
  #serve(): void {
    for (let i = 0; i < this.#waiting; i++) {
      this.#models[i].available(this.#queues[i], this.#nexts[i]);
    }
    this.#waiting = 0;
  }
}
