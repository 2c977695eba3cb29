// Whether a file that the user names can be read, found out before anything depends on it.
import { accessSync, constants, statSync } from 'node:fs';

/** What is wrong with a file, or null when it can be read. */
export type FileFault = 'missing' | 'notFile' | 'unreadable' | null;

/** Looks at a file without reading it. */
export function faultOfFile(path: string): FileFault {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'missing';
  if (!found.isFile()) return 'notFile';
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch {
    return 'unreadable';
  }
}
