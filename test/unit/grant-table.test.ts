// Xen's grant table: its entries as bytes, and who may do what with a page that was granted.
import { describe, expect, it } from 'vitest';
import {
  FIRST_GRANT,
  GRANTS_PER_FRAME,
  GrantTable,
  grantDenials,
} from '../../platform/memory/index.ts';
import { Memory, RAM_BASE } from '../../platform/node/index.ts';
import { toHex } from '../../platform/wire/index.ts';

const DOMAIN = 3;
const PAGE = 4096;

function table(frames = 1) {
  const memory = new Memory(8 * 2 ** 20);
  const grants = new GrantTable(memory, frames);
  const page = memory.allocate(4 * PAGE, PAGE);
  const entry = (reference: number) => {
    const bytes = new Uint8Array(8);
    memory.copyOut(grants.address + reference * 8, bytes, 0, 8);
    return toHex(bytes);
  };
  return { memory, grants, page, entry };
}

describe('entries', () => {
  it('are 8 bytes, 512 in a page, and the first 8 are reserved', () => {
    const { grants, page } = table();
    expect(GRANTS_PER_FRAME).toBe(512);
    expect(grants.grant(DOMAIN, page, 1, true)).toBe(FIRST_GRANT);
    expect(grants.address % PAGE).toBe(0);
  });

  it('have flags, domain and frame, little-endian', () => {
    const { grants, page, entry } = table();
    const first = grants.grant(DOMAIN, page, 2, true);
    const frame = (at: number) => toHex(new Uint8Array(new Uint32Array([at / PAGE]).buffer));
    expect(entry(first)).toBe(`01000300${frame(page)}`);
    expect(entry(first + 1)).toBe(`01000300${frame(page + PAGE)}`);
    // GTF_readonly is bit 2; while mapped, GTF_reading is bit 3 and GTF_writing bit 4.
    const readOnly = grants.grant(DOMAIN, page + 2 * PAGE, 1, false);
    expect(entry(readOnly).slice(0, 4)).toBe('0500');
    grants.map(first, DOMAIN, true);
    grants.map(readOnly, DOMAIN, false);
    expect([entry(first).slice(0, 4), entry(readOnly).slice(0, 4)]).toEqual(['1900', '0d00']);
    grants.unmap(first, DOMAIN);
    expect(entry(first).slice(0, 4)).toBe('0100');
    expect(grants.revoke(first)).toBe(true);
    expect(entry(first).slice(0, 4)).toBe('0000');
  });

  it('are used again, in a row or not at all', () => {
    const { grants, page } = table();
    const room = GRANTS_PER_FRAME - FIRST_GRANT;
    for (let i = 0; i < room; i++)
      expect(grants.grant(DOMAIN, page, 1, true)).toBe(FIRST_GRANT + i);
    expect([grants.grant(DOMAIN, page, 1, true), grants.used]).toEqual([-1, room]);
    grants.revoke(20);
    grants.revoke(22);
    expect(grants.grant(DOMAIN, page, 2, true)).toBe(-1);
    grants.revoke(21);
    expect(grants.grant(DOMAIN, page, 3, true)).toBe(20);
  });

  it('of several frames follow one another', () => {
    const { grants, page } = table(2);
    for (let i = FIRST_GRANT; i < 2 * GRANTS_PER_FRAME; i++) grants.grant(DOMAIN, page, 1, true);
    expect(grants.used).toBe(2 * GRANTS_PER_FRAME - FIRST_GRANT);
    expect(grants.grant(DOMAIN, page, 1, true)).toBe(-1);
  });
});

describe('access', () => {
  const read = (grants: GrantTable, reference: number, domain = DOMAIN) =>
    grants.translate(reference, domain, 100, 8, false, false);

  it('is refused before the page is mapped, and after', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, true);
    expect([read(grants, reference), grants.denial]).toEqual([-1, 'the grant is not mapped']);
    expect(grants.map(reference, DOMAIN, true)).toBe(true);
    expect(read(grants, reference)).toBe(page + 100);
    expect(grants.unmap(reference, DOMAIN)).toBe(true);
    expect([read(grants, reference), grants.denial]).toEqual([-1, 'the grant is not mapped']);
    expect([grants.unmap(reference, DOMAIN), grants.denial]).toEqual([
      false,
      'the grant is not mapped',
    ]);
  });

  it('is for the domain that was granted it', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, true);
    expect([grants.map(reference, 4, true), grants.denial]).toEqual([
      false,
      'granted to another domain',
    ]);
    grants.map(reference, DOMAIN, true);
    expect([read(grants, reference, 4), grants.denial]).toEqual([-1, 'granted to another domain']);
  });

  it('needs a grant at all', () => {
    const { grants } = table();
    const { status: general } = grantDenials['no such grant'];
    const denied = [
      [0, 'no such grant', general],
      [FIRST_GRANT, 'no such grant', general],
      [GRANTS_PER_FRAME, 'beyond the grant table', -3],
      [2 ** 31, 'beyond the grant table', -3],
    ] as const;
    for (const [reference, denial, status] of denied) {
      expect([grants.map(reference, DOMAIN, false), grants.denial]).toEqual([false, denial]);
      expect([read(grants, reference), grants.denial, grants.status]).toEqual([-1, denial, status]);
    }
    expect([grants.revoke(FIRST_GRANT), grants.denial]).toEqual([false, 'no such grant']);
  });

  it('to a page granted for reading may not write', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, false);
    expect([grants.map(reference, DOMAIN, true), grants.denial]).toEqual([
      false,
      'granted for reading only',
    ]);
    grants.map(reference, DOMAIN, false);
    expect(read(grants, reference)).toBe(page + 100);
    expect(grants.translate(reference, DOMAIN, 0, 4, true, false)).toBe(-1);
  });

  it('stays within its page', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 2, true);
    grants.map(reference, DOMAIN, true);
    expect(grants.translate(reference, DOMAIN, PAGE - 8, 8, true, false)).toBe(page + PAGE - 8);
    expect(grants.translate(reference, DOMAIN, PAGE - 8, 9, true, false)).toBe(-1);
    expect(grants.denial).toBe('the access is outside the page');
  });

  it('by copying needs no mapping, but a grant', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, true);
    expect(grants.translate(reference, DOMAIN, 8, 8, true, true)).toBe(page + 8);
    grants.revoke(reference);
    expect(grants.translate(reference, DOMAIN, 8, 8, true, true)).toBe(-1);
  });
});

describe('revocation', () => {
  it('waits for the last of several mappings', () => {
    const { grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, true);
    grants.map(reference, DOMAIN, true);
    grants.map(reference, DOMAIN, false);
    for (let left = 2; left > 0; left--) {
      expect([grants.revoke(reference), grants.denial]).toEqual([
        false,
        'the grant is still mapped',
      ]);
      expect(grants.isMapped(reference)).toBe(true);
      grants.unmap(reference, DOMAIN);
    }
    expect(grants.isMapped(reference)).toBe(false);
    expect(grants.revoke(reference)).toBe(true);
    expect(grants.translate(reference, DOMAIN, 0, 8, false, true)).toBe(-1);
  });

  it('keeps the table where the domain can see it', () => {
    const { memory, grants, page } = table();
    const reference = grants.grant(DOMAIN, page, 1, true);
    // A domain may scribble over its own table: it only harms itself.
    memory.fill(grants.address, PAGE, 0);
    expect(grants.translate(reference, DOMAIN, 0, 8, false, true)).toBe(-1);
    expect(page).toBeGreaterThan(RAM_BASE);
  });
});
