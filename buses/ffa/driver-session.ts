// The driver's session with the partition: discovery, RESET, VERSION, EVENT_CONFIGURE, GET_DEVICES. It
// turns the session chart's effects into bus messages and their answers into the chart's events.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, Priority } from '../../platform/node/index.ts';
import {
  capacity,
  type DevicesRequest,
  devicesIn,
  devicesResponseIsLegal,
  nextDevicesRequest,
  revision,
} from '../../platform/virtio/messages/index.ts';
import {
  type DriverSessionEffect,
  type DriverSessionEvent,
  driverSessionChart,
  type Suspension,
} from './driver-chart.ts';
import {
  dialects,
  EventMethod,
  FFA_VERSION,
  type FfaBody,
  type FfaMessageOf,
  FfaResult,
  TRANSPORT_REVISION,
} from './messages.ts';
import { eventsOf, type FfaPlan } from './options.ts';
import type { FfaTiming } from './timing.ts';

/** Device numbers asked for in one GET_DEVICES, if the message size allows (Linux). */
const DEVICE_WINDOW = 256;
/** Notification id that the partition sets for events. */
const NOTIFICATION_ID = 0;
/** Token of the requests before VERSION is agreed (Linux); others are counted. */
const RESET_TOKEN = 1;

const SUSPENSIONS: Readonly<Record<Suspension, string>> = {
  lost: 'the partition does not run',
  forgotten: 'the partition has forgotten the session',
  silent: "the partition doesn't answer PING",
  reset: 'the bus is reset',
};

const EVENT_METHODS = {
  poll: EventMethod.POLL,
  notification: EventMethod.NOTIFICATION,
  indirect: EventMethod.INDIRECT,
  fifo: EventMethod.FIFO,
} as const;

export interface DriverSessionOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  /** Sends a bus message and returns its id; without a token it gets a fresh one. */
  send(message: FfaBody, token?: number): number;
  /** Shares the FIFOs' memory and announces it; answered by `result`. Returns the id of the message. */
  configureFifo(): number;
  /** Asks the SPMC whether the device-role service is there; answered by `partitionFound`. */
  discover(): void;
  /** Shares again what the partition had before; answered by `renewed`. */
  renew(): void;
  /** Sends a PING. */
  ping(): void;
  /** Has anything been heard since the last PING? Answered by `heard`. */
  check(): void;
  /** The session is over for now, and devices with it. */
  suspend(reason: string): void;
  /** The session is up; these device numbers exist. */
  online(found: ReadonlySet<number>): void;
  failed(during: string): void;
}

export class DriverSession implements CpuClient {
  readonly #options: DriverSessionOptions;
  readonly #chart: Chart<unknown, DriverSessionEvent>;
  readonly #found = new Set<number>();
  #version = { busVersion: 0, transportRevision: 0 };
  /** Device numbers asked for at a time, and the window asked for last. */
  readonly #slots: number;
  #window: DevicesRequest;
  /** Id of the request that was sent last. */
  #asked = -1;

  constructor(options: DriverSessionOptions) {
    this.#options = options;
    const { node, plan, timing } = options;
    const { deviceSlots } = capacity(plan.revision, plan.options.maxMessageSize);
    const slots = Math.min(DEVICE_WINDOW, deviceSlots);
    // Before v2 a window is a multiple of 8; it is never wrong to ask so.
    this.#slots = slots - (slots % 8);
    this.#window = { offset: 0, count: this.#slots };
    this.#chart = node.charts.start(driverSessionChart, {
      name: `${plan.name}.driverSession`,
      input: {
        timeout: node.costs.value(timing.requestTimeout),
        busyRetry: node.costs.value(timing.busyRetry),
        initRetry: node.costs.value(timing.initRetry),
        pingInterval: plan.options.pingInterval ?? Infinity,
        reconnects: plan.options.reconnect,
        fifo: plan.options.messages === 'fifo',
      },
      perform: (effect: DriverSessionEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  start(): void {
    this.#chart.send({ type: 'START' });
  }

  /** The VM has stopped. */
  stop(): void {
    this.#chart.send({ type: 'STOP' });
  }

  /** Begins the session anew. */
  reset(): void {
    this.#chart.send({ type: 'RESET' });
  }

  /** The partition cannot be reached. */
  lost(): void {
    this.#chart.send({ type: 'LOST' });
  }

  /** All areas are shared again, or one was refused. */
  renewed(taken: boolean): void {
    this.#chart.send({ type: taken ? 'DONE' : 'REFUSED' });
  }

  heard(anything: boolean): void {
    this.#chart.send({ type: anything ? 'ALIVE' : 'SILENT' });
  }

  partitionFound(found: boolean): void {
    this.#chart.send({ type: found ? 'FOUND' : 'ABSENT' });
  }

  /** The partition refused the bus request with this id, now or in a former session. */
  refused(id: number): void {
    if (this.isUp || id === this.#asked) this.#chart.send({ type: 'REFUSED' });
  }

  /** An answer made no sense: a session that is being set up ends with it. */
  malformed(): void {
    if (!this.isUp) this.#chart.send({ type: 'REFUSED' });
  }

  /** The answer to RESET or EVENT_CONFIGURE. */
  result(result: number): void {
    if (result === FfaResult.SUCCESS) this.#chart.send({ type: 'DONE' });
    else this.#chart.send({ type: result === FfaResult.BUSY ? 'BUSY' : 'REFUSED' });
  }

  /** The answer to VERSION: the pair to echo, or zeroes when nothing is spoken in common. */
  version(body: FfaMessageOf<'res.VERSION'>['body']): void {
    const { busVersion, transportRevision } = body;
    this.#version = { busVersion, transportRevision };
    this.#chart.send({ type: busVersion === 0 ? 'REFUSED' : 'DONE' });
  }

  devices(body: FfaMessageOf<'res.GET_DEVICES'>['body']): void {
    const { rules } = revision(this.#options.plan.revision);
    if (!devicesResponseIsLegal(rules, this.#window, body)) return this.malformed();
    for (const number of devicesIn(rules, body)) this.#found.add(number);
    const next = nextDevicesRequest(rules, body, this.#slots);
    if (next !== null) this.#window = next;
    this.#chart.send({ type: next === null ? 'DONE' : 'MORE' });
  }

  /** FFA_PARTITION_INFO_GET has been called. */
  deliver(): void {
    this.#options.discover();
  }

  /** Devices are online. */
  get isUp(): boolean {
    return this.#chart.matches('running') || this.#chart.matches('checking');
  }

  /** Sends a request of the set-up. */
  #ask(message: FfaBody, token?: number): void {
    this.#asked = this.#options.send(message, token);
  }

  #perform(effect: DriverSessionEffect): void {
    const { node, timing, online, failed } = this.#options;
    switch (effect.type) {
      case 'findPartition':
        this.#found.clear();
        this.#window = { offset: 0, count: this.#slots };
        return node.cpu.submit(Priority.task, node.charge(timing.partitionInfo), this, 0);
      case 'sendReset':
        return this.#ask({ type: 'req.RESET', body: {} }, RESET_TOKEN);
      case 'probeVersion':
        return this.#sendVersion(this.#firstVersion());
      case 'echoVersion':
        return this.#sendVersion(this.#version);
      case 'configureFifo':
        this.#asked = this.#options.configureFifo();
        return;
      case 'configureEvents':
        return this.#configureEvents();
      case 'getDevices':
        return this.#ask({ type: 'req.GET_DEVICES', body: this.#window });
      case 'renewAreas':
        return this.#options.renew();
      case 'online':
        return online(this.#found);
      case 'ping':
        return this.#options.ping();
      case 'check':
        return this.#options.check();
      case 'suspend':
        return this.#options.suspend(SUSPENSIONS[effect.why]);
      case 'failed':
        return failed(effect.during);
    }
  }

  /** Linux asks with zeroes what is spoken; OP-TEE says what it speaks. */
  #firstVersion(): { readonly busVersion: number; readonly transportRevision: number } {
    const { plan } = this.#options;
    const { probes, busVersion } = dialects[plan.options.dialect];
    if (probes) return { busVersion: 0, transportRevision: 0 };
    return { busVersion, transportRevision: TRANSPORT_REVISION[plan.revision] };
  }

  #sendVersion(version: { readonly busVersion: number; readonly transportRevision: number }): void {
    const body = { ...version, ffaVersion: FFA_VERSION };
    this.#ask({ type: 'req.VERSION', body });
  }

  #configureEvents(): void {
    const { plan } = this.#options;
    const eventMethod = EVENT_METHODS[eventsOf(plan.options)];
    const body = { eventMethod, reserved: 0, notificationId: NOTIFICATION_ID };
    this.#ask({ type: 'req.EVENT_CONFIGURE', body });
  }
}
