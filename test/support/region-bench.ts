// Persistent memory over a bus of the contract suite, with a hand on its region: loads and stores by cores of the
// driver's node, past the driver.
import { tables } from '../../platform/cli/tables.ts';
import type {
  BusDefinition,
  DeviceModel,
  DriverTransport,
  ModelTables,
  RegionMap,
  TransportReply,
} from '../../platform/contracts/index.ts';
import { type Node, Priority } from '../../platform/node/index.ts';
import { type Choice, contractTopology } from '../contract/cases.ts';
import { Rig } from './rig.ts';

const MICROSECOND = 1_000_000;
const STEPS_MAX = 20_000;

/** What came of a load. */
export interface Loaded {
  readonly bytes: readonly number[] | null;
  readonly reason: string | null;
  /** ps from the load to the moment when the core goes on. */
  readonly time: number;
}

export class RegionBench {
  readonly rig: Rig;
  driverNode: Node | null = null;
  deviceNode: Node | null = null;
  /** Statuses that the driver wrote, and regions that it was told of. */
  readonly statuses: number[] = [];
  readonly regions: { readonly length: number; readonly address: number }[] = [];
  /** When a core was last given something to do. */
  started = 0;
  #transport: DriverTransport | null = null;
  #model: DeviceModel | null = null;
  #now = 0;

  constructor(choice: Omit<Choice, 'device'>) {
    const rows = Object.entries(tables.buses).map(
      ([type, row]) => [type, this.#watch(row)] as const,
    );
    const watched: ModelTables = { ...tables, buses: Object.fromEntries(rows) };
    const topology = contractTopology({ ...choice, device: 'pmem' });
    this.rig = new Rig(topology, { tables: watched });
  }

  get region() {
    return this.regions.at(-1)!;
  }

  /** The region in the RAM of the device's node. */
  get own() {
    return this.#model!.regions![0];
  }

  get model(): DeviceModel {
    return this.#model!;
  }

  get map(): RegionMap {
    return this.#transport!.regions as RegionMap;
  }

  get driverState(): string {
    return this.rig.outcome.workloads[0].driverState;
  }

  runFor(time: number): void {
    // The kernel's clock stands still where nothing happens.
    this.#now = Math.max(this.#now, this.rig.kernel.now) + time;
    this.rig.runUntil(this.#now);
  }

  /** Runs in steps while the condition holds; at most so many. */
  runWhile(condition: () => boolean, step = MICROSECOND): void {
    for (let i = 0; i < STEPS_MAX && condition(); i++) this.runFor(step);
    if (condition()) throw new Error('what the bench waits for does not happen');
  }

  /** A core loads; time passes until it has gone on. */
  load(address: number, length: number): Loaded {
    const { kernel } = this.rig;
    let loaded: Loaded | null = null;
    let since = 0;
    this.onCore(() => {
      since = kernel.now;
      const client = {
        loaded: (_: number, bytes: Uint8Array, count: number) => {
          loaded = { bytes: [...bytes.slice(0, count)], reason: null, time: kernel.now - since };
        },
        loadRefused: (_: number, reason: string) => {
          loaded = { bytes: null, reason, time: kernel.now - since };
        },
      };
      this.map.load(address, length, client, 1);
    });
    this.runWhile(() => loaded === null);
    return loaded!;
  }

  /** A core stores; time passes until it must have landed. Returns false when the store was refused. */
  store(address: number, bytes: readonly number[]): boolean {
    let taken: boolean | null = null;
    this.onCore(() => {
      taken = this.map.store(address, Uint8Array.from(bytes), 0, bytes.length);
    });
    this.runWhile(() => taken === null);
    this.runFor(20 * MICROSECOND);
    return taken!;
  }

  /** Bytes of the region as the device's node has them. */
  bytesAt(offset: number, length: number): number[] {
    const bytes = new Uint8Array(length);
    this.deviceNode!.memory.copyOut(this.own.address + offset, bytes, 0, length);
    return [...bytes];
  }

  /** Has a core of the driver's node do something at once. */
  onCore(work: () => void): void {
    this.started = this.rig.kernel.now;
    this.driverNode!.cpu.submit(Priority.task, 0, { deliver: work }, 0);
  }

  #watch(row: BusDefinition): BusDefinition {
    return {
      ...row,
      createDriverEnd: (environment) => {
        this.driverNode ??= environment.node;
        const end = row.createDriverEnd(environment);
        const transport = end.transport.bind(end);
        end.transport = (plan) => this.#overhear(transport(plan));
        return end;
      },
      createDeviceEnd: (environment) => {
        this.deviceNode ??= environment.node;
        const end = row.createDeviceEnd(environment);
        const connect = end.connect.bind(end);
        end.connect = (plan, model) => {
          this.#model ??= model;
          connect(plan, model);
        };
        return end;
      },
    };
  }

  #overhear(transport: DriverTransport): DriverTransport {
    this.#transport = transport;
    const connect = transport.connect.bind(transport);
    transport.connect = (listener) => {
      const reply = listener.reply.bind(listener);
      listener.reply = (told: TransportReply) => {
        if (told.type === 'reply.region') this.regions.push(told);
        reply(told);
      };
      connect(listener);
    };
    const setStatus = transport.setStatus.bind(transport);
    transport.setStatus = (status) => {
      this.statuses.push(status);
      setStatus(status);
    };
    return transport;
  }
}
