// A YAML file whose values can be traced back to line and column, and the list of what is wrong
// with it. It knows YAML, not scenarios.
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { type Problem, ScenarioError, type ScenarioErrorCode } from './problem.ts';
import { aliasFaults, findPair, resolved, type Span, spanOfNode } from './yaml-nodes.ts';

/** Keys and indices from the root of the file to a value. */
export type Path = readonly (string | number)[];

/** A problem before it has a place: the path says where, `at` whether key or value is to blame. */
export interface Complaint {
  readonly code: ScenarioErrorCode;
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly expected?: string | null;
  readonly nearest?: string | null;
  /** Characters into the value where the trouble starts, for values with an inner grammar. */
  readonly offset?: number;
}

/** Where a path leads. */
interface Place {
  readonly span: Span;
  /** The entry that took the value over from elsewhere, by an alias or merge key; else null. */
  readonly user: Path | null;
}

/** The text of one file, parsed, with the problems found so far. */
export class YamlSource {
  readonly file: string;
  /** The file as plain data; undefined when its syntax is broken. */
  readonly data: unknown;
  readonly problems: Problem[] = [];
  readonly #lines = new LineCounter();
  readonly #text: string;
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #seen = new Set<string>();

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      stringKeys: true,
      merge: true,
      logLevel: 'error',
    });
    this.data = this.#parse();
  }

  #parse(): unknown {
    const found = [...this.#document.errors, ...this.#document.warnings];
    const duplicates = found.filter((error) => error.code === 'DUPLICATE_KEY');
    // One slip of syntax makes the parser stumble many times; only the first says something.
    const broken = found.find((error) => error.code !== 'DUPLICATE_KEY');
    for (const { pos } of duplicates) {
      const span = this.#keySpanAt(pos[0]);
      const message = `key '${this.#text.slice(span.start, span.end)}' stands twice in one mapping`;
      this.#add(span, { code: 'DUPLICATE_KEY', message, expected: null, nearest: null });
    }
    if (broken !== undefined) {
      const text =
        broken.code === 'MULTIPLE_DOCS' ? 'a second document begins here' : broken.message;
      this.#addSyntax({ start: broken.pos[0], end: broken.pos[1] }, text);
      return undefined;
    }
    const faults = aliasFaults(this.#document);
    for (const { span, ...what } of faults) this.#add(span, { code: 'YAML_SYNTAX', ...what });
    if (faults.length > 0) return undefined;
    try {
      return this.#document.toJS();
    } catch (error) {
      // The library refuses documents whose aliases multiply without end.
      this.#addSyntax({ start: 0, end: 0 }, (error as Error).message);
      return undefined;
    }
  }

  #addSyntax(span: Span, text: string): void {
    // Braces have a meaning of their own in YAML, so that a bare vm-{i} often ends a text early.
    const index = this.#text.startsWith('{i}', span.start);
    const expected = index ? "quotes around a text with {i}, e.g. 'vm-{i}'" : null;
    this.#add(span, { code: 'YAML_SYNTAX', message: `YAML: ${text}`, expected, nearest: null });
  }

  #keySpanAt(start: number): Span {
    const word = /^[^\s:,}]+/.exec(this.#text.slice(start));
    return { start, end: start + (word?.[0].length ?? 1) };
  }

  /** Adds a problem at a path. The same complaint about the same place is kept once. */
  report(complaint: Complaint): void {
    const { span, user } = this.#placeOf(complaint.path, complaint.at);
    const taken = user === null ? '' : `, taken over by ${user.join('.')}`;
    // A quoted text begins after its quote.
    const quote = /^["']/.test(this.#text.slice(span.start, span.start + 1)) ? 1 : 0;
    const start = complaint.offset ? span.start + quote + complaint.offset : span.start;
    this.#add(
      { start: Math.min(start, span.end), end: span.end },
      {
        code: complaint.code,
        message: `${complaint.message}${taken}`,
        expected: complaint.expected ?? null,
        nearest: complaint.nearest ?? null,
      },
    );
  }

  /** Line and column of the value at a path, counted from 1. */
  placeOf(path: Path): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(this.#placeOf(path, 'value').span.start);
    return { line, column: col };
  }

  #add(span: Span, what: Pick<Problem, 'code' | 'message' | 'expected' | 'nearest'>): void {
    const { line, col } = this.#lines.linePos(span.start);
    const lineStart = this.#lines.lineStarts[line - 1] ?? 0;
    const lineEnd = this.#text.indexOf('\n', lineStart);
    const excerpt = this.#text
      .slice(lineStart, lineEnd < 0 ? undefined : lineEnd)
      .replace('\r', '');
    const toLineEnd = Math.max(1, excerpt.trimEnd().length - (col - 1));
    const length = Math.min(Math.max(1, span.end - span.start), toLineEnd);
    const key = `${line}:${col}:${what.code}:${what.message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.problems.push({ ...what, file: this.file, line, column: col, excerpt, length });
  }

  #placeOf(path: Path, at: 'key' | 'value'): Place {
    let node: unknown = this.#document.contents;
    let span: Span = spanOfNode(node) ?? { start: 0, end: 0 };
    let user: Path | null = null;
    for (const [depth, step] of path.entries()) {
      const target = resolved(this.#document, node);
      if (target !== node) user = path.slice(0, depth);
      const last = depth === path.length - 1;
      let key: unknown = null;
      if (isMap(target)) {
        const found = findPair(this.#document, target, String(step));
        if (found === null) break;
        if (found.merged) user = path.slice(0, depth);
        key = found.pair.key;
        node = found.pair.value;
      } else if (isSeq(target)) {
        node = target.items[Number(step)];
      } else {
        break;
      }
      // An item of a list has no key: it is shown itself.
      const keySpan = spanOfNode(key);
      const wanted = (last && at === 'key' ? keySpan : null) ?? spanOfNode(node) ?? keySpan;
      if (wanted !== null) span = wanted;
    }
    return { span, user };
  }

  /** Takes over the problems of another file that this one names. */
  adopt(problems: readonly Problem[]): void {
    this.problems.push(...problems);
  }

  /** Throws ScenarioError when there are problems: in file order, those of other files last. */
  throwProblems(): void {
    const own = this.problems.filter((problem) => problem.file === this.file);
    const others = this.problems.filter((problem) => problem.file !== this.file);
    own.sort((a, b) => a.line - b.line || a.column - b.column);
    const [first, ...rest] = [...own, ...others];
    if (first !== undefined) throw new ScenarioError([first, ...rest]);
  }
}
