// Where a workload on a zoned disk reads and writes: zones one after another, no more of them at a time than the
// disk allows, each from its start to its end; then it is reset, and written again. Places are blocks.

/** One zone as its writer knows it. */
export interface PlannedZone {
  /** First sector, as requests for the whole zone name it, in bytes. */
  readonly offset: number;
  readonly start: number;
  readonly end: number;
  /** Where the next write goes, once those under way have been done. */
  next: number;
  /** Blocks whose contents are known. */
  readonly written: number[];
  /** Requests under way; with `resetting`, the only one is a reset. */
  readers: number;
  writers: number;
  resetting: boolean;
  /** Nobody knows how far it is written: it must be reset before anything else is. */
  broken: boolean;
}

export interface ZonePlanOptions {
  /** Zones written at a time. */
  readonly zonesMax: number;
  /** Several requests may write a zone at a time: the disk puts them in order. */
  readonly appends: boolean;
  /** Draws a number from 0 to below `limit`. */
  draw(limit: number): number;
}

export class ZonePlan {
  /** Zones that were written to their ends. */
  filled = 0;
  readonly #options: ZonePlanOptions;
  readonly #zones: readonly PlannedZone[];
  /** Zones being written. */
  readonly #current: PlannedZone[] = [];
  #nextZone = 0;
  /** Blocks that can be read, of all zones. */
  #readable = 0;

  constructor(zones: readonly PlannedZone[], options: ZonePlanOptions) {
    this.#zones = zones;
    this.#options = options;
  }

  /** Takes a written block to read; null when there is none. */
  read(): { readonly zone: PlannedZone; readonly block: number } | null {
    if (this.#readable === 0) return null;
    let place = this.#options.draw(this.#readable);
    for (const zone of this.#zones) {
      if (place < zone.written.length) {
        zone.readers++;
        return { zone, block: zone.written[place] };
      }
      place -= zone.written.length;
    }
    return null;
  }

  /** Takes a zone to write its next block, or to reset it first; null when all must be waited for. */
  write(): PlannedZone | null {
    for (let i = 0; i < this.#current.length; i++) {
      // In turn, so that all of them are written at the same time.
      const zone = this.#current.shift()!;
      this.#current.push(zone);
      if (this.#isFree(zone)) return this.#take(zone);
    }
    if (this.#current.length >= this.#options.zonesMax) return null;
    for (let tried = 0; tried < this.#zones.length; tried++) {
      const zone = this.#zones[this.#nextZone];
      this.#nextZone = (this.#nextZone + 1) % this.#zones.length;
      if (this.#current.includes(zone) || !this.#isFree(zone)) continue;
      this.#current.push(zone);
      return this.#take(zone);
    }
    return null;
  }

  readOver(zone: PlannedZone): void {
    zone.readers--;
  }

  /** A write has ended, at this block; or has failed, with -1. */
  writeOver(zone: PlannedZone, block: number): void {
    zone.writers--;
    if (block < 0) {
      zone.broken = true;
    } else {
      zone.written.push(block);
      this.#readable++;
    }
    if (zone.writers > 0 || zone.broken || zone.next < zone.end) return;
    this.filled++;
    this.#current.splice(this.#current.indexOf(zone), 1);
  }

  resetOver(zone: PlannedZone, done: boolean): void {
    zone.resetting = false;
    zone.broken = !done;
    if (done) zone.next = zone.start;
  }

  /** True for a zone that can be written or reset now. */
  #isFree(zone: PlannedZone): boolean {
    if (zone.resetting) return false;
    if (zone.broken || zone.next === zone.end) return zone.writers + zone.readers === 0;
    return zone.writers === 0 || this.#options.appends;
  }

  #take(zone: PlannedZone): PlannedZone {
    if (zone.broken || zone.next === zone.end) {
      zone.resetting = true;
      this.#readable -= zone.written.length;
      zone.written.length = 0;
    } else {
      zone.writers++;
      zone.next++;
    }
    return zone;
  }
}
