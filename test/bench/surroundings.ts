// Where numbers come from: the machine, the versions and the commit that they were measured on.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

export interface Surroundings {
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
  };
  readonly versions: Readonly<Record<string, string>>;
  /** Abbreviated; ends with `+` when files differ from it. */
  readonly commit: string;
}

/** Asks the machine, Node, the installed packages and git. */
export function surroundings(): Surroundings {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
    },
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      busbar: versionOf('package.json'),
      tinybench: versionOf('node_modules/tinybench/package.json'),
      xstate: versionOf('node_modules/xstate/package.json'),
    },
    commit: commit(),
  };
}

/** In one line, for people. */
export function described({ date, machine, versions, commit }: Surroundings): string {
  const { cpu, cores, memoryGiB, system } = machine;
  return `${date}, ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${versions['node']}, commit ${commit}`;
}

/** Run from the folder of package.json, as npm scripts are. */
function versionOf(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function commit(): string {
  try {
    const git = (...parameters: string[]) =>
      execFileSync('git', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return git('rev-parse', '--short', 'HEAD').trim() + (changed ? '+' : '');
  } catch {
    return 'none';
  }
}
