// FF-A memory handles: share, retrieve, relinquish, reclaim, and every way in which one is denied.
import { describe, expect, it } from 'vitest';
import { MemoryHandles } from '../../platform/memory/index.ts';
import { PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';

const BORROWER = 1;
const STRANGER = 2;

function shared(writable = true) {
  const handles = new MemoryHandles();
  const handle = handles.share(RAM_BASE, 2, BORROWER, writable);
  return { handles, handle };
}

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
