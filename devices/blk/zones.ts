// The zones of a host-managed disk (virtio 1.4 §5.2.6): where each is to be written next, which are open or active,
// and what becomes of a request. A write takes its place when it is admitted, so that those that follow it in order
// may come before it is served.
import type { Statistics } from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  BLK_S,
  BLK_T,
  BLK_ZS,
  BLK_ZT,
  blkZone,
  blkZoneReport,
  SECTOR_SIZE,
} from '../../platform/virtio/index.ts';
import type { ZoneOptions } from './options.ts';
import { type ZoneEvent, zoneChart } from './zone-chart.ts';

const REPORT_HEADER = blkZoneReport.fixedSize;
const DESCRIPTOR = blkZone.fixedSize;

/** States in which a zone takes an open resource, and an active one. */
const OPEN_STATES: ReadonlySet<string> = new Set(['implicitlyOpen', 'explicitlyOpen']);
const ACTIVE_STATES: ReadonlySet<string> = new Set([...OPEN_STATES, 'closed']);
const STATE_CODES: Readonly<Record<string, number>> = {
  empty: BLK_ZS.EMPTY,
  implicitlyOpen: BLK_ZS.IOPEN,
  explicitlyOpen: BLK_ZS.EOPEN,
  closed: BLK_ZS.CLOSED,
  full: BLK_ZS.FULL,
};

const WRITE: ZoneEvent = { type: 'WRITE' };
const FILL: ZoneEvent = { type: 'FILL' };

/** One zone; places are bytes on the disk. */
class Zone {
  readonly start: number;
  /** Bytes from the start to the end of the zone, and those of them that can be written. */
  readonly size: number;
  readonly capacity: number;
  /** Null for a conventional zone. */
  readonly chart: Chart<unknown, ZoneEvent> | null;
  /** Where the next write goes. */
  pointer: number;
  /** How often it was reset: a write of before is for nothing. */
  resets = 0;
  /** Counts up with every implicit opening, so that the oldest is known. */
  opened = 0;

  constructor(
    place: { readonly start: number; readonly size: number },
    capacity: number,
    chart: Zone['chart'],
  ) {
    this.start = place.start;
    this.size = place.size;
    this.capacity = capacity;
    this.chart = chart;
    this.pointer = place.start;
  }

  get state(): string {
    return this.chart?.state ?? '';
  }
}

export interface ZonesOptions {
  readonly node: Node;
  readonly name: string;
  readonly options: ZoneOptions;
  /** Bytes of the disk and of its blocks. */
  readonly size: number;
  readonly blockSize: number;
  /** Makes a part of the disk unwritten. */
  erase(start: number, length: number): void;
}

/** What is to be done about a request. */
export interface Admission {
  status: number;
  /** Where its data goes. */
  offset: number;
}

export class Zones {
  /** Zones that were reset, and zones that the disk has closed by itself. */
  #zoneResets = 0;
  #closedImplicitly = 0;
  readonly #options: ZoneOptions;
  readonly #blockSize: number;
  readonly #erase: ZonesOptions['erase'];
  readonly #zones: Zone[] = [];
  readonly #admission: Admission = { status: BLK_S.OK, offset: 0 };
  #refused = false;
  #openings = 0;

  constructor({ node, name, options, size, blockSize, erase }: ZonesOptions) {
    this.#options = options;
    this.#erase = erase;
    this.#blockSize = blockSize;
    const count = Math.ceil(size / options.size);
    for (let index = 0; index < count; index++) {
      const start = index * options.size;
      const place = { start, size: Math.min(options.size, size - start) };
      const capacity = Math.min(options.capacity ?? options.size, place.size);
      const chart =
        index < options.conventional
          ? null
          : node.charts.start(zoneChart, {
              name: `${name}.zone${index}`,
              perform: () => {
                this.#refused = true;
              },
            });
      chart?.begin();
      this.#zones.push(new Zone(place, capacity, chart));
    }
  }

  statistics(): Statistics {
    return {
      zonesOpen: this.#open,
      zonesActive: this.#active,
      zoneResets: this.#zoneResets,
      zonesClosed: this.#closedImplicitly,
    };
  }

  /** Zones that take an open or an active resource. */
  get #open(): number {
    return this.#zones.filter(({ state }) => OPEN_STATES.has(state)).length;
  }

  get #active(): number {
    return this.#zones.filter(({ state }) => ACTIVE_STATES.has(state)).length;
  }

  /** How often the zone at a place was reset. */
  resetsAt(offset: number): number {
    return this.#at(offset)?.resets ?? 0;
  }

  /** Looks at a request, and does to the zones what it asks for. */
  admit(type: number, offset: number, length: number): Admission {
    const admission = this.#admission;
    admission.offset = offset;
    admission.status = this.#admit(type, offset, length);
    return admission;
  }

  /** Writes as much of a report as fits, from the zone at a place on. Returns the bytes of it. */
  report(offset: number, bytes: Uint8Array, room: number): number {
    const first = Math.floor(offset / this.#options.size);
    const fit = Math.floor((room - REPORT_HEADER) / DESCRIPTOR);
    const zones = this.#zones.slice(first, first + fit);
    blkZoneReport.encode({ nrZones: BigInt(zones.length) }, bytes, 0);
    for (const [i, zone] of zones.entries()) {
      const { start, capacity, pointer, chart, state } = zone;
      const value = {
        zCap: sectors(capacity),
        zStart: sectors(start),
        zWp: sectors(pointer),
        zType: chart === null ? BLK_ZT.CONV : BLK_ZT.SWR,
        zState: chart === null ? BLK_ZS.NOT_WP : STATE_CODES[state],
      };
      blkZone.encode(value, bytes, REPORT_HEADER + DESCRIPTOR * i);
    }
    return REPORT_HEADER + DESCRIPTOR * zones.length;
  }

  #admit(type: number, offset: number, length: number): number {
    if (type === BLK_T.ZONE_RESET_ALL) return this.#resetAll();
    const zone = this.#at(offset);
    if (zone === null) return BLK_S.ZONE_INVALID_CMD;
    switch (type) {
      case BLK_T.ZONE_REPORT:
        return length < REPORT_HEADER ? BLK_S.ZONE_INVALID_CMD : BLK_S.OK;
      case BLK_T.IN:
        return this.#staysIn(zone, offset, length) ? BLK_S.OK : BLK_S.ZONE_INVALID_CMD;
      case BLK_T.OUT:
        return this.#write(zone, offset, length);
      case BLK_T.ZONE_APPEND:
        return this.#append(zone, offset, length);
      default:
        return this.#manage(zone, type, offset);
    }
  }

  #at(offset: number): Zone | null {
    return this.#zones[Math.floor(offset / this.#options.size)] ?? null;
  }

  /** True for a range of conventional zones, or of a single zone. */
  #staysIn(zone: Zone, offset: number, length: number): boolean {
    if (offset + length <= zone.start + zone.size) return true;
    const last = this.#at(offset + length - 1);
    return zone.chart === null && last !== null && last.chart === null;
  }

  #write(zone: Zone, offset: number, length: number): number {
    if (!this.#staysIn(zone, offset, length)) return BLK_S.ZONE_INVALID_CMD;
    if (zone.chart === null || length === 0) return BLK_S.OK;
    if (zone.state !== 'full' && offset !== zone.pointer) return BLK_S.ZONE_UNALIGNED_WP;
    return this.#advance(zone, length);
  }

  #append(zone: Zone, offset: number, length: number): number {
    const { append } = this.#options;
    if (append === 0) return BLK_S.UNSUPP;
    const isPlace = zone.chart !== null && offset === zone.start;
    if (!isPlace || length > append) return BLK_S.ZONE_INVALID_CMD;
    this.#admission.offset = zone.pointer;
    return length === 0 ? BLK_S.OK : this.#advance(zone, length);
  }

  /** Moves the write pointer on by what is written. */
  #advance(zone: Zone, length: number): number {
    const end = zone.pointer + length;
    const limit = zone.start + zone.capacity;
    if (zone.state === 'full' || end > limit) return BLK_S.ZONE_INVALID_CMD;
    if (end % this.#blockSize !== 0) return BLK_S.ZONE_UNALIGNED_WP;
    const lacking = OPEN_STATES.has(zone.state) ? BLK_S.OK : this.#takeResources(zone);
    if (lacking !== BLK_S.OK) return lacking;
    if (zone.state !== 'explicitlyOpen') zone.opened = ++this.#openings;
    zone.pointer = end;
    this.#step(zone, end === limit ? FILL : WRITE);
    return BLK_S.OK;
  }

  /** Requests for a zone as a whole, which they name by its first sector. */
  #manage(zone: Zone, type: number, offset: number): number {
    if (zone.chart === null || offset !== zone.start) return BLK_S.ZONE_INVALID_CMD;
    switch (type) {
      case BLK_T.ZONE_OPEN: {
        const takes = zone.state === 'empty' || zone.state === 'closed';
        const lacking = takes ? this.#takeResources(zone) : BLK_S.OK;
        return lacking === BLK_S.OK ? this.#step(zone, { type: 'OPEN' }) : lacking;
      }
      case BLK_T.ZONE_CLOSE:
        return this.#step(zone, { type: 'CLOSE', written: zone.pointer > zone.start });
      case BLK_T.ZONE_FINISH:
        return this.#step(zone, { type: 'FINISH' });
      default:
        return this.#reset(zone);
    }
  }

  #reset(zone: Zone): number {
    if (zone.pointer > zone.start || zone.state === 'full') this.#erase(zone.start, zone.size);
    zone.pointer = zone.start;
    zone.resets++;
    this.#zoneResets++;
    return this.#step(zone, { type: 'RESET' });
  }

  #resetAll(): number {
    for (const zone of this.#zones) {
      if (zone.chart !== null && zone.state !== 'empty') this.#reset(zone);
    }
    return BLK_S.OK;
  }

  /** Takes what the zone needs to be open; closes the zone that was opened first by a write, if need be. */
  #takeResources(zone: Zone): number {
    const { maxOpen, maxActive } = this.#options;
    const activates = zone.state === 'empty' ? 1 : 0;
    if (maxActive > 0 && this.#active + activates > maxActive) return BLK_S.ZONE_ACTIVE_RESOURCE;
    if (maxOpen === 0 || this.#open < maxOpen) return BLK_S.OK;
    const [oldest] = this.#zones
      .filter(({ state }) => state === 'implicitlyOpen')
      .sort((a, b) => a.opened - b.opened);
    if (oldest === undefined) return BLK_S.ZONE_OPEN_RESOURCE;
    this.#closedImplicitly++;
    this.#step(oldest, { type: 'CLOSE', written: true });
    return BLK_S.OK;
  }

  /** Takes a step of a zone's chart; a step that the zone's state does not allow is refused. */
  #step(zone: Zone, event: ZoneEvent): number {
    this.#refused = false;
    zone.chart!.send(event);
    return this.#refused ? BLK_S.ZONE_INVALID_CMD : BLK_S.OK;
  }
}

function sectors(bytes: number): bigint {
  return BigInt(bytes / SECTOR_SIZE);
}
