// Aliases (`*name`) and merge keys (`<<`) of a YAML document: where a value really stands, and what
// the library would only tell without a place.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  visit,
} from 'yaml';
import { nearestName } from './nearest.ts';

/** Characters of the text, the end excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a node of the document stands; null for what is not written down. */
export function spanOfNode(node: unknown): Span | null {
  const range = isNode(node) ? node.range : null;
  return range == null ? null : { start: range[0], end: range[1] };
}

/** The node that an alias stands for; any other node is itself. */
export function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** A pair of a mapping, and whether it came by a merge key. */
export interface FoundPair {
  readonly pair: Pair;
  readonly merged: boolean;
}

/** The pair that gives a mapping this key: its own, or that of the first mapping merged into it. */
export function findPair(document: Document, node: unknown, key: string): FoundPair | null {
  const map = resolved(document, node);
  if (!isMap(map)) return null;
  const own = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  if (own !== undefined) return { pair: own, merged: false };
  for (const source of map.items.filter(isMerge).flatMap((item) => sourcesOf(document, item))) {
    const found = findPair(document, source, key);
    if (found !== null) return { pair: found.pair, merged: true };
  }
  return null;
}

/** A merge key is written without quotes. */
function isMerge({ key }: Pair): boolean {
  return isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
}

function sourcesOf(document: Document, { value }: Pair): readonly unknown[] {
  const node = resolved(document, value);
  return isSeq(node) ? node.items : [node];
}

/** What is wrong with an alias or a merge key. */
export interface AliasFault {
  readonly span: Span;
  readonly message: string;
  readonly expected: string;
  readonly nearest: string | null;
}

/** Looks at all aliases and merge keys. The document can be made plain data when there is no fault. */
export function aliasFaults(document: Document): AliasFault[] {
  const faults: AliasFault[] = [];
  const anchors: string[] = [];
  visit(document, {
    Node: (_, node) => {
      if ('anchor' in node && node.anchor !== undefined) anchors.push(node.anchor);
    },
    Alias: (_, alias, ancestors) => {
      const fault = aliasFault(document, alias, { ancestors, anchors });
      if (fault !== null) faults.push(fault);
    },
    Pair: (_, pair) => {
      if (!isMerge(pair)) return;
      const wrong = sourcesOf(document, pair).find((source) => isNoMapping(document, source));
      if (wrong === undefined) return;
      const span = spanOfNode(isSeq(pair.value) ? wrong : pair.value);
      const message = '<< takes over the keys of mappings only';
      faults.push(fault(span, message, 'an alias of a mapping, or a list of them'));
    },
  });
  return faults;
}

/** True for what cannot be merged. An alias of nothing has a fault of its own. */
function isNoMapping(document: Document, source: unknown): boolean {
  const node = resolved(document, source);
  return node !== undefined && !isMap(node);
}

function aliasFault(
  document: Document,
  alias: Alias,
  place: { readonly ancestors: readonly unknown[]; readonly anchors: readonly string[] },
): AliasFault | null {
  const { source } = alias;
  const span = spanOfNode(alias);
  const target = alias.resolve(document);
  if (target === undefined) {
    const { anchors } = place;
    const known = anchors.length === 0 ? '' : `: one of ${anchors.join(', ')}`;
    const nearest = nearestName(source, anchors);
    const message = `there is no anchor '&${source}' before this alias`;
    return { ...fault(span, message, `the name of an earlier anchor${known}`), nearest };
  }
  if (!place.ancestors.includes(target)) return null;
  return fault(span, `'*${source}' stands within what it stands for`, 'an alias of something else');
}

function fault(span: Span | null, message: string, expected: string): AliasFault {
  return { span: span ?? { start: 0, end: 0 }, message, expected, nearest: null };
}
