// What the contract suite needs to know of each row of the tables: how a scenario has the bus, and which
// small workload puts the device through its paces with verified data. A row without a case fails there.
import { deviceBitsOf } from '../../buses/common/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type {
  BusDefinition,
  DeviceModel,
  DriverTransport,
  ModelTables,
  TransportListener,
} from '../../platform/contracts/index.ts';
import { REVISIONS, type Revision } from '../../platform/contracts/topology.ts';
import { type LoadedScenario, parseScenario } from '../../platform/scenario/index.ts';

type Entry = Readonly<Record<string, unknown>>;

/** How a bus is used; several for one type when it has several ways of doing things. */
export const BUS_CASES: Readonly<Record<string, { readonly type: string } & Entry>> = {
  'ffa with notifications': { type: 'ffa', events: 'notification' },
  'ffa with polling': { type: 'ffa', events: 'poll', pollInterval: '50us' },
  'ffa by indirect messages': { type: 'ffa', messages: 'indirect' },
  'ffa through FIFOs': { type: 'ffa', messages: 'fifo' },
  'ffa as OP-TEE speaks it': {
    type: 'ffa',
    dialect: 'optee',
    maxMessageSize: '96B',
    events: 'poll',
    pollInterval: '50us',
  },
  ivshmem: { type: 'ivshmem' },
  'ivshmem from the driver, by INTx': {
    type: 'ivshmem',
    home: 'driver',
    interrupts: 'intx',
    discovery: 'static',
  },
  'ivshmem behind a proxy for virtio-mmio': { type: 'ivshmem', frontEnd: 'mmio' },
  'loopback with rings': { type: 'loopback', device: 'linux' },
  mailbox: { type: 'mailbox', carveOut: '12MiB' },
  'mailbox that empties its queues': {
    type: 'mailbox',
    carveOut: '12MiB',
    perInterrupt: 'all',
    elements: 2,
    discovery: 'messages',
  },
  'mailbox with the messages of 2024': {
    type: 'mailbox',
    carveOut: '12MiB',
    dialect: 'alpha',
    maxMessageSize: '40B',
  },
  'xen with mapped grants': { type: 'xen' },
  'xen with copies': {
    type: 'xen',
    grants: 'copy',
    discovery: 'messages',
    outliersPerMillion: 20000,
  },
  'xen behind a proxy for virtio-mmio': { type: 'xen', frontEnd: 'mmio' },
  pci: { type: 'pci' },
  'pci, polling self-describing FIFOs in host memory': {
    type: 'pci',
    fifos: 2,
    fifoPlace: 'host',
    fifoLayout: 'selfDescribing',
    handshakeInterval: '50us',
    interrupts: 'polling',
    pollInterval: '50us',
  },
  'ivshmem with data in band': { type: 'ivshmem', data: 'inBand' },
  'xen with data in band': { type: 'xen', data: 'inBand' },
  'mailbox with data in band': { type: 'mailbox', data: 'inBand', maxMessageSize: '264B' },
  'pci with data in band': { type: 'pci', data: 'inBand', fifos: 2 },
  'pci with wide numbers, mapping buffers': {
    type: 'pci',
    deviceNumbers: '32bit',
    fifos: 2,
    mapping: 'perRequest',
  },
  'loopback with data in band': { type: 'loopback', device: 'linux', data: 'inBand' },
  'virtio-mmio': { type: 'virtio-mmio' },
  'virtio-mmio without ioeventfd': { type: 'virtio-mmio', ioeventfd: false },
  'virtio-ccw': { type: 'virtio-ccw' },
  'virtio-ccw with classic interrupts, without ioeventfd': {
    type: 'virtio-ccw',
    interrupts: 'classic',
    ioeventfd: false,
  },
  'virtio-pci': { type: 'virtio-pci' },
  'virtio-pci by INTx, mapping buffers': {
    type: 'virtio-pci',
    interrupts: 'intx',
    mapping: 'perRequest',
  },
  'virtio-pci of a device model': { type: 'virtio-pci', emulated: true },
  'admin-vq': { type: 'admin-vq' },
  'admin-vq of a device model': { type: 'admin-vq', emulated: true },
};

/** Transports other than virtio-msg: no messages cross them, and some tell less of a device. */
export const OLDER_TRANSPORTS: ReadonlySet<string> = new Set([
  'admin-vq',
  'virtio-ccw',
  'virtio-mmio',
  'virtio-pci',
]);

export interface DeviceCase {
  readonly device?: Entry;
  readonly workload: { readonly type: string } & Entry;
  /** More entries by section: what the device needs besides its bus. */
  readonly more?: Readonly<Record<string, Entry>>;
}

/** A second network card, for the first one to talk to. */
const NET_PEER = {
  nodes: {
    vm: { kind: 'vm', cpus: 2, memory: '16MiB' },
    card: { kind: 'partition', cpus: 1, memory: '4MiB' },
  },
  buses: { bus1: { type: 'ffa', driver: 'vm', device: 'card' } },
  networks: { lan: { type: 'switch' } },
  devices: { peer: { type: 'net', bus: 'bus1', number: 5, network: 'lan' } },
};

/** By type of device. */
export const DEVICE_CASES: Readonly<Record<string, DeviceCase>> = {
  vsock: {
    workload: {
      type: 'vsockEcho',
      streams: 2,
      messageSize: '500B',
      operations: 40,
      perConnection: 8,
    },
  },
  balloon: {
    device: {
      pressure: [
        { at: '300ms', pages: 700 },
        { at: '500ms', pages: 100 },
      ],
      hints: [{ at: '350ms', for: '50ms' }],
      reporting: true,
      poison: true,
    },
    workload: { type: 'balloonCycle' },
  },
  blk: {
    device: { capacity: '1MiB' },
    workload: { type: 'fio', rw: 'randrw', depth: 8, operations: 150, flushEvery: 25 },
  },
  pmem: {
    device: { size: '1MiB' },
    workload: { type: 'fio', rw: 'randrw', depth: 8, operations: 150, flushEvery: 25 },
  },
  rng: {
    workload: { type: 'entropy', depth: 4, requestSize: '100B', operations: 50 },
  },
  i2c: {
    device: { mode: 'fast' },
    workload: { type: 'hwclock', set: '2024-02-29 23:59:57', operations: 5, interval: '10ms' },
  },
  gpio: {
    device: { lines: 4, loop: [[0, 1]] },
    workload: { type: 'gpioToggle', out: 0, in: 1, interrupt: 'both', operations: 20 },
  },
  net: {
    device: { network: 'lan', queues: 2, rss: true, hashReport: true },
    workload: { type: 'ping', to: 'peer', size: '900B', requests: 40, interval: '100us' },
    more: NET_PEER,
  },
  console: {
    workload: { type: 'consoleEcho', operations: 20 },
  },
};

/**
 * What makes the requests of each device come one at a time, with nothing under way in between on any bus:
 * then no notification is left out because another one is not yet heard.
 */
export const LONE_REQUESTS: Readonly<Record<string, Entry>> = {
  vsock: { streams: 1, operations: 4, thinkTime: '5ms' },
  balloon: {},
  blk: { depth: 1, operations: 20, flushEvery: 5, thinkTime: '5ms' },
  pmem: { depth: 1, operations: 20, flushEvery: 5, thinkTime: '5ms' },
  rng: { depth: 1, operations: 10, thinkTime: '5ms' },
  i2c: { operations: 5, interval: '10ms' },
  gpio: { operations: 6, interval: '10ms' },
  net: { requests: 10, interval: '10ms' },
  console: { operations: 6, thinkTime: '5ms' },
};

/** Features of rings that a scenario may ask for. */
export const RING_CASES: Readonly<Record<string, Entry>> = {
  split: {},
  packed: { ring: 'packed' },
  'split with EVENT_IDX': { eventIdx: true },
  'packed with EVENT_IDX': { ring: 'packed', eventIdx: true },
  'split with INDIRECT_DESC': { indirect: true },
  'packed with INDIRECT_DESC': { ring: 'packed', indirect: true },
  'split with EVENT_IDX and INDIRECT_DESC': { eventIdx: true, indirect: true },
  'packed with everything': {
    ring: 'packed',
    eventIdx: true,
    indirect: true,
    notificationData: true,
    adminQueues: 1,
    // No power of two.
    queueSize: 100,
  },
};

/** Revisions of virtio-msg that a bus can carry; messages of v2 are too long for Xen's proxy. */
export function revisionsOver(bus: string): readonly Revision[] {
  const { type, frontEnd } = BUS_CASES[bus];
  if (OLDER_TRANSPORTS.has(type)) return [];
  return type === 'xen' && frontEnd === 'mmio' ? ['rfc3', 'v1'] : REVISIONS;
}

/**
 * True for a bus whose transports speak virtio-msg, on both sides, and which carries all that they say:
 * the messages of 2024 tell less of a device.
 */
export function carriesAll(bus: string): boolean {
  const { type, frontEnd = 'messages', dialect } = BUS_CASES[bus];
  return !OLDER_TRANSPORTS.has(type) && frontEnd === 'messages' && dialect !== 'alpha';
}

/** True for a bus that a device can be on: one with regions of shared memory needs a bus that carries them. */
export function carriesDevice(bus: string, device: string): boolean {
  const { regionsRefused } = tables.buses[BUS_CASES[bus].type];
  return tables.devices[device].sharesMemory !== true || regionsRefused?.(BUS_CASES[bus]) === null;
}

/** Number of the device under test: one that takes more than 16 bits, where a bus has them. */
export function numberOn(bus: string): number {
  return deviceBitsOf(BUS_CASES[bus]) === 32 ? 200_005 : 5;
}

/** Name of the device under test. */
const DUT = 'dut';

export interface Choice {
  readonly bus: string;
  readonly device: string;
  readonly ring?: string;
  readonly revision?: string;
  readonly seed?: number;
  /** Requests come one at a time (LONE_REQUESTS). */
  readonly lone?: boolean;
  /** More keys of the bus, and of the device under test. */
  readonly busOptions?: Entry;
  readonly deviceOptions?: Entry;
}

/** Loads the scenario of a bus, a device on it, and the device's workload. */
export function contractTopology(choice: Choice): LoadedScenario {
  const { bus, device, ring = 'split', revision = 'v1', seed = 1 } = choice;
  const { busOptions = {}, deviceOptions = {} } = choice;
  const { device: options = {}, workload, more = {} } = DEVICE_CASES[device];
  const scenario = {
    name: 'contract',
    seed,
    nodes: {
      linux: { kind: 'vm', cpus: 2, memory: '16MiB' },
      storage: { kind: 'partition', cpus: 1, memory: '4MiB' },
      ...more.nodes,
    },
    buses: {
      bus0: { driver: 'linux', device: 'storage', ...BUS_CASES[bus], revision, ...busOptions },
      ...mapEntries(more.buses ?? {}, (entry) => ({ ...entry, revision })),
    },
    networks: more.networks ?? {},
    devices: {
      [DUT]: {
        type: device,
        bus: 'bus0',
        number: numberOn(bus),
        ...options,
        ...RING_CASES[ring],
        ...deviceOptions,
      },
      ...more.devices,
    },
    workloads: [{ device: DUT, ...workload, ...(choice.lone ? LONE_REQUESTS[device] : {}) }],
    until: { workloads: 'done', atMost: '2s' },
  };
  const text = JSON.stringify(scenario);
  return parseScenario({ text, file: 'contract.yaml', folder: import.meta.dirname }, tables);
}

function mapEntries(entries: Entry, map: (entry: object) => object): Entry {
  return Object.fromEntries(Object.entries(entries).map(([k, v]) => [k, map(v as object)]));
}

/** The real tables, with an ear between drivers and their transports, and a hand on the models. */
export function listeningTables() {
  /** What drivers asked of their transports and were told, in one line each; not notifications. */
  const operations: string[] = [];
  const listeners: TransportListener[] = [];
  const models: DeviceModel[] = [];
  let notified = 0;
  const wrap = (row: BusDefinition): BusDefinition => ({
    ...row,
    createDriverEnd(environment) {
      const end = row.createDriverEnd(environment);
      const transport = end.transport.bind(end);
      end.transport = (plan) => {
        const made = transport(plan);
        if (plan.name !== DUT) return made;
        const connect = made.connect.bind(made);
        made.connect = (listener) => {
          listeners.push(listener);
          connect(heard(listener, operations));
        };
        const notify = made.notify.bind(made);
        made.notify = (queue, next) => {
          notified++;
          notify(queue, next);
        };
        return overheard(made, operations);
      };
      return end;
    },
    createDeviceEnd(environment) {
      const end = row.createDeviceEnd(environment);
      const connect = end.connect.bind(end);
      end.connect = (plan, model) => {
        if (plan.name === DUT) models.push(model);
        connect(plan, model);
      };
      return end;
    },
  });
  const entries = Object.entries(tables.buses).map(([type, row]) => [type, wrap(row)] as const);
  const listening: ModelTables = { ...tables, buses: Object.fromEntries(entries) };
  const notifications = () => notified;
  return { tables: listening, operations, listeners, models, notifications };
}

function heard(listener: TransportListener, log: string[]): TransportListener {
  return {
    online: () => listener.online(),
    offline: (reason) => listener.offline(reason),
    away: (reason) => listener.away(reason),
    used: (queue) => listener.used(queue),
    configChanged: (...told) => listener.configChanged(...told),
    reply: (reply) => {
      log.push(textOf(reply));
      listener.reply(reply);
    },
  };
}

const OPERATIONS = [
  'getInfo',
  'getFeatures',
  'setFeatures',
  'getStatus',
  'setStatus',
  'getConfig',
  'setConfig',
  'getQueue',
  'setQueue',
  'resetQueue',
  'getRegion',
  'allocate',
] as const satisfies readonly (keyof DriverTransport)[];

function overheard(transport: DriverTransport, log: string[]): DriverTransport {
  for (const name of OPERATIONS) {
    const operation = transport[name].bind(transport) as (...values: unknown[]) => void;
    const replacement = (...values: unknown[]) => {
      log.push(`${name} ${textOf(values)}`);
      operation(...values);
    };
    Object.assign(transport, { [name]: replacement });
  }
  return transport;
}

/** Addresses differ from bus to bus; all else is to be the same. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (key, field) => {
    if (typeof field === 'bigint') return field.toString(16);
    return key === 'address' || key.endsWith('Area') ? 'somewhere' : field;
  });
}
