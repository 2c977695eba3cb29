// Small helpers of the report: looking results up and adding them up.

export function byName<Plan extends { readonly name: string }, Value>(
  plans: readonly Plan[],
  value: (plan: Plan) => Value,
): Record<string, Value> {
  return Object.fromEntries(plans.map((plan) => [plan.name, value(plan)]));
}

/** Lists by key. A look-up for each of many thousand devices must not search them all. */
export function grouped<Item, Key>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): Map<Key, Item[]> {
  const lists = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [item]);
    else list.push(item);
  }
  return lists;
}

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

export function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
