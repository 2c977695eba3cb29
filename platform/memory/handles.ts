// FF-A memory handles (Arm DEN0140, memory management): what a node gives others of its memory, to whom
// and how, and what of it the borrower has retrieved. Kept on the owner's node, as the SPMC would for it.
//
//   share, lend, donate ──▶ sent ──retrieve──▶ retrieved ──relinquish──▶ sent ──reclaim──▶ gone
//
// Shared memory both sides reach (Owner-SA and !Owner-SA). Memory that is lent its owner does not reach
// until it has reclaimed it (Owner-NA), and memory that was donated never again, once it is retrieved: it
// belongs to the receiver then.
import { assert } from '../errors.ts';
import { type Memory, PAGE_SIZE } from '../node/index.ts';

/** The ways to give memory to another node: FFA_MEM_SHARE, FFA_MEM_LEND, FFA_MEM_DONATE. */
export const SHARING_MODES = ['share', 'lend', 'donate'] as const;
export type SharingMode = (typeof SHARING_MODES)[number];

/** Why an operation on a handle was denied. */
export type HandleDenial =
  | 'no such handle'
  | 'the handle is not shared with this node'
  | 'the handle is for another kind of sharing'
  | 'the memory was not retrieved'
  | 'the access is outside the shared pages'
  | 'the memory is shared read-only'
  | 'a borrower still has it retrieved'
  | 'the owner has no exclusive access'
  | 'the memory was donated';

interface Share {
  readonly address: number;
  readonly pages: number;
  readonly borrower: number;
  readonly writable: boolean;
  readonly mode: SharingMode;
  retrieved: boolean;
}

export interface MemoryHandlesOptions {
  /** The owner's memory, of which it loses what it lends and donates. */
  readonly memory: Memory;
  /** Says in words to whom memory goes. */
  readonly borrower: string;
}

export interface ShareRequest {
  readonly address: number;
  readonly pages: number;
  readonly borrower: number;
  readonly writable: boolean;
  readonly mode: SharingMode;
}

export class MemoryHandles {
  readonly #shares = new Map<number, Share>();
  readonly #options: MemoryHandlesOptions | null;
  #next = 1;
  /** Set by the last call that returned a denial. */
  denial: HandleDenial = 'no such handle';

  /** Without options memory is shared only, never lent or donated. */
  constructor(options: MemoryHandlesOptions | null = null) {
    this.#options = options;
  }

  /** Shares whole pages with another node and returns the handle; -1 with `denial` set. */
  share(address: number, pages: number, borrower: number, writable: boolean): number {
    return this.send({ address, pages, borrower, writable, mode: 'share' });
  }

  /**
   * Gives whole pages to another node and returns the handle. Returns -1 with `denial` set when they are
   * not the owner's to give: lent or donated, or, to lend or donate them, shared with anybody.
   */
  send(request: ShareRequest): number {
    const { mode } = request;
    if (!this.#mayGive(request)) {
      this.#deny('the owner has no exclusive access');
      return -1;
    }
    const handle = this.#next++;
    this.#shares.set(handle, { ...request, retrieved: false });
    if (mode !== 'share') this.#withhold(handle, request);
    return handle;
  }

  #withhold(handle: number, { address, pages, mode }: ShareRequest): void {
    assert(this.#options !== null, 'memory is lent by whoever can lose it');
    const { memory, borrower } = this.#options;
    const state = mode === 'lend' ? 'lent' : 'donated';
    const owner = mode === 'lend' ? 'Owner-NA' : '!Owner-NA';
    const reason = `${state} to ${borrower} under handle ${handle} (${owner}: no read, no write)`;
    memory.withhold(address, pages * PAGE_SIZE, reason);
  }

  /** Maps the memory for the borrower. Returns its pages, or -1 with `denial` set. */
  retrieve(handle: number, borrower: number, mode: SharingMode = 'share'): number {
    const share = this.#find(handle, borrower);
    if (share === null) return -1;
    if (share.mode !== mode) {
      this.#deny('the handle is for another kind of sharing');
      return -1;
    }
    share.retrieved = true;
    return share.pages;
  }

  /** Unmaps the memory for the borrower. Returns false with `denial` set when it had none to give back. */
  relinquish(handle: number, borrower: number): boolean {
    const share = this.#find(handle, borrower);
    if (share === null) return false;
    if (!share.retrieved) return this.#deny('the memory was not retrieved');
    if (share.mode === 'donate') return this.#deny('the memory was donated');
    share.retrieved = false;
    return true;
  }

  /** Ends the sharing. Refused while a borrower has the memory, or for good when it was donated. */
  reclaim(handle: number): boolean {
    const share = this.#shares.get(handle);
    if (share === undefined) return this.#deny('no such handle');
    if (share.retrieved) {
      const donated = share.mode === 'donate';
      return this.#deny(donated ? 'the memory was donated' : 'a borrower still has it retrieved');
    }
    this.#shares.delete(handle);
    if (share.mode !== 'share') this.#options!.memory.restore(share.address);
    return true;
  }

  /** The owner's address of a byte of shared memory, or -1 with `denial` set. */
  translate(
    handle: number,
    borrower: number,
    offset: number,
    length: number,
    write: boolean,
  ): number {
    const share = this.#find(handle, borrower);
    if (share === null) return -1;
    if (!share.retrieved) this.#deny('the memory was not retrieved');
    else if (offset + length > share.pages * PAGE_SIZE) {
      this.#deny('the access is outside the shared pages');
    } else if (write && !share.writable) this.#deny('the memory is shared read-only');
    else return share.address + offset;
    return -1;
  }

  #mayGive({ address, pages, mode }: ShareRequest): boolean {
    const end = address + pages * PAGE_SIZE;
    for (const other of this.#shares.values()) {
      const apart = end <= other.address || other.address + other.pages * PAGE_SIZE <= address;
      if (!apart && (mode !== 'share' || other.mode !== 'share')) return false;
    }
    return true;
  }

  #find(handle: number, borrower: number): Share | null {
    const share = this.#shares.get(handle);
    if (share === undefined) {
      this.#deny('no such handle');
      return null;
    }
    if (share.borrower !== borrower) {
      this.#deny('the handle is not shared with this node');
      return null;
    }
    return share;
  }

  #deny(reason: HandleDenial): false {
    this.denial = reason;
    return false;
  }
}
