// One bus, device or workload entry: splits it into the frame that all types share and the options
// of its own type, and checks both.
import { resolve } from 'node:path';
import type { ZodObject, z } from 'zod';
import type { Definition } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import type { Entry } from './copies.ts';
import { kindOfField } from './fields.ts';
import { faultOfFile } from './input-file.ts';
import { nearestName } from './nearest.ts';
import type { Path, YamlSource } from './yaml-source.ts';
import { complaintsOf } from './zod-problems.ts';

const FILE_MESSAGES = {
  missing: (file: string) => `there is no file '${file}'`,
  notFile: (file: string) => `'${file}' is not a file`,
  unreadable: (file: string) => `'${file}' cannot be read`,
} as const;

/** An entry after parsing. */
export interface ParsedEntry<Frame> {
  readonly frame: Frame;
  readonly definition: Definition;
  readonly options: Readonly<Record<string, unknown>>;
}

/** True when `value` is a YAML mapping. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a value by its schema; null, and reports, when it does not fit. */
export function parseWith<Schema extends z.ZodType>(
  source: YamlSource,
  schema: Schema,
  place: { readonly path: Path; readonly value: unknown; readonly otherKeys?: readonly string[] },
): z.output<Schema> | null {
  const result = schema.safeParse(place.value, { reportInput: true });
  if (result.success) return result.data;
  for (const complaint of complaintsOf(result.error, { schema, ...place })) {
    source.report(complaint);
  }
  return null;
}

const generalOptions = ({ options }: Definition): ZodObject => options;

/** Parses the entries of one section by the definitions of one table. */
export class EntryParser<Frame extends ZodObject> {
  readonly #source: YamlSource;
  readonly #frame: Frame;
  readonly #frameKeys: readonly string[];
  readonly #table: Readonly<Record<string, Definition>>;
  readonly #word: string;
  readonly #folder: string;
  #lastRaw: unknown;
  #lastParsed: ParsedEntry<z.output<Frame>> | null = null;
  readonly #failed = new Set<string>();

  constructor(options: {
    readonly source: YamlSource;
    readonly frame: Frame;
    readonly table: Readonly<Record<string, Definition>>;
    /** What an entry is called in messages, e.g. `bus`. */
    readonly word: string;
    /** Input files are looked for from here. */
    readonly folder: string;
  }) {
    this.#source = options.source;
    this.#frame = options.frame;
    this.#frameKeys = Object.keys(options.frame.shape);
    this.#table = options.table;
    this.#word = options.word;
    this.#folder = options.folder;
    for (const [type, definition] of Object.entries(options.table)) {
      assert(definition.type === type, `row ${type} holds the definition of ${definition.type}`);
      const clash = this.#frameKeys.find((key) => key in definition.options.shape);
      assert(
        clash === undefined,
        `option ${clash} of ${type} is a key that every ${this.#word} has`,
      );
    }
  }

  /**
   * Returns null when the entry, or an earlier copy of it, cannot be accepted. `optionsOf` is asked for the
   * options of an entry that may set others than those of its type in general.
   */
  parse(entry: Entry, optionsOf = generalOptions): ParsedEntry<z.output<Frame>> | null {
    if (entry.broken) return null;
    // Copies that share their values share the result, so that 65,536 of them load at once.
    if (entry.copy !== null && entry.copy > 0 && entry.raw === this.#lastRaw)
      return this.#lastParsed;
    const placeKey = entry.path.join('.');
    if (this.#failed.has(placeKey)) return null;
    this.#lastRaw = entry.raw;
    this.#lastParsed = this.#parse(entry, optionsOf);
    if (this.#lastParsed === null) this.#failed.add(placeKey);
    return this.#lastParsed;
  }

  #parse(
    { raw, path }: Entry,
    optionsOf: typeof generalOptions,
  ): ParsedEntry<z.output<Frame>> | null {
    if (!isMapping(raw)) {
      const message = `a ${this.#word} is a mapping`;
      const expected = `keys such as ${this.#frameKeys.join(', ')}`;
      this.#source.report({ code: 'BAD_VALUE', path, at: 'value', message, expected });
      return null;
    }
    const framePart: Record<string, unknown> = {};
    const optionPart: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(raw)) {
      (this.#frameKeys.includes(key) ? framePart : optionPart)[key] = value;
    }
    const frame = parseWith(this.#source, this.#frame, { path, value: framePart });
    const definition = this.#definitionOf(raw.type, path);
    if (definition === null) return null;
    const schema = optionsOf(definition).strict();
    const place = { path, value: optionPart, otherKeys: this.#frameKeys };
    const options = parseWith(this.#source, schema, place) as Record<string, unknown> | null;
    const filesExist = this.#checkFiles(definition.options, optionPart, path);
    if (frame === null || options === null || !filesExist) return null;
    return { frame, definition, options };
  }

  #definitionOf(type: unknown, path: Path): Definition | null {
    if (typeof type !== 'string') return null;
    if (Object.hasOwn(this.#table, type)) return this.#table[type];
    const types = Object.keys(this.#table);
    this.#source.report({
      code: 'UNKNOWN_NAME',
      path: [...path, 'type'],
      at: 'value',
      message: `there is no ${this.#word} type '${type}'`,
      expected: `one of ${types.join(', ')}`,
      nearest: nearestName(type, types),
    });
    return null;
  }

  #checkFiles(schema: ZodObject, options: Record<string, unknown>, path: Path): boolean {
    let allExist = true;
    for (const [key, field] of Object.entries(schema.shape)) {
      const file = options[key];
      if (typeof file !== 'string' || kindOfField(field) !== 'inputFile') continue;
      const fault = faultOfFile(resolve(this.#folder, file));
      if (fault === null) continue;
      allExist = false;
      this.#source.report({
        code: 'NO_FILE',
        path: [...path, key],
        at: 'value',
        message: FILE_MESSAGES[fault](file),
        expected: 'a file, named from the folder of the scenario',
      });
    }
    return allExist;
  }
}
