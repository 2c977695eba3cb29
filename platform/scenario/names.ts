// Names of one section of a scenario (nodes, buses, devices): uniqueness and look-up with hints.
import type { Entry } from './copies.ts';
import { nearestName } from './nearest.ts';
import type { Path, YamlSource } from './yaml-source.ts';

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** A reference from one entry to another by name. */
export interface Reference {
  readonly name: string;
  readonly path: Path;
}

/** The entries of one section by name. An index is the position in the topology's list. */
export class Names {
  readonly #word: string;
  readonly #source: YamlSource;
  readonly #indexByName = new Map<string, number>();
  readonly #copiesByBase = new Map<string, number[]>();
  readonly #complained = new Set<string>();

  /** `word` is what an entry is called in messages, e.g. `node`. */
  constructor(source: YamlSource, word: string) {
    this.#source = source;
    this.#word = word;
  }

  /** Adds an entry at `index`; a bad or taken name is reported. */
  add(entry: Entry, index: number): void {
    const { name, base, copy, path } = entry;
    if (!NAME.test(base)) {
      const message = `'${base}' cannot be the name of a ${this.#word}`;
      const expected = 'a letter, then letters, digits, - or _, 64 at most';
      this.#source.report({ code: 'BAD_VALUE', path, at: 'key', message, expected });
    }
    if (this.#indexByName.has(name)) {
      const message = `there are two ${this.#word}s of the name '${name}'`;
      this.#source.report({ code: 'DUPLICATE_NAME', path, at: 'key', message });
      return;
    }
    this.#indexByName.set(name, index);
    if (copy === null) return;
    const copies = this.#copiesByBase.get(base);
    if (copies === undefined) this.#copiesByBase.set(base, [index]);
    else copies.push(index);
  }

  /** Index of exactly this name; null, and a report, when there is none. */
  find(reference: Reference): number | null {
    const index = this.#indexByName.get(reference.name);
    if (index !== undefined) return index;
    this.#complain(reference);
    return null;
  }

  /** Indices that a name stands for: one entry, or all copies of a replicated one. */
  findAll(reference: Reference): readonly number[] {
    const index = this.#indexByName.get(reference.name);
    if (index !== undefined) return [index];
    const copies = this.#copiesByBase.get(reference.name);
    if (copies !== undefined) return copies;
    this.#complain(reference);
    return [];
  }

  /** True when the name is an entry or the name of a replicated one. */
  knows(name: string): boolean {
    return this.#indexByName.has(name) || this.#copiesByBase.has(name);
  }

  /** Every name that may be written: those of copies, and what they are copies of. */
  all(): readonly string[] {
    return [...this.#copiesByBase.keys(), ...this.#indexByName.keys()];
  }

  #complain({ name, path }: Reference): void {
    // Copies of one entry share the place of their mistake; the first one tells it.
    const place = path.join('.');
    if (this.#complained.has(place)) return;
    this.#complained.add(place);
    const copies = this.#copiesByBase.get(name)?.length;
    const names = [...this.#indexByName.keys()];
    const many = names.length > 8 ? `${names.slice(0, 8).join(', ')}, …` : names.join(', ');
    this.#source.report({
      code: 'UNKNOWN_NAME',
      path,
      at: 'value',
      message:
        copies === undefined
          ? `there is no ${this.#word} '${name}'`
          : `${this.#word} '${name}' has ${copies} copies; one of them must be named`,
      expected: names.length === 0 ? `a ${this.#word}, but there are none` : `one of ${many}`,
      nearest: copies === undefined ? nearestName(name, names) : `${name}-0`,
    });
  }
}
