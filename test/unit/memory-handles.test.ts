// FF-A memory handles: share, lend, donate, retrieve, relinquish, reclaim, and every way in which one is denied.
import { describe, expect, it } from 'vitest';
import { MemoryHandles, type SharingMode } from '../../platform/memory/index.ts';
import { Memory, PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';

const BORROWER = 1;
const STRANGER = 2;

function shared(writable = true) {
  const handles = new MemoryHandles();
  const handle = handles.share(RAM_BASE, 2, BORROWER, writable);
  return { handles, handle };
}

/** Memory of which two pages are given away in some way. */
function given(mode: SharingMode) {
  const memory = new Memory(16 * PAGE_SIZE);
  const refused: string[] = [];
  memory.refused = ({ write, length, reason }) =>
    refused.push(`${write ? 'write' : 'read'} ${length}: ${reason}`);
  const handles = new MemoryHandles({ memory, borrower: 'the borrower' });
  memory.writeU32(RAM_BASE, 0x1234);
  const request = { address: RAM_BASE, pages: 2, borrower: BORROWER, writable: true, mode };
  const handle = handles.send(request);
  return { memory, refused, handles, handle, request };
}

describe('memory that is lent', () => {
  it('is out of the reach of its owner from then on until it is reclaimed', () => {
    const { memory, refused, handles, handle } = given('lend');
    expect(memory.readU32(RAM_BASE)).toBe(0);
    memory.writeU8(RAM_BASE + 2 * PAGE_SIZE - 1, 9);
    const reason = 'lent to the borrower under handle 1 (Owner-NA: no read, no write)';
    expect(refused).toEqual([`read 4: ${reason}`, `write 1: ${reason}`]);
    handles.retrieve(handle, BORROWER, 'lend');
    expect(handles.translate(handle, BORROWER, 0, 4, true)).toBe(RAM_BASE);
    expect(handles.reclaim(handle)).toBe(false);
    handles.relinquish(handle, BORROWER);
    expect(handles.reclaim(handle)).toBe(true);
    expect(memory.readU32(RAM_BASE)).toBe(0x1234);
    expect(memory.readU8(RAM_BASE + 2 * PAGE_SIZE - 1)).toBe(0);
    expect(refused.length).toBe(2);
  });

  it('leaves its neighbours alone, but not an access that begins before it', () => {
    const { memory, refused } = given('lend');
    memory.writeU32(RAM_BASE + 2 * PAGE_SIZE, 1);
    expect(refused).toEqual([]);
    const { memory: other, refused: log } = given('lend');
    other.copyOut(RAM_BASE + PAGE_SIZE, new Uint8Array(2 * PAGE_SIZE), 0, 2 * PAGE_SIZE);
    expect(log.length).toBe(1);
  });

  it('is reached by whoever serves the borrower', () => {
    const { memory, refused } = given('lend');
    const bytes = new Uint8Array(4);
    memory.copyIn(RAM_BASE + 8, Uint8Array.of(5), 0, 1, false);
    memory.copyOut(RAM_BASE, bytes, 0, 4, false);
    expect([bytes[0], refused]).toEqual([0x34, []]);
  });
});

describe('memory that is donated', () => {
  it('never comes back once it was retrieved', () => {
    const { memory, refused, handles, handle } = given('donate');
    handles.retrieve(handle, BORROWER, 'donate');
    expect(handles.relinquish(handle, BORROWER)).toBe(false);
    expect(handles.reclaim(handle)).toBe(false);
    expect(handles.denial).toBe('the memory was donated');
    memory.readU8(RAM_BASE);
    const reason = 'donated to the borrower under handle 1 (!Owner-NA: no read, no write)';
    expect(refused).toEqual([`read 1: ${reason}`]);
    expect(handles.translate(handle, BORROWER, 0, 4, true)).toBe(RAM_BASE);
  });

  it('is reclaimed as long as nobody has retrieved it', () => {
    const { memory, handles, handle } = given('donate');
    expect(handles.reclaim(handle)).toBe(true);
    expect(memory.readU32(RAM_BASE)).toBe(0x1234);
  });
});

describe('memory that others have', () => {
  it.each([
    ['share', 'share', true],
    ['share', 'lend', false],
    ['share', 'donate', false],
    ['lend', 'share', false],
    ['lend', 'lend', false],
    ['donate', 'share', false],
  ] as const)('by %s can be given by %s: %s', (first, second, possible) => {
    const { handles, request } = given(first);
    const again = handles.send({ ...request, address: RAM_BASE + PAGE_SIZE, mode: second });
    expect(again > 0).toBe(possible);
    if (!possible) expect(handles.denial).toBe('the owner has no exclusive access');
    expect(
      handles.send({ ...request, address: RAM_BASE + 2 * PAGE_SIZE, mode: second }),
    ).toBeGreaterThan(0);
  });

  it('is retrieved in the way that it was given', () => {
    const { handles, handle } = given('lend');
    expect(handles.retrieve(handle, BORROWER)).toBe(-1);
    expect(handles.denial).toBe('the handle is for another kind of sharing');
    expect(handles.retrieve(handle, BORROWER, 'lend')).toBe(2);
  });
});

describe('a shared handle', () => {
  it('is retrieved by its borrower, who learns its pages and reaches them', () => {
    const { handles, handle } = shared();
    expect(handles.retrieve(handle, BORROWER)).toBe(2);
    expect(handles.translate(handle, BORROWER, 5, 100, true)).toBe(RAM_BASE + 5);
    expect(handles.translate(handle, BORROWER, 2 * PAGE_SIZE - 1, 1, false)).toBe(
      RAM_BASE + 2 * PAGE_SIZE - 1,
    );
  });

  it('is reclaimed only after it was relinquished', () => {
    const { handles, handle } = shared();
    handles.retrieve(handle, BORROWER);
    expect(handles.reclaim(handle)).toBe(false);
    expect(handles.denial).toBe('a borrower still has it retrieved');
    expect(handles.relinquish(handle, BORROWER)).toBe(true);
    expect(handles.reclaim(handle)).toBe(true);
    expect(handles.retrieve(handle, BORROWER)).toBe(-1);
    expect(handles.denial).toBe('no such handle');
  });

  it('can be retrieved again after it was relinquished', () => {
    const { handles, handle } = shared();
    handles.retrieve(handle, BORROWER);
    handles.relinquish(handle, BORROWER);
    expect(handles.translate(handle, BORROWER, 0, 1, false)).toBe(-1);
    expect(handles.denial).toBe('the memory was not retrieved');
    expect(handles.retrieve(handle, BORROWER)).toBe(2);
    expect(handles.translate(handle, BORROWER, 0, 1, false)).toBe(RAM_BASE);
  });

  it('has a number of its own, never used again', () => {
    const { handles, handle } = shared();
    handles.reclaim(handle);
    expect(handles.share(RAM_BASE, 2, BORROWER, true)).not.toBe(handle);
  });
});

describe('denied', () => {
  it('is an access before the retrieval', () => {
    const { handles, handle } = shared();
    expect(handles.translate(handle, BORROWER, 0, 1, false)).toBe(-1);
    expect(handles.denial).toBe('the memory was not retrieved');
  });

  it('is an access that leaves the pages by one byte', () => {
    const { handles, handle } = shared();
    handles.retrieve(handle, BORROWER);
    expect(handles.translate(handle, BORROWER, 2 * PAGE_SIZE - 1, 2, false)).toBe(-1);
    expect(handles.denial).toBe('the access is outside the shared pages');
  });

  it('is a write to memory that was shared for reading', () => {
    const { handles, handle } = shared(false);
    handles.retrieve(handle, BORROWER);
    expect(handles.translate(handle, BORROWER, 0, 1, false)).toBe(RAM_BASE);
    expect(handles.translate(handle, BORROWER, 0, 1, true)).toBe(-1);
    expect(handles.denial).toBe('the memory is shared read-only');
  });

  it('is everything to a node that it was not shared with', () => {
    const { handles, handle } = shared();
    const text = 'the handle is not shared with this node';
    expect([handles.retrieve(handle, STRANGER), handles.denial]).toEqual([-1, text]);
    handles.retrieve(handle, BORROWER);
    expect([handles.relinquish(handle, STRANGER), handles.denial]).toEqual([false, text]);
    expect([handles.translate(handle, STRANGER, 0, 1, false), handles.denial]).toEqual([-1, text]);
  });

  it('is giving back what was not retrieved, and a handle that never was', () => {
    const { handles, handle } = shared();
    expect([handles.relinquish(handle, BORROWER), handles.denial]).toEqual([
      false,
      'the memory was not retrieved',
    ]);
    expect([handles.reclaim(99), handles.denial]).toEqual([false, 'no such handle']);
    expect([handles.retrieve(99, BORROWER), handles.denial]).toEqual([-1, 'no such handle']);
  });
});
