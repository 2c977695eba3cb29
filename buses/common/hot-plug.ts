// Lets a device come and go when the scenario says so, on buses that can tell their driver of it.
import type { DeviceBusEnd, DevicePlan } from '../../platform/contracts/index.ts';
import { assert } from '../../platform/errors.ts';
import type { Component } from '../../platform/kernel/index.ts';
import type { Node } from '../../platform/node/index.ts';

const REMOVE = 0;
const ADD = 1;

/** The end of a bus on the device's node, as far as it lets devices come and go. */
type Pluggable = Pick<DeviceBusEnd, 'setPresent'>;

class HotPlug implements Component {
  readonly #end: Pluggable;
  readonly #number: number;

  constructor(node: Node, { number, addAt = 0, removeAt }: DevicePlan, end: Pluggable) {
    this.#end = end;
    this.#number = number;
    const id = node.add(this);
    if (addAt > 0) {
      this.#setPresent(false);
      node.kernel.schedule(id, addAt, ADD);
    }
    if (removeAt !== undefined) node.kernel.schedule(id, removeAt, REMOVE);
  }

  deliver(kind: number): void {
    this.#setPresent(kind === ADD);
  }

  #setPresent(present: boolean): void {
    assert(this.#end.setPresent !== undefined, 'the loader knows which buses have hot-plug');
    this.#end.setPresent(this.#number, present);
  }
}

/** Plans the coming and going of an attached device, if there is any. */
export function planHotPlug(node: Node, plan: DevicePlan, end: Pluggable): void {
  if (plan.addAt !== undefined || plan.removeAt !== undefined) new HotPlug(node, plan, end);
}
