// The key `restarts` of a node: one after the other, and only where every bus of the node can cope with it.
import type { BusPlan, Definition, NodePlan } from '../contracts/index.ts';
import type { Path, YamlSource } from './yaml-source.ts';

export interface RestartPlace {
  readonly plan: NodePlan;
  readonly path: Path;
  /** All buses, and all types of bus. */
  readonly buses: readonly BusPlan[];
  readonly table: Readonly<Record<string, Definition>>;
}

/** Reports what is wrong with the restarts of a node. */
export function checkRestarts(
  source: YamlSource,
  { plan, path, buses, table }: RestartPlace,
): void {
  const { index, name, restarts = [] } = plan;
  if (restarts.length === 0) return;
  const place = { path: [...path, 'restarts'], at: 'value', code: 'BAD_VALUE' } as const;
  const overlaps = restarts.some(({ at }, i) => {
    const before = restarts[i - 1];
    return before !== undefined && at <= before.at + before.for;
  });
  if (overlaps) {
    const message = `node ${name} would stop before it runs again`;
    source.report({ ...place, message, expected: 'restarts one after the other' });
  }
  const unable = buses.find(
    ({ driver, device, type }) =>
      (driver === index || device === index) && table[type].restarts !== true,
  );
  if (unable === undefined) return;
  const able = Object.values(table).filter((row) => row.restarts === true);
  const message = `bus ${unable.name} does not know that one of its nodes may restart`;
  const expected = `buses of type ${able.map(({ type }) => type).join(', ')} only`;
  source.report({ ...place, message, expected });
}
