// Xen's grant table, version 1: what a domain lets others reach of its memory, a page for each entry. The
// entries are bytes in the domain's own RAM; who has mapped them is the hypervisor's to know. Both are
// kept on the granting node.
//
//   entry: flags le16 │ domain le16 │ frame le32
//
//   grant ──▶ granted ──map──▶ mapped ──unmap──▶ granted ──revoke──▶ free
import { assert } from '../errors.ts';
import { type Memory, PAGE_SIZE } from '../node/index.ts';

/** Bits of an entry's flags. */
export const GrantFlag = { PERMIT_ACCESS: 1, READONLY: 4, READING: 8, WRITING: 16 } as const;

/** The first entries are reserved for tools. */
export const FIRST_GRANT = 8;
const ENTRY_SIZE = 8;
/** Entries in a page of the table. */
export const GRANTS_PER_FRAME = PAGE_SIZE / ENTRY_SIZE;

/** Why an operation on a grant was denied, and the status (GNTST) that a hypercall returns for it. */
export const grantDenials = {
  'beyond the grant table': { status: -3, name: 'GNTST_bad_gntref' },
  'no such grant': { status: -1, name: 'GNTST_general_error' },
  'granted to another domain': { status: -1, name: 'GNTST_general_error' },
  'granted for reading only': { status: -1, name: 'GNTST_general_error' },
  'the grant is not mapped': { status: -4, name: 'GNTST_bad_handle' },
  'the grant is still mapped': { status: -1, name: 'GNTST_general_error' },
  'the access is outside the page': { status: -10, name: 'GNTST_bad_copy_arg' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly name: string }>>;

export type GrantDenial = keyof typeof grantDenials;

/** GNTST_okay: the status of what was not denied. */
export const GRANT_OKAY = 0;

export class GrantTable {
  /** Set by the last call that was denied. */
  denial: GrantDenial = 'no such grant';
  /** Entries in use. */
  used = 0;
  /** Address of the table in the domain's RAM. */
  readonly address: number;
  readonly #memory: Memory;
  readonly #entries: number;
  /** How often each grant is mapped. */
  readonly #maps: Uint32Array;

  /** Takes `frames` pages of the domain's memory for the table. */
  constructor(memory: Memory, frames: number) {
    this.#memory = memory;
    this.#entries = frames * GRANTS_PER_FRAME;
    this.address = memory.allocate(frames * PAGE_SIZE, PAGE_SIZE);
    this.#maps = new Uint32Array(this.#entries);
  }

  /**
   * Grants whole pages to a domain, under consecutive references. Returns the first, or -1 when the
   * table has no room.
   */
  grant(domain: number, address: number, pages: number, writable: boolean): number {
    assert(address % PAGE_SIZE === 0, 'whole pages are granted');
    const first = this.#findFree(pages);
    if (first < 0) return -1;
    const flags = GrantFlag.PERMIT_ACCESS | (writable ? 0 : GrantFlag.READONLY);
    for (let i = 0; i < pages; i++) {
      const at = this.#at(first + i);
      this.#memory.writeU32(at + 4, address / PAGE_SIZE + i);
      this.#memory.writeU16(at + 2, domain);
      // The flags come last: they make the entry valid.
      this.#memory.writeU16(at, flags);
    }
    this.used += pages;
    return first;
  }

  /** Ends a grant. Refused, with `denial` set, while it is mapped. */
  revoke(reference: number): boolean {
    if (!this.#exists(reference)) return this.#deny('no such grant');
    if (this.#maps[reference] > 0) return this.#deny('the grant is still mapped');
    this.#memory.writeU16(this.#at(reference), 0);
    this.used--;
    return true;
  }

  /** Maps a grant for a domain. Returns false, with `denial` set, when it may not. */
  map(reference: number, domain: number, write: boolean): boolean {
    if (!this.#allows(reference, domain, write)) return false;
    this.#maps[reference]++;
    const at = this.#at(reference);
    const mark = write ? GrantFlag.READING | GrantFlag.WRITING : GrantFlag.READING;
    this.#memory.writeU16(at, this.#memory.readU16(at) | mark);
    return true;
  }

  /** Takes one mapping away. Returns false, with `denial` set, when there is none. */
  unmap(reference: number, domain: number): boolean {
    if (!this.#allows(reference, domain, false)) return false;
    if (this.#maps[reference] === 0) return this.#deny('the grant is not mapped');
    if (--this.#maps[reference] > 0) return true;
    const at = this.#at(reference);
    const marks = GrantFlag.READING | GrantFlag.WRITING;
    this.#memory.writeU16(at, this.#memory.readU16(at) & ~marks);
    return true;
  }

  /** The status of the last call that was denied. */
  get status(): number {
    return grantDenials[this.denial].status;
  }

  isMapped(reference: number): boolean {
    return this.#exists(reference) && this.#maps[reference] > 0;
  }

  /**
   * The owner's address of a byte of a granted page, or -1 with `denial` set. `copies` allows access
   * without a mapping, as the hypervisor's own copying does.
   */
  translate(
    reference: number,
    domain: number,
    offset: number,
    length: number,
    write: boolean,
    copies: boolean,
  ): number {
    if (!this.#allows(reference, domain, write)) return -1;
    if (!copies && this.#maps[reference] === 0) this.#deny('the grant is not mapped');
    else if (offset + length > PAGE_SIZE) this.#deny('the access is outside the page');
    else return this.#memory.readU32(this.#at(reference) + 4) * PAGE_SIZE + offset;
    return -1;
  }

  #allows(reference: number, domain: number, write: boolean): boolean {
    if (reference >= this.#entries) return this.#deny('beyond the grant table');
    if (!this.#exists(reference)) return this.#deny('no such grant');
    const at = this.#at(reference);
    if (this.#memory.readU16(at + 2) !== domain) return this.#deny('granted to another domain');
    const readOnly = (this.#memory.readU16(at) & GrantFlag.READONLY) !== 0;
    return readOnly && write ? this.#deny('granted for reading only') : true;
  }

  #exists(reference: number): boolean {
    if (reference < FIRST_GRANT || reference >= this.#entries) return false;
    return (this.#memory.readU16(this.#at(reference)) & GrantFlag.PERMIT_ACCESS) !== 0;
  }

  /** First of so many free entries in a row; -1 when there are none. */
  #findFree(count: number): number {
    let run = 0;
    for (let reference = FIRST_GRANT; reference < this.#entries; reference++) {
      run = this.#exists(reference) ? 0 : run + 1;
      if (run === count) return reference - count + 1;
    }
    return -1;
  }

  #at(reference: number): number {
    return this.address + reference * ENTRY_SIZE;
  }

  #deny(reason: GrantDenial): false {
    this.denial = reason;
    return false;
  }
}
