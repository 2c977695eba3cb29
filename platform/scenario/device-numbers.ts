// Gives devices their numbers: each bus has every number once, and copies of an entry that share a bus take
// consecutive ones.
import type { Entry } from './copies.ts';
import type { YamlSource } from './yaml-source.ts';

/** The bus of a device. */
export interface NumberPlace {
  readonly bus: number;
  readonly name: string;
  /** Largest number that there is. */
  readonly max: number;
}

export class DeviceNumbers {
  readonly #source: YamlSource;
  /** Names by bus and number. */
  readonly #taken = new Map<string, string>();
  /** Copies so far by entry and bus. */
  readonly #copies = new Map<string, number>();
  /** Entries with a mistake: the copies of one share a place in the file, and the first stands for all. */
  readonly #wrong = new Set<string>();

  constructor(source: YamlSource) {
    this.#source = source;
  }

  /** The number of a device; null, and reported, when it can't have one. */
  take(entry: Entry, first: number, place: NumberPlace): number | null {
    const { bus, max } = place;
    const key = `${bus} ${entry.base}`;
    const earlier = this.#copies.get(key) ?? 0;
    this.#copies.set(key, earlier + 1);
    const number = entry.indexedKeys.includes('number') ? first : first + earlier;
    const owner = this.#taken.get(`${bus} ${number}`);
    if (owner === undefined && number <= max) {
      this.#taken.set(`${bus} ${number}`, entry.name);
      return number;
    }
    if (!this.#wrong.has(entry.base)) this.#report(entry, number, owner, place);
    this.#wrong.add(entry.base);
    return null;
  }

  #report(entry: Entry, number: number, owner: string | undefined, place: NumberPlace): void {
    const { name, max } = place;
    const path = [...entry.path, 'number'];
    if (owner === undefined) {
      const what = entry.copy === null ? `'${entry.name}'` : `copy '${entry.name}'`;
      const message = `${what} would have number ${number} on ${name}`;
      const expected = `numbers up to ${max}`;
      this.#source.report({ code: 'OUT_OF_RANGE', path, at: 'value', message, expected });
      return;
    }
    this.#source.report({
      code: 'DUPLICATE_NUMBER',
      path,
      at: 'value',
      message: `number ${number} on ${name} is already that of device '${owner}'`,
      expected: 'a number that no other device of the bus has',
    });
  }
}
