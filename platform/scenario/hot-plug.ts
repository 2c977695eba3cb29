// The keys `addAt` and `removeAt` of a device: it comes before it goes, and only on buses that can tell
// their driver of it.
import type { BusPlan, Definition, DevicePlan } from '../contracts/index.ts';
import type { Path, YamlSource } from './yaml-source.ts';

export interface HotPlugPlace {
  readonly plan: DevicePlan;
  /** The bus of the device; undefined when it could not be loaded. */
  readonly bus: BusPlan | undefined;
  readonly path: Path;
  /** All types of bus. */
  readonly buses: Readonly<Record<string, Definition>>;
}

/** Reports what is wrong with the coming and going of a device. */
export function checkHotPlug(source: YamlSource, { plan, bus, path, buses }: HotPlugPlace): void {
  const { addAt, removeAt } = plan;
  const row = bus === undefined ? undefined : buses[bus.type];
  if (row === undefined || (addAt === undefined && removeAt === undefined)) return;
  const key = addAt === undefined ? 'removeAt' : 'addAt';
  const place = { path: [...path, key], at: 'value', code: 'BAD_VALUE' } as const;
  if (row.hotPlug !== true) {
    const able = Object.values(buses).filter(({ hotPlug }) => hotPlug === true);
    const message = `bus ${bus!.name} cannot tell that a device comes or goes`;
    const expected = `a bus of type ${able.map(({ type }) => type).join(', ')}`;
    source.report({ ...place, message, expected });
  } else if ((addAt ?? 0) >= (removeAt ?? Number.POSITIVE_INFINITY)) {
    const message = 'the device would go before it comes';
    source.report({ ...place, message, expected: 'addAt before removeAt' });
  }
}
