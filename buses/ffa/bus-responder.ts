// The device end's answers to bus messages, and the areas that come with them. Retrieving an area takes
// a call to the SPMC, so that AREA_SHARE is answered later than it is asked.
import type { Chart } from '../../platform/machine/index.ts';
import { type CpuClient, type Node, PAGE_SIZE, Priority } from '../../platform/node/index.ts';
import {
  answerDevices,
  capacity,
  devicesRequestIsLegal,
  revision,
} from '../../platform/virtio/messages/index.ts';
import { DeviceAreas } from './device-areas.ts';
import { type DeviceSessionEvent, deviceSessionChart } from './device-chart.ts';
import { FIFO_PAGES } from './fifo-layout.ts';
import {
  AREA_SPAN,
  AREAS_MAX,
  type Dialect,
  dialects,
  EventMethod,
  FFA_VERSION,
  type FfaBody,
  type FfaMessage,
  type FfaMessageOf,
  FfaResult,
  SHARING_MODE_MASK,
  TOP_BYTE_SPAN,
  TRANSPORT_REVISION,
} from './messages.ts';
import { eventsOf, type FfaOptions, type FfaPlan } from './options.ts';
import { MEM_RELINQUISH, MEM_RETRIEVE } from './packets.ts';
import type { FfaTiming } from './timing.ts';

export interface BusResponderOptions {
  readonly node: Node;
  readonly plan: FfaPlan;
  readonly timing: FfaTiming;
  /** Numbers of the attached devices, ascending. */
  deviceNumbers(): readonly number[];
  respond(message: FfaBody, token: number): void;
  /** Calls the SPMC. */
  callSpmc(kind: number, a: number, b: number, c?: number): void;
  /** The driver's FIFOs have been mapped; they are empty. */
  fifoReady(): void;
  /** The session was reset: devices and events are to be cleared. */
  reset(): void;
}

const NOTHING_IN_COMMON = {
  busVersion: 0,
  transportRevision: 0,
  ffaVersion: 0,
  featureBits: 0,
  busFeatures: 0,
  maxAreas: 0,
};

/** Area of the FIFOs; drivers' areas are 1 and up. */
const FIFO_AREA = 0;
/** Notification that the driver sets for the partition. */
const DEVICE_NOTIFICATION_ID = 1;

interface Retrieval {
  readonly handle: number;
  /** Token of the request it is for. */
  readonly token: number;
  /** How the request says that the memory is given: 0 shared, 1 lent, 2 donated. */
  readonly mode: number;
  /** The SPMC has been asked. */
  asked: boolean;
}

export class BusResponder implements CpuClient {
  readonly areas: DeviceAreas;
  eventMethod: number = EventMethod.POLL;
  notificationId = 0;
  readonly #options: BusResponderOptions;
  readonly #session: Chart<unknown, DeviceSessionEvent>;
  readonly #methods: ReadonlySet<number>;
  readonly #dialect: Dialect;
  /** What is being retrieved for AREA_SHARE or FIFO_CONFIGURE; null for nothing. */
  #retrieving: Retrieval | null = null;
  #retrievals = 0;
  /** Handles whose retrieval was asked for by a session that is over. */
  readonly #stale: number[] = [];

  constructor(options: BusResponderOptions) {
    this.#options = options;
    const { dialect, deviceDialect, quirks } = options.plan.options;
    this.areas = new DeviceAreas(quirks.includes('topByteAreas') ? TOP_BYTE_SPAN : AREA_SPAN);
    this.#dialect = dialects[deviceDialect ?? dialect];
    this.#methods = eventMethods(options.plan.options, this.#dialect);
    this.#session = options.node.charts.start(deviceSessionChart, {
      name: `${options.plan.name}.deviceSession`,
      perform: () => this.#dropAll(),
    });
    this.#session.begin();
  }

  /** False until VERSION is agreed; then only VERSION and RESET are legal. */
  get negotiated(): boolean {
    return this.#session.matches('negotiated');
  }

  /** Answers a bus request. Returns false for what is none, or asks for what it may not. */
  answer(message: FfaMessage): boolean {
    const { respond } = this.#options;
    const { token } = message;
    switch (message.type) {
      case 'req.VERSION':
        this.#version(message.body, token);
        return true;
      case 'req.RESET':
        this.#session.send({ type: 'RESET' });
        respond({ type: 'res.RESET', body: { result: FfaResult.SUCCESS } }, token);
        return true;
      case 'req.EVENT_CONFIGURE':
        this.#configureEvents(message.body, token);
        return true;
      case 'req.FIFO_CONFIGURE':
        this.#fifoConfigure(message.body, token);
        return true;
      case 'req.AREA_SHARE':
        this.#areaShare(message.body, token);
        return true;
      case 'req.AREA_UNSHARE':
        this.#areaUnshare(message.body.areaId, token);
        return true;
      case 'req.GET_DEVICES':
        return this.#getDevices(message.body, token);
      case 'req.PING':
        respond({ type: 'res.PING', body: message.body }, token);
        return true;
      default:
        return false;
    }
  }

  /** The session is over, whoever ended it: all areas are given back and all devices reset. */
  forget(): void {
    this.#session.send({ type: 'RESET' });
  }

  /** The SPMC has mapped the memory of an area (or -1 pages: it has not). */
  retrieved(pages: number, areaId: number): void {
    const stale = this.#stale.shift();
    if (stale !== undefined) {
      if (pages >= 0) this.#options.callSpmc(MEM_RELINQUISH, stale, 0);
      return;
    }
    if (this.#retrieving === null) return;
    const { handle, token } = this.#retrieving;
    this.#retrieving = null;
    if (pages >= 0) this.areas.set(areaId, { handle, length: pages * PAGE_SIZE });
    if (areaId === FIFO_AREA) return this.#fifoRetrieved(pages, token);
    const result = pages >= 0 ? FfaResult.SUCCESS : FfaResult.ERROR;
    this.#options.respond({ type: 'res.AREA_SHARE', body: { areaId, result } }, token);
  }

  #fifoRetrieved(pages: number, token: number): void {
    const { respond, fifoReady } = this.#options;
    if (pages >= 0) fifoReady();
    const result = pages >= 0 ? FfaResult.SUCCESS : FfaResult.ERROR;
    const body = { result, deviceNotificationId: DEVICE_NOTIFICATION_ID };
    respond({ type: 'res.FIFO_CONFIGURE', body }, token);
  }

  /** FFA_MEM_RETRIEVE_REQ has been prepared. */
  deliver(areaId: number, retrieval: number): void {
    const retrieving = this.#retrieving;
    if (retrieving === null || retrieval !== this.#retrievals) return;
    retrieving.asked = true;
    this.#options.callSpmc(MEM_RETRIEVE, retrieving.handle, areaId, retrieving.mode);
  }

  /** Maps pages of the driver's, which takes a call to the SPMC. */
  #retrieve(areaId: number, pages: number, retrieval: Retrieval): void {
    const { node, timing } = this.#options;
    this.#retrieving = retrieval;
    const cost = node.charge(timing.memRetrieve) + node.chargeTimes(timing.memPage, pages);
    node.cpu.submit(Priority.interrupt, cost, this, areaId, ++this.#retrievals);
  }

  /** A probe of zeroes is told what this end speaks; echoing that agrees on it. */
  #version(asked: FfaMessageOf<'req.VERSION'>['body'], token: number): void {
    const { plan, respond } = this.#options;
    const { busVersion, probes, featureBits } = this.#dialect;
    const transportRevision = TRANSPORT_REVISION[plan.revision];
    const matches =
      asked.busVersion === busVersion && asked.transportRevision === transportRevision;
    this.#session.send({ type: 'VERSION', matches });
    // OP-TEE answers anything but its own pair with zeroes.
    const body =
      matches || probes
        ? {
            busVersion,
            transportRevision,
            ffaVersion: FFA_VERSION,
            featureBits,
            busFeatures: 0,
            maxAreas: AREAS_MAX,
          }
        : NOTHING_IN_COMMON;
    respond({ type: 'res.VERSION', body }, token);
  }

  #configureEvents(body: FfaMessageOf<'req.EVENT_CONFIGURE'>['body'], token: number): void {
    const { eventMethod, notificationId } = body;
    const supported = this.#methods.has(eventMethod);
    if (supported) {
      this.eventMethod = eventMethod;
      this.notificationId = notificationId;
    }
    const result = supported ? FfaResult.SUCCESS : FfaResult.ERROR;
    this.#options.respond({ type: 'res.EVENT_CONFIGURE', body: { result } }, token);
  }

  /** The FIFOs' memory becomes area 0, which no driver can be given. */
  #fifoConfigure(body: FfaMessageOf<'req.FIFO_CONFIGURE'>['body'], token: number): void {
    const { plan, respond } = this.#options;
    if (plan.options.messages !== 'fifo' || body.pageCount < FIFO_PAGES) {
      const refused = { result: FfaResult.ERROR, deviceNotificationId: 0 };
      return respond({ type: 'res.FIFO_CONFIGURE', body: refused }, token);
    }
    this.notificationId = body.driverNotificationId;
    const handle = Number(body.memHandle);
    this.#retrieve(FIFO_AREA, body.pageCount, { handle, token, mode: 0, asked: false });
  }

  #areaShare(body: FfaMessageOf<'req.AREA_SHARE'>['body'], token: number): void {
    const { respond } = this.#options;
    const { areaId, memHandle, pageCount, sharingAttributes } = body;
    if (areaId === 0 || areaId > AREAS_MAX || this.areas.has(areaId)) {
      return respond({ type: 'res.AREA_SHARE', body: { areaId, result: FfaResult.ERROR } }, token);
    }
    const mode = sharingAttributes & SHARING_MODE_MASK;
    this.#retrieve(areaId, pageCount, { handle: Number(memHandle), token, mode, asked: false });
  }

  #areaUnshare(areaId: number, token: number): void {
    const { respond, callSpmc } = this.#options;
    const handle = this.areas.remove(areaId);
    if (handle >= 0) callSpmc(MEM_RELINQUISH, handle, 0);
    const result = handle >= 0 ? FfaResult.SUCCESS : FfaResult.ERROR;
    respond({ type: 'res.AREA_UNSHARE', body: { areaId, result } }, token);
  }

  #getDevices(body: FfaMessageOf<'req.GET_DEVICES'>['body'], token: number): boolean {
    const { plan, deviceNumbers, respond } = this.#options;
    const { deviceSlots } = capacity(plan.revision, plan.options.maxMessageSize);
    const { rules } = revision(plan.revision);
    if (!devicesRequestIsLegal(rules, body)) return false;
    const answer = answerDevices(rules, body, deviceNumbers(), deviceSlots);
    respond({ type: 'res.GET_DEVICES', body: answer }, token);
    return true;
  }

  #dropAll(): void {
    const { reset, callSpmc } = this.#options;
    reset();
    for (const handle of this.areas.clear()) callSpmc(MEM_RELINQUISH, handle, 0);
    if (this.#retrieving?.asked) this.#stale.push(this.#retrieving.handle);
    this.#retrieving = null;
    this.eventMethod = EventMethod.POLL;
  }
}

/** The event methods that this end can do. */
function eventMethods(options: FfaOptions, dialect: Dialect): ReadonlySet<number> {
  if (!dialect.probes) return new Set([EventMethod.POLL]);
  const events = eventsOf(options);
  const methods: number[] = [EventMethod.POLL, EventMethod.NOTIFICATION];
  if (events === 'indirect') methods.push(EventMethod.INDIRECT);
  if (events === 'fifo') methods.push(EventMethod.FIFO);
  return new Set(methods);
}
