// What a scenario may not say of a disk, beyond what the schema of its options can tell.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { Backing } from '../../platform/memory/index.ts';
import { parseScenario, ScenarioError } from '../../platform/scenario/index.ts';

const LOCKED = 'locked.img';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blk-'));
  for (const name of ['disk.img', LOCKED]) writeFileSync(join(folder, name), new Uint8Array(4096));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The problems of a scenario with these disks, as `line:column message`. */
function problemsOf(...disks: readonly string[]): string[] {
  const text = [
    'name: test',
    'nodes: { linux: { kind: vm }, storage: { kind: partition } }',
    'buses: { ffa0: { type: ffa, driver: linux, device: storage } }',
    'devices:',
    ...disks.map((disk, i) => `  disk${i}: { type: blk, bus: ffa0, number: ${i}, ${disk} }`),
  ].join('\n');
  try {
    parseScenario({ text, file: 'disks.yaml', folder }, tables);
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

test('a queue has any size with packed rings, and a power of two with split ones', () => {
  const sizes = [1, 2, 3, 100, 256, 32767, 32768];
  const refused = (ring: string) =>
    sizes.filter((entries) => problemsOf(`queueSize: ${entries}, ring: ${ring}`).length > 0);
  expect(refused('packed')).toEqual([]);
  expect(refused('split')).toEqual([3, 100, 32767]);
  expect(problemsOf('queueSize: 100')).toEqual(['5:56 the size of a split ring is a power of two']);
  expect(problemsOf('queueSize: 32769, ring: packed')).toHaveLength(1);
});

describe('writeBack is refused', () => {
  test('where the image may not be written', () => {
    // No file is locked to root, as whom tests run in containers.
    const rights = vi.spyOn(Backing, 'canWriteBack');
    rights.mockImplementation((path) => !path.endsWith(LOCKED));
    expect(problemsOf(`image: ${LOCKED}, writeBack: true`)).toEqual([
      "5:75 'locked.img' may not be written",
    ]);
    expect(problemsOf(`image: ${LOCKED}`)).toEqual([]);
    rights.mockRestore();
  });

  test('where there is no image', () => {
    expect(problemsOf('writeBack: true')).toEqual(['5:56 there is no image to write to']);
  });

  test('where another disk writes the same image', () => {
    const disk = 'image: disk.img, writeBack: true';
    expect(problemsOf(disk, disk)).toEqual(["6:73 'disk.img' is already written back by 'disk0'"]);
    expect(problemsOf(disk, 'image: disk.img')).toEqual([]);
  });
});

test.skipIf(process.getuid?.() === 0)('a file without permission cannot be written', () => {
  const path = join(folder, 'disk.img');
  expect(Backing.canWriteBack(path)).toBe(true);
  chmodSync(path, 0o444);
  expect(Backing.canWriteBack(path)).toBe(false);
});
