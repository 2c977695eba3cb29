// The `faults` section: rules that drop, delay, omit or shrink messages of a bus.
import type { z } from 'zod';
import type { BusPlan, Definition, FaultPlan } from '../contracts/index.ts';
import type { Names } from './names.ts';
import { nearestName } from './nearest.ts';
import { FAULT_ACTIONS, faultFrame } from './schema.ts';
import { parseWith } from './typed-entry.ts';
import type { Path, YamlSource } from './yaml-source.ts';

type FaultFrame = z.output<typeof faultFrame>;
type Action = (typeof FAULT_ACTIONS)[number];

/** What fault rules are checked against. */
export interface FaultContext {
  readonly source: YamlSource;
  readonly busNames: Names;
  readonly buses: readonly BusPlan[];
  readonly table: Readonly<Record<string, Definition>>;
}

function actionOf(source: YamlSource, frame: FaultFrame, path: Path): Action | null {
  const actions = FAULT_ACTIONS.filter((action) => frame[action] !== undefined);
  if (actions.length === 1) return actions[0];
  const expected = `exactly one of ${FAULT_ACTIONS.join(', ')}`;
  const message =
    actions.length === 0 ? 'the rule does nothing' : `the rule has ${actions.join(' and ')}`;
  const code = actions.length === 0 ? 'MISSING' : 'BAD_VALUE';
  source.report({ code, path, at: 'value', message, expected });
  return null;
}

/** Extra delay in ps, pages, or 0; null and a report when the keys do not suit the action. */
function amountOf(
  source: YamlSource,
  frame: FaultFrame,
  place: { readonly action: Action; readonly path: Path },
): number | null {
  const { action, path } = place;
  const owners = { by: 'delay', pages: 'shrink' } as const;
  for (const key of ['by', 'pages'] as const) {
    if (frame[key] === undefined || action === owners[key]) continue;
    const message = `'${key}' belongs to ${owners[key]}, not to ${action}`;
    source.report({ code: 'UNKNOWN_KEY', path: [...path, key], at: 'key', message });
    return null;
  }
  if (action === 'shrink') return frame.pages ?? 1;
  if (action !== 'delay') return 0;
  if (frame.by !== undefined) return frame.by;
  const message = "key 'by' is missing";
  source.report({ code: 'MISSING', path, at: 'value', message, expected: "'by' with a time" });
  return null;
}

/** False, and a report, when no bus in question carries messages of this name. */
function messageExists(
  context: FaultContext,
  buses: readonly number[],
  place: { readonly message: string; readonly path: Path },
): boolean {
  const types = new Set(buses.map((bus) => context.buses[bus]?.type));
  for (const type of types) {
    const known = type === undefined ? undefined : context.table[type]?.messages;
    if (known === undefined || known.includes(place.message)) continue;
    context.source.report({
      code: 'UNKNOWN_NAME',
      path: place.path,
      at: 'value',
      message: `no message '${place.message}' crosses a bus of type ${type}`,
      expected: `one of ${known.join(', ')}`,
      nearest: nearestName(place.message, known),
    });
    return false;
  }
  return true;
}

/** Parses all rules; a rule on a replicated bus becomes one rule per copy. */
export function parseFaults(context: FaultContext, rules: readonly unknown[]): FaultPlan[] {
  const { source } = context;
  return rules.flatMap((value, index): FaultPlan[] => {
    const path = ['faults', index];
    const frame = parseWith(source, faultFrame, { path, value });
    if (frame === null) return [];
    const action = actionOf(source, frame, path);
    const buses = context.busNames.findAll({ name: frame.on, path: [...path, 'on'] });
    if (action === null) return [];
    const amount = amountOf(source, frame, { action, path });
    const message = frame[action] ?? '';
    const exists = messageExists(context, buses, { message, path: [...path, action] });
    if (amount === null || !exists) return [];
    const count = frame.count === Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : frame.count;
    return buses.map((bus) => ({ bus, at: frame.at, action, message, count, amount }));
  });
}
