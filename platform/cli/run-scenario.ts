// The library's main entry: from a scenario to its report in one call. The command line uses it too.
import { UsageError } from '../errors.ts';
import {
  type AnatomyRecord,
  explainParallel,
  type ProgressListener,
  runTopology,
  type TraceStore,
} from '../hosts/index.ts';
import type { EngineName } from '../machine/index.ts';
import { type Anatomy, AnatomyReader } from '../observe/anatomy/index.ts';
import { buildReport, expectationsHold, type Report } from '../observe/report/index.ts';
import { MessageTrace, type TracedMessage } from '../observe/trace/index.ts';
import {
  type LoadedScenario,
  loadScenario as loadScenarioFile,
  parseScenario,
} from '../scenario/index.ts';
import { constantTable } from '../timing/index.ts';
import { tables } from './tables.ts';
import { traceScope } from './trace-scope.ts';

/** Ways to run statecharts. */
export const ENGINES: readonly EngineName[] = ['compiled', 'xstate'];

/** A scenario as text. */
export interface ScenarioSource {
  readonly text: string;
  /** Name to show in errors. Default `scenario.yaml`. */
  readonly file?: string;
  /** Folder that relative paths in it start from. Default: the current one. */
  readonly folder?: string;
}

/** How to run a scenario. */
export interface RunScenarioOptions {
  /** Overrides the scenario's seed. */
  readonly seed?: number;
  /** Worker threads: 0 runs on the calling thread, `auto` picks what pays. Default `auto`. */
  readonly workers?: number | 'auto';
  /** Default `compiled`. */
  readonly engine?: EngineName;
  /** Record why each event happened, for `anatomy` of the result; costs memory. Default false. */
  readonly anatomy?: boolean;
  /**
   * Record the messages that cross buses, for `messages` of the result: all, or those of the buses and
   * devices of these names. Default false.
   */
  readonly trace?: boolean | readonly string[];
  /**
   * Opens an empty file, for reading and writing, for what one thread records, and returns its descriptor.
   * Files must stay open as long as `messages` is in use. Default: all is recorded in memory.
   */
  readonly traceStore?: TraceStore;
  /** Run on one worker thread first, so that `parallel` can tell what several bring. Default false. */
  readonly compare?: boolean;
  /** Told now and then how far the run is; what it is told is valid only during the call. */
  readonly onProgress?: ProgressListener;
}

/** What came of a run. */
export interface RunResult {
  readonly topology: LoadedScenario;
  readonly report: Report;
  /** True when all expectations hold. */
  readonly passed: boolean;
  /** Tells in words how the run was spread over threads, and what limited it. */
  readonly parallel: string;
  /**
   * Takes one request of a device apart: the one of this number in the order of submission (from 1),
   * or the one of median latency. Throws UsageError when there is no such request, or when the run did
   * not record anatomy.
   */
  anatomy(device: string, request?: number): Anatomy;
  /**
   * The messages that crossed buses, in simulated order, decoded as they are asked for. Throws UsageError
   * when the run did not record them.
   */
  messages(): Iterable<TracedMessage>;
}

/** Loads a scenario from a file, named by its path, or from text. Throws ScenarioError. */
export function loadScenario(source: string | ScenarioSource): LoadedScenario {
  if (typeof source === 'string') return loadScenarioFile(source, tables);
  const { text, file = 'scenario.yaml', folder = '.' } = source;
  return parseScenario({ text, file, folder }, tables);
}

/**
 * Runs a scenario that was loaded before. Rejects with UsageError for options that it cannot have,
 * and with RunError when the run cannot go on.
 */
export async function runLoaded(
  loaded: LoadedScenario,
  options: RunScenarioOptions = {},
): Promise<RunResult> {
  const {
    seed = loaded.seed,
    workers = 'auto',
    engine = 'compiled',
    anatomy = false,
    trace = false,
    traceStore,
    compare = false,
    onProgress,
  } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError('BAD_VALUE', `seed must be a whole number from 0, not ${seed}`);
  }
  if (!ENGINES.includes(engine)) {
    throw new UsageError('BAD_VALUE', `engine must be one of ${ENGINES.join(', ')}, not ${engine}`);
  }
  const topology = { ...loaded, seed };
  const outcome = await runTopology(topology, {
    tables,
    workers,
    engine,
    anatomy,
    trace: traceScope(topology, trace),
    compare,
    ...(traceStore === undefined ? {} : { traceStore }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const report = buildReport(topology, { ...outcome, engine });
  const records = outcome.groups.flatMap((group) => group.anatomy ?? []);
  const messages = outcome.groups.flatMap((group) => group.messages ?? []);
  return {
    topology,
    report,
    passed: expectationsHold(report),
    parallel: explainParallel(outcome),
    anatomy: reader(topology, records),
    messages: () => {
      if (trace === false) throw new UsageError('USAGE', 'the run did not record messages');
      return new MessageTrace({ topology, buses: tables.buses, records: messages });
    },
  };
}

function reader(topology: LoadedScenario, records: readonly AnatomyRecord[]): RunResult['anatomy'] {
  const docs = new Map(constantTable(tables).map(({ name, doc }) => [name, doc]));
  const anatomies = new AnatomyReader({ topology, records, docs });
  return (device, request) => {
    if (records.length === 0) throw new UsageError('USAGE', 'the run did not record anatomy');
    return anatomies.read(device, request);
  };
}

/**
 * Runs a scenario, given by the path of its file or as text. Rejects with ScenarioError when it cannot
 * be accepted and with RunError when the run cannot go on.
 */
export async function runScenario(
  source: string | ScenarioSource,
  options: RunScenarioOptions = {},
): Promise<RunResult> {
  return runLoaded(loadScenario(source), options);
}
