// A group of nodes that run on one thread: their kernel, and every model that lives on them. The
// inline host has one group of all nodes, the worker host one group a thread.
import { resolve as resolvePath } from 'node:path';
import type {
  BusPlan,
  BusSide,
  Device,
  DeviceEnd,
  DevicePlan,
  Driver,
  DriverEnd,
  MessageObserver,
  ModelTables,
  NetworkAttachment,
  NetworkPlan,
  Observed,
  Statistics,
  Topology,
  Workload,
  WorkloadPlan,
  WorkloadResult,
} from '../contracts/index.ts';
import { CauseLog, type DigestLanes, Kernel, type Outbox } from '../kernel/index.ts';
import type { EngineName } from '../machine/index.ts';
import { EthernetSwitch } from '../network/index.ts';
import { MilestoneLog, Node, type Violation } from '../node/index.ts';
import { Costs } from '../timing/index.ts';
import type { RecordedMessages } from './message-record.ts';
import { MessageRecorder, type TraceScope } from './message-recorder.ts';

export interface GroupOptions {
  readonly topology: Topology;
  readonly tables: ModelTables;
  readonly engine: EngineName;
  /** Indexes of the nodes hosted here. */
  readonly nodes: readonly number[];
  /** Where packets for other groups go; null when there are none. */
  readonly outbox: Outbox | null;
  /** Record causes and milestones of every request. */
  readonly anatomy: boolean;
  /** What to record of the messages that the ends of buses send; null for nothing. */
  readonly trace: TraceScope | null;
  /** Descriptor of an empty file for most of what is recorded; without one it is kept in memory. */
  readonly traceFile?: number | null;
  /** Makes who is told of the messages of one end of a bus, for tests that look at them as they go. */
  readonly observe?: (bus: number, from: BusSide) => MessageObserver | undefined;
}

export interface NodeOutcome {
  readonly node: number;
  /** Core-ps of work and of synchronous calls. */
  readonly cpuBusyPs: number;
  readonly cpuLentPs: number;
  readonly interrupts: number;
  readonly violations: number;
  readonly described: readonly Violation[];
  readonly lanes: DigestLanes;
  readonly chargesPs: Float64Array;
  readonly chargeCounts: Float64Array;
}

export interface BusOutcome {
  readonly bus: number;
  readonly side: BusSide;
  readonly statistics: Statistics;
  /** Times that a CPU of this end left its context. */
  readonly calls: number;
}

/** What a device model has to tell of itself. */
export interface DeviceOutcome {
  readonly device: number;
  readonly statistics: Statistics;
  /** Its DMA reads by what they were for. */
  readonly reads: Statistics;
}

/** What one end of a cable has sent, or what a switch has done. */
export interface NetworkOutcome {
  readonly network: number;
  readonly part: 'switch' | 'switchPort' | 'device';
  /** Device at the other end of the port's cable, or at this end; null for the switch itself. */
  readonly device: number | null;
  readonly statistics: Statistics;
}

export interface WorkloadOutcome {
  readonly workload: number;
  readonly done: boolean;
  readonly driverState: string;
  readonly downReason: string | null;
  readonly result: WorkloadResult;
}

/** What was recorded of requests on the nodes of a group. */
export interface AnatomyRecord {
  readonly causes: Omit<CauseLog, 'note' | 'suspend' | 'restore' | 'record'>;
  readonly milestones: readonly Omit<MilestoneLog, 'mark'>[];
}

/** What a group has to tell when the run is over; plain data, to cross threads. */
export interface GroupOutcome {
  readonly nodes: readonly NodeOutcome[];
  readonly buses: readonly BusOutcome[];
  readonly devices: readonly DeviceOutcome[];
  readonly networks: readonly NetworkOutcome[];
  readonly workloads: readonly WorkloadOutcome[];
  readonly events: number;
  readonly anatomy: AnatomyRecord | null;
  /** What the ends of buses have sent, when that was recorded. */
  readonly messages: RecordedMessages | null;
}

export class Group {
  readonly kernel: Kernel;
  /** Workloads that are not through yet. */
  unfinished = 0;
  /** When the last workload to finish so far did so. */
  lastFinish = 0;
  /** Called when `unfinished` has become 0. */
  allFinished: () => void = () => {};
  readonly #topology: Topology;
  readonly #tables: ModelTables;
  readonly #recorder: MessageRecorder | null;
  readonly #observe: GroupOptions['observe'];
  readonly #nodes = new Map<number, Node>();
  readonly #driverEnds = new Map<number, DriverEnd>();
  readonly #deviceEnds = new Map<number, DeviceEnd>();
  readonly #drivers = new Map<number, Driver>();
  readonly #attachments = new Map<number, NetworkAttachment>();
  readonly #switches = new Map<number, EthernetSwitch>();
  readonly #devices: { readonly plan: DevicePlan; readonly model: Device }[] = [];
  readonly #workloads: { readonly plan: WorkloadPlan; readonly workload: Workload }[] = [];

  constructor(options: GroupOptions) {
    const { topology, tables, nodes, outbox, anatomy, trace, traceFile = null } = options;
    this.#topology = topology;
    this.#tables = tables;
    this.kernel = new Kernel(topology.nodes.length, outbox);
    this.#recorder = trace && new MessageRecorder(this.kernel, trace, traceFile);
    this.#observe = options.observe ?? this.#recorder?.observer.bind(this.#recorder);
    if (anatomy) this.kernel.causes = new CauseLog();
    for (const index of nodes) this.#nodes.set(index, this.#makeNode(index, options));
    // In the order of the topology, so that a node's components are numbered alike in any group.
    for (const plan of topology.buses) this.#makeBus(plan);
    for (const plan of topology.networks) this.#makeNetwork(plan);
    for (const plan of topology.devices) this.#makeDevice(plan);
    for (const plan of topology.workloads) this.#makeWorkload(plan);
  }

  /** Starts the driver ends of all buses at the current instant. */
  start(): void {
    for (const plan of this.#topology.buses) this.#driverEnds.get(plan.index)?.start();
  }

  /** Ends the run for the models: files are written back and closed. */
  close(): void {
    for (const { model } of this.#devices) model.close?.();
  }

  /** Ends a run that counts for nothing: files stay as they were. */
  abandon(): void {
    for (const { model } of this.#devices) model.abandon?.();
  }

  /** The share that is done of the workload that is least far, 0 … 1; null when one cannot tell. */
  progress(): number | null {
    let least = 1;
    for (const { workload } of this.#workloads) {
      const share = workload.done ? 1 : workload.progress();
      if (share === null) return null;
      least = Math.min(least, share);
    }
    return least;
  }

  outcome(): GroupOutcome {
    const { causes } = this.kernel;
    return {
      nodes: [...this.#nodes.values()].map((node) => this.#nodeOutcome(node)),
      buses: [
        ...[...this.#driverEnds].map(([bus, end]) => this.#busOutcome(bus, 'driver', end)),
        ...[...this.#deviceEnds].map(([bus, end]) => this.#busOutcome(bus, 'device', end)),
      ],
      devices: this.#devices.flatMap(({ plan, model }) => {
        const statistics = model.statistics?.() ?? {};
        return { device: plan.index, statistics, reads: model.reads?.() ?? {} };
      }),
      networks: this.#networkOutcomes(),
      workloads: this.#workloads.map(({ plan, workload }) => {
        const driver = this.#drivers.get(plan.device)!;
        return {
          workload: plan.index,
          done: workload.done,
          driverState: driver.state,
          downReason: driver.downReason,
          result: workload.result(),
        };
      }),
      events: this.kernel.events,
      anatomy: causes === null ? null : { causes: plain(causes), milestones: this.#milestones() },
      messages: this.#recorder?.record() ?? null,
    };
  }

  #makeNode(index: number, { topology, engine, anatomy }: GroupOptions): Node {
    const node = new Node({
      plan: topology.nodes[index],
      kernel: this.kernel,
      costs: new Costs(topology.profile),
      seed: topology.seed,
      engine,
    });
    if (anatomy) node.milestones = new MilestoneLog(this.kernel);
    return node;
  }

  #makeBus(plan: BusPlan): void {
    const row = this.#tables.buses[plan.type];
    const faults = this.#topology.faults.filter(({ bus }) => bus === plan.index);
    const driverNode = this.#nodes.get(plan.driver);
    if (driverNode !== undefined) {
      const observer = this.#observe?.(plan.index, 'driver');
      const environment = { node: driverNode, plan: plan as never, faults, observer };
      this.#driverEnds.set(plan.index, row.createDriverEnd(environment));
    }
    const deviceNode = this.#nodes.get(plan.device);
    if (deviceNode !== undefined) {
      const observer = this.#observe?.(plan.index, 'device');
      const environment = { node: deviceNode, plan: plan as never, faults, observer };
      this.#deviceEnds.set(plan.index, row.createDeviceEnd(environment));
    }
  }

  /** A switch; a wire is nothing but what is at its ends. */
  #makeNetwork(plan: NetworkPlan): void {
    for (const link of plan.links) this.#attachments.set(link.device, { network: plan, link });
    const node = plan.node === null ? undefined : this.#nodes.get(plan.node);
    if (node !== undefined) this.#switches.set(plan.index, new EthernetSwitch(node, plan));
  }

  #makeDevice(plan: DevicePlan): void {
    const bus = this.#topology.buses[plan.bus];
    const driverNode = this.#nodes.get(bus.driver);
    const deviceNode = this.#nodes.get(bus.device);
    if (driverNode !== undefined) {
      const transport = this.#driverEnds.get(bus.index)!.transport(plan);
      const driver = this.#tables.drivers[plan.type].create({ node: driverNode, plan, transport });
      this.#drivers.set(plan.index, driver);
    }
    if (deviceNode !== undefined) {
      const model = this.#tables.devices[plan.type].create({
        node: deviceNode,
        plan: plan as never,
        network: this.#attachments.get(plan.index) ?? null,
        resolve: (path) => this.#resolve(path),
      });
      this.#devices.push({ plan, model });
      this.#deviceEnds.get(bus.index)!.connect(plan, model);
    }
  }

  #makeWorkload(plan: WorkloadPlan): void {
    const device = this.#topology.devices[plan.device];
    const node = this.#nodes.get(this.#topology.buses[device.bus].driver);
    if (node === undefined) return;
    const workload = this.#tables.workloads[plan.type].create({
      node,
      plan: plan as never,
      device,
      driver: this.#drivers.get(plan.device) as never,
      devices: this.#topology.devices,
      resolve: (path) => this.#resolve(path),
      finished: () => this.#finished(),
    });
    this.#workloads.push({ plan, workload });
    this.unfinished++;
  }

  #networkOutcomes(): NetworkOutcome[] {
    const { networks } = this.#topology;
    const outcomes: NetworkOutcome[] = [];
    for (const [network, model] of this.#switches) {
      const statistics = model.statistics();
      outcomes.push({ network, part: 'switch', device: null, statistics });
      for (const [port, { device }] of networks[network].links.entries()) {
        outcomes.push({
          network,
          part: 'switchPort',
          device,
          statistics: model.cable(port).statistics(),
        });
      }
    }
    for (const { plan, model } of this.#devices) {
      const attachment = this.#attachments.get(plan.index);
      if (attachment === undefined || model.networkStatistics === undefined) continue;
      const statistics = model.networkStatistics();
      const network = attachment.network.index;
      outcomes.push({ network, part: 'device', device: plan.index, statistics });
    }
    return outcomes;
  }

  #finished(): void {
    this.unfinished--;
    this.lastFinish = this.kernel.now;
    if (this.unfinished === 0) this.allFinished();
  }

  #resolve(path: string): string {
    return resolvePath(this.#topology.folder, path);
  }

  #busOutcome(bus: number, side: BusSide, end: Observed): BusOutcome {
    const { calls: names = [] } = this.#tables.buses[this.#topology.buses[bus].type];
    const statistics = end.statistics();
    const calls = names.reduce((sum, name) => sum + (statistics[name] ?? 0), 0);
    return { bus, side, statistics, calls };
  }

  #nodeOutcome(node: Node): NodeOutcome {
    const { charges } = node.costs;
    return {
      node: node.index,
      cpuBusyPs: node.cpu.busyUntilNow(),
      cpuLentPs: node.cpu.held,
      interrupts: node.interrupts,
      violations: node.violations.count,
      described: node.violations.described,
      lanes: this.kernel.digestOf(node.index),
      chargesPs: charges.ps,
      chargeCounts: charges.counts,
    };
  }

  #milestones(): Omit<MilestoneLog, 'mark'>[] {
    return [...this.#nodes.values()].map((node) => plain(node.milestones!));
  }
}

/** A copy of an object's own fields, without its methods. */
function plain<T extends object>(value: T): T {
  return { ...value };
}
