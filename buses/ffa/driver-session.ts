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
  /** Sends a bus message; without a token it gets a fresh one. */
  send(message: FfaBody, token?: number): void;
  /** Shares the FIFOs' memory and announces it; answered by `result`. */
  configureFifo(): void;
  /** Asks the SPMC whether the device-role service is there; answered by `partitionFound`. */
  discover(): void;
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
        fifo: plan.options.messages === 'fifo',
      },
      perform: (effect: DriverSessionEffect) => this.#perform(effect),
    });
    this.#chart.begin();
  }

  start(): void {
    this.#chart.send({ type: 'START' });
  }

  partitionFound(found: boolean): void {
    this.#chart.send({ type: found ? 'FOUND' : 'ABSENT' });
  }

  /** The partition refused what the session asked last. */
  refused(): void {
    this.#chart.send({ type: 'REFUSED' });
  }

  /** An answer made no sense: a session that is being set up ends with it. */
  malformed(): void {
    if (!this.#chart.matches('running')) this.refused();
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
    if (!devicesResponseIsLegal(rules, this.#window, body)) return this.refused();
    for (const number of devicesIn(body)) this.#found.add(number);
    const next = nextDevicesRequest(rules, body, this.#slots);
    if (next !== null) this.#window = next;
    this.#chart.send({ type: next === null ? 'DONE' : 'MORE' });
  }

  /** FFA_PARTITION_INFO_GET has been called. */
  deliver(): void {
    this.#options.discover();
  }

  #perform(effect: DriverSessionEffect): void {
    const { node, timing, send, online, failed } = this.#options;
    switch (effect.type) {
      case 'findPartition':
        return node.cpu.submit(Priority.task, node.charge(timing.partitionInfo), this, 0);
      case 'sendReset':
        return send({ type: 'req.RESET', body: {} }, RESET_TOKEN);
      case 'probeVersion':
        return this.#sendVersion(this.#firstVersion());
      case 'echoVersion':
        return this.#sendVersion(this.#version);
      case 'configureFifo':
        return this.#options.configureFifo();
      case 'configureEvents':
        return this.#configureEvents();
      case 'getDevices':
        return send({ type: 'req.GET_DEVICES', body: this.#window });
      case 'online':
        return online(this.#found);
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
    this.#options.send({ type: 'req.VERSION', body });
  }

  #configureEvents(): void {
    const { plan, send } = this.#options;
    const eventMethod = EVENT_METHODS[eventsOf(plan.options)];
    const body = { eventMethod, reserved: 0, notificationId: NOTIFICATION_ID };
    send({ type: 'req.EVENT_CONFIGURE', body });
  }
}
