// Areas as the partition knows them: what was announced to it and retrieved by it.
import type { DmaWindow } from '../common/index.ts';

export class DeviceAreas {
  readonly #windows: (DmaWindow | null)[] = [];
  /** Bus addresses from one area to the next. */
  readonly #span: number;

  constructor(span: number) {
    this.#span = span;
  }

  set(areaId: number, window: DmaWindow): void {
    this.#windows[areaId] = window;
  }

  has(areaId: number): boolean {
    return (this.#windows[areaId] ?? null) !== null;
  }

  /** The window that a bus address lies in, or null. */
  find(address: number): DmaWindow | null {
    return this.#windows[Math.floor(address / this.#span)] ?? null;
  }

  /** Where in its window a bus address lies. */
  offset(address: number): number {
    return address % this.#span;
  }

  /** Forgets an area and returns its handle, or -1. */
  remove(areaId: number): number {
    const window = this.#windows[areaId] ?? null;
    this.#windows[areaId] = null;
    return window?.handle ?? -1;
  }

  /** Forgets all areas and returns their handles. */
  clear(): number[] {
    const handles = this.#windows.flatMap((window) => (window == null ? [] : [window.handle]));
    this.#windows.length = 0;
    return handles;
  }
}
