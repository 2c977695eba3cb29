// When a card is pulled out of its slot and put back, as a scenario says.
import { z } from 'zod';
import type { Finding } from '../../platform/contracts/index.ts';
import type { Component } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';
import type { Endpoint } from '../../platform/pcie/index.ts';
import { time } from '../../platform/scenario/fields.ts';

/** Option fields of a bus whose devices are on a card; spread them into its schema. */
export const slotOptions = {
  removeAt: time({ min: 1 })
    .optional()
    .describe('The card is pulled out of its slot at this time.'),
  insertAt: time({ min: 1 }).optional().describe('The card that was pulled out is put back.'),
};
const shape = z.strictObject(slotOptions);
export type SlotOptions = z.output<typeof shape>;

/** Looks at what the schema alone cannot check. */
export function checkSlotOptions({
  removeAt = Infinity,
  insertAt,
}: SlotOptions): readonly Finding[] {
  if (insertAt === undefined || insertAt > removeAt) return [];
  const message = 'the card is in its slot then';
  return [{ field: 'insertAt', message, expected: 'a time after removeAt' }];
}

const REMOVE = 0;
const INSERT = 1;

class Slot implements Component {
  readonly #endpoint: Endpoint;

  constructor(node: Node, endpoint: Endpoint, { removeAt, insertAt }: SlotOptions) {
    this.#endpoint = endpoint;
    const id = node.add(this);
    node.kernel.schedule(id, removeAt!, REMOVE);
    if (insertAt !== undefined) node.kernel.schedule(id, insertAt, INSERT);
  }

  deliver(what: number): void {
    if (what === REMOVE) this.#endpoint.remove();
    else this.#endpoint.insert();
  }
}

/** Plans the coming and going of a card, if there is any. */
export function planSlot(node: Node, endpoint: Endpoint, options: SlotOptions): void {
  if (options.removeAt !== undefined) new Slot(node, endpoint, options);
}
