// A host and a card with one PCI Express path between them, without any bus on it: a function with two
// BARs of plain memory and an MSI-X table. Latencies are round, so that a test can count in its head.
import { adminTiming } from '../../buses/admin-vq/index.ts';
import type { DmaClient, DmaFault, NodePlan } from '../../platform/contracts/index.ts';
import { Kernel } from '../../platform/kernel/index.ts';
import { type CpuClient, Node, Priority } from '../../platform/node/index.ts';
import {
  ConfigSpace,
  DirectTranslation,
  Endpoint,
  expressCapability,
  FunctionProbe,
  type InterruptKind,
  Iommu,
  type LoadClient,
  msiCapability,
  msixCapability,
  type PcieFunction,
  type PciePath,
  type ProbedFunction,
  pcieTiming,
  RootPort,
} from '../../platform/pcie/index.ts';
import { Costs, PLATFORM_TIMING } from '../../platform/timing/index.ts';

/** ps of each latency. One way is 310 ns without switches. */
export const LATENCY = {
  'pcie.linkLatency': 110_000,
  'pcie.switchLatency': 120_000,
  'pcie.rootLatency': 90_000,
  'pcie.endpointLatency': 110_000,
  'pcie.memoryRead': 90_000,
  'pcie.registerRead': 80_000,
  'pcie.coreAccess': 30_000,
  'pcie.iotlbHit': 15_000,
  'pcie.iotlbMiss': 300_000,
  'pcie.iommuMap': 200_000,
  'pcie.msiDelivery': 250_000,
  'pcie.readyTime': 100_000_000_000,
  'admin.timeout': 10_000_000_000,
} as const;
export const ONE_WAY = 310_000;

const PATH: PciePath = {
  generation: 4,
  lanes: 4,
  maxPayload: 256,
  maxReadRequest: 512,
  tags: 32,
  credit: { posted: null, requests: null },
  switches: 0,
  uplink: null,
  uplinkLanes: 4,
  line: 0,
};

export const VENDOR = 0x1234;
export const DEVICE = 0x5678;
const BAR_SIZE = 0x4000;
const VECTORS = 2;

export interface BenchOptions {
  readonly path?: Partial<PciePath>;
  readonly iommu?: boolean;
  readonly iotlb?: number;
  readonly interrupts?: InterruptKind | null;
  readonly cpus?: number;
  /** Bytes of the blocks in which the card joins reads. */
  readonly readBurst?: number;
  /** Another bench, on whose host this one has its root port. */
  readonly beside?: PcieBench;
}

/** How devices fetch. */
const FETCH = { 'device.batch': 32, 'device.descriptorBurst': 64, 'device.dataReads': 32 } as const;
/** What constants are that no test is about. */
const OTHERWISE = { time: 1000, rate: 10 ** 10, size: 0, count: 0 } as const;

function makeNode(
  kernel: Kernel,
  index: number,
  name: string,
  { cpus, readBurst = 0 }: { readonly cpus: number; readonly readBurst?: number },
): Node {
  const plan: NodePlan = {
    index,
    name,
    kind: index === 0 ? 'host' : 'card',
    world: 'normal',
    cpus,
    memory: 2 ** 24,
    placement: null,
  };
  const values: Readonly<Record<string, number>> = {
    ...LATENCY,
    ...FETCH,
    'pcie.readBurst': readBurst,
  };
  const constants = [...PLATFORM_TIMING, ...pcieTiming, ...adminTiming].map(
    ({ name: constant, dimension }) => ({
      name: constant,
      dimension,
      value: values[constant] ?? OTHERWISE[dimension],
      text: '',
      kind: 'guess' as const,
      source: 'the test',
    }),
  );
  const costs = new Costs({ name: 'bench', description: '', constants });
  return new Node({ plan, kernel, costs, seed: 1, engine: 'compiled' });
}

/** Remembers what became of DMA transactions. */
export class DmaRecorder implements DmaClient {
  readonly done: { readonly tag: number; readonly bytes: Uint8Array; readonly at: number }[] = [];
  readonly faults: { readonly tag: number; readonly fault: DmaFault }[] = [];
  /** Called after each read. */
  next: (tag: number) => void = () => {};
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  readDone(tag: number, bytes: Uint8Array, length: number): void {
    this.done.push({ tag, bytes: bytes.slice(0, length), at: this.#kernel.now });
    this.next(tag);
  }

  refused(tag: number, fault: DmaFault): void {
    this.faults.push({ tag, fault });
  }
}

export class PcieBench {
  readonly kernel: Kernel;
  readonly path: PciePath;
  readonly host: Node;
  readonly card: Node;
  readonly translation: Iommu | DirectTranslation;
  readonly port: RootPort;
  readonly endpoint: Endpoint;
  readonly own: PcieFunction;
  readonly probe: FunctionProbe;
  readonly client: DmaRecorder;
  /** Memory behind BAR 0 and BAR 2. */
  readonly bars = [new Uint8Array(BAR_SIZE), new Uint8Array(BAR_SIZE)];
  /** Stores that reached a BAR, and instants of interrupts by vector (-1: INTx). */
  readonly stores: { readonly bar: number; readonly offset: number; readonly at: number }[] = [];
  readonly interrupts: { readonly vector: number; readonly at: number }[] = [];
  found: ProbedFunction | null = null;
  absences = 0;
  resets = 0;
  linkChanges: boolean[] = [];

  constructor(options: BenchOptions = {}) {
    const { iommu = true, iotlb = 64, interrupts = 'msix', cpus = 2, beside } = options;
    const { path = {}, readBurst = 0 } = options;
    this.path = { ...PATH, uplinkLanes: path.lanes ?? PATH.lanes, ...path };
    this.kernel = beside?.kernel ?? new Kernel(3);
    this.host = beside?.host ?? makeNode(this.kernel, 0, 'host', { cpus });
    const cardNode = beside === undefined ? 1 : 2;
    const hostPort = cardNode - 1;
    this.card = makeNode(this.kernel, cardNode, `card${cardNode}`, { cpus: 1, readBurst });
    this.client = new DmaRecorder(this.kernel);
    const { kernel } = this;
    this.translation = iommu ? new Iommu(iotlb) : new DirectTranslation(this.host.memory);
    this.port = new RootPort({
      node: this.host,
      path: this.path,
      translation: this.translation,
      cardNode,
      cardPort: 0,
      ownPort: hostPort,
      name: 'bench',
      linkChanged: (isUp) => {
        this.linkChanges.push(isUp);
        this.probe.linkChanged(isUp);
      },
    });
    this.port.bind();
    const first = this.port.addVectors(VECTORS, (vector) => {
      this.interrupts.push({ vector, at: kernel.now });
    });
    this.port.setLine(0, () => this.interrupts.push({ vector: -1, at: kernel.now }));
    this.endpoint = new Endpoint({
      node: this.card,
      path: this.path,
      hostNode: 0,
      hostPort,
      ownPort: 0,
      iommu,
    });
    this.endpoint.bind();
    this.own = this.endpoint.addFunction(0, {
      config: this.#configSpace(),
      vectors: VECTORS,
      model: {
        readBar: (bar, offset, target, length) => this.#readBar(bar, offset, target, length),
        writeBar: (bar, offset, source, length) => this.#writeBar(bar, offset, source, length),
        reset: () => {
          this.resets++;
        },
      },
    });
    this.probe = new FunctionProbe({
      node: this.host,
      name: `bench${cardNode}`,
      port: this.port,
      path: this.path,
      functionId: 0,
      interrupts,
      vectors: () => first,
      accepts: ({ vendorId, deviceId }) => vendorId === VENDOR && deviceId === DEVICE,
      ready: (found) => {
        this.found = found;
      },
      absent: () => {
        this.absences++;
      },
    });
  }

  /** Takes the function into use. */
  start(): this {
    this.probe.start();
    this.kernel.runUntil(Infinity);
    return this;
  }

  run(): void {
    this.kernel.runUntil(Infinity);
  }

  /** Address of BAR 0 or of the wide BAR 2. */
  barAddress(index: 0 | 2): number {
    return this.found!.bars.get(index)!.address;
  }

  /** Runs something on a core of the host. */
  onCore(work: () => void): void {
    const client: CpuClient = { deliver: work };
    this.host.cpu.submit(Priority.task, 0, client, 0);
  }

  /** Loads from a BAR on a core and returns when the bytes are there, and the bytes. */
  load(address: number, length: number): { readonly at: number; readonly bytes: Uint8Array } {
    let result = { at: -1, bytes: new Uint8Array(0) };
    const client: LoadClient = {
      loaded: (_, bytes, count) => {
        result = { at: this.kernel.now, bytes: bytes.slice(0, count) };
      },
    };
    this.onCore(() => this.port.load(address, length, client, 0));
    this.run();
    return result;
  }

  #configSpace(): ConfigSpace {
    return new ConfigSpace({
      identity: {
        vendorId: VENDOR,
        deviceId: DEVICE,
        revision: 7,
        classCode: 0x088000,
        subsystemVendorId: VENDOR,
        subsystemId: 1,
      },
      bars: [
        { index: 0, size: BAR_SIZE, wide: false, prefetchable: false },
        { index: 2, size: BAR_SIZE, wide: true, prefetchable: true },
        { index: 4, size: 4096, wide: false, prefetchable: false },
      ],
      capabilities: [
        expressCapability(this.path),
        msiCapability(VECTORS),
        msixCapability(VECTORS, 4),
      ],
    });
  }

  #readBar(bar: number, offset: number, target: Uint8Array, length: number): void {
    if (bar === 4) return this.own.interrupts.readTable(offset, target, length);
    target.set(this.bars[bar / 2].subarray(offset, offset + length));
  }

  #writeBar(bar: number, offset: number, source: Uint8Array, length: number): void {
    if (bar === 4) return this.own.interrupts.writeTable(offset, source, length);
    this.stores.push({ bar, offset, at: this.kernel.now });
    this.bars[bar / 2].set(source.subarray(0, length), offset);
  }
}
