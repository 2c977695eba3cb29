// Foreign mappings: what a privileged domain reaches of a guest without grants, any page of its RAM once it
// is mapped. Kept by the hypervisor, on the guest's node. A page's reference is its frame number.
import { type Memory, PAGE_SIZE } from '../../platform/node/index.ts';
import type { MemoryGuard } from '../common/index.ts';

/** -EINVAL and -EPERM, as the hypercall returns them. */
const NO_FRAME = { denial: 'the guest has no such frame', status: -22 } as const;
const NO_PRIVILEGE = { denial: 'the domain may not map this guest', status: -1 } as const;

export class ForeignMap implements MemoryGuard {
  denial = '';
  /** What the hypercall that was denied last returns. */
  status = 0;
  readonly #memory: Memory;
  readonly #privileged: number;
  readonly #mapped = new Set<number>();

  /** `privileged` is the only domain that may map the guest's pages. */
  constructor(memory: Memory, privileged: number) {
    this.#memory = memory;
    this.#privileged = privileged;
  }

  map(frame: number, domain: number): boolean {
    if (domain !== this.#privileged) return this.#deny(NO_PRIVILEGE);
    if (!this.#memory.contains(frame * PAGE_SIZE, PAGE_SIZE)) return this.#deny(NO_FRAME);
    this.#mapped.add(frame);
    return true;
  }

  translate(frame: number, domain: number, offset: number, length: number): number {
    if (domain !== this.#privileged) this.#deny(NO_PRIVILEGE);
    else if (!this.#mapped.has(frame)) this.denial = 'the frame is not mapped';
    else if (offset + length > PAGE_SIZE) this.denial = 'the access is outside the page';
    else return frame * PAGE_SIZE + offset;
    return -1;
  }

  #deny({ denial, status }: { readonly denial: string; readonly status: number }): false {
    this.denial = denial;
    this.status = status;
    return false;
  }
}
