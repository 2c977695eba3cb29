// FF-A memory handles (Arm DEN0077, memory management): what a node shares of its memory, with whom,
// and what of it the borrower has retrieved. Kept on the owner's node, as the SPMC would for it.
//
//   share ──▶ shared ──retrieve──▶ retrieved ──relinquish──▶ shared ──reclaim──▶ gone
import { PAGE_SIZE } from '../node/index.ts';

/** Why an operation on a handle was denied. */
export type HandleDenial =
  | 'no such handle'
  | 'the handle is not shared with this node'
  | 'the memory was not retrieved'
  | 'the access is outside the shared pages'
  | 'the memory is shared read-only'
  | 'a borrower still has it retrieved';

interface Share {
  readonly address: number;
  readonly pages: number;
  readonly borrower: number;
  readonly writable: boolean;
  retrieved: boolean;
}

export class MemoryHandles {
  readonly #shares = new Map<number, Share>();
  #next = 1;
  /** Set by the last call that returned a denial. */
  denial: HandleDenial = 'no such handle';

  /** Shares whole pages with another node and returns the handle. */
  share(address: number, pages: number, borrower: number, writable: boolean): number {
    const handle = this.#next++;
    this.#shares.set(handle, { address, pages, borrower, writable, retrieved: false });
    return handle;
  }

  /** Maps the memory for the borrower. Returns its pages, or -1 with `denial` set. */
  retrieve(handle: number, borrower: number): number {
    const share = this.#find(handle, borrower);
    if (share === null) return -1;
    share.retrieved = true;
    return share.pages;
  }

  /** Unmaps the memory for the borrower. Returns false with `denial` set when it had none. */
  relinquish(handle: number, borrower: number): boolean {
    const share = this.#find(handle, borrower);
    if (share === null) return false;
    if (!share.retrieved) return this.#deny('the memory was not retrieved');
    share.retrieved = false;
    return true;
  }

  /** Ends the sharing. Refused while a borrower has the memory retrieved. */
  reclaim(handle: number): boolean {
    const share = this.#shares.get(handle);
    if (share === undefined) return this.#deny('no such handle');
    if (share.retrieved) return this.#deny('a borrower still has it retrieved');
    this.#shares.delete(handle);
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
