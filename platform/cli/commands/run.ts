// `busbar run FILE…`: runs scenarios one after another and prints a report of each.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import type { EngineName } from '../../machine/index.ts';
import { anatomyText } from '../../observe/anatomy/index.ts';
import { reportText } from '../../observe/report/index.ts';
import { TRACE_FORMATS } from '../../observe/trace/index.ts';
import type { LoadedScenario } from '../../scenario/index.ts';
import { wrapLine } from '../../text/index.ts';
import { FailedRun } from '../failure.ts';
import { EXIT, type ExitCode, type Io, worse } from '../io.ts';
import { ProgressLine } from '../progress.ts';
import { ENGINES, type RunResult, runLoaded } from '../run-scenario.ts';
import { loadNamed } from '../shipped.ts';
import { parseTraceChoice, type TraceChoice, TraceFile } from '../trace-file.ts';
import { traceScope } from '../trace-scope.ts';

/** More worker threads than this are a slip of the keyboard. */
const WORKERS_MAX = 256;

interface RunFlags {
  readonly json?: true;
  readonly quiet?: true;
  readonly seed?: number;
  readonly workers: number | 'auto';
  readonly engine: EngineName;
  readonly anatomy?: AnatomyChoice;
  readonly explainParallel?: true;
  readonly trace?: TraceChoice;
  readonly traceOnly?: readonly string[];
}

/** The request to take apart: of median latency, or of this number. */
interface AnatomyChoice {
  readonly device: string;
  readonly request: number | undefined;
}

function wholeNumber(text: string, max: number, otherwise = ''): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new InvalidArgumentError(`It must be a whole number from 0 to ${max}${otherwise}.`);
}

function anatomyChoice(text: string): AnatomyChoice {
  const parts = /^([^:]+)(?::([1-9]\d*))?$/.exec(text);
  if (parts === null) {
    throw new InvalidArgumentError('It must be a device, or a device and a number: disk0:17.');
  }
  return { device: parts[1], request: parts[2] === undefined ? undefined : Number(parts[2]) };
}

/** Adds the command to the program. `done` is told its exit code. */
export function addRun(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command('run')
    .description('Run scenarios and report on each; exit code 0 when every expectation holds.')
    .argument('<file...>', 'scenario files, or names of shipped scenarios')
    .option('--json', 'print the report as JSON (an array for several files)')
    .option('--seed <n>', "use this seed instead of the scenario's", (text) =>
      wholeNumber(text, Number.MAX_SAFE_INTEGER),
    )
    .addOption(
      new Option('--workers <n>', 'worker threads; 0 runs all on one thread')
        .default('auto' as const)
        .argParser((text) =>
          text === 'auto' ? text : wholeNumber(text, WORKERS_MAX, ', or auto'),
        ),
    )
    .addOption(
      new Option('--engine <name>', 'how statecharts are run').choices(ENGINES).default('compiled'),
    )
    .option(
      '--anatomy <device[:n]>',
      'take one request apart: the one of median latency, or the nth submitted',
      anatomyChoice,
    )
    .option(
      '--explain-parallel',
      'run on one worker thread as well, and tell what several bring and what limits them',
    )
    .option(
      '--trace <[format:]file>',
      `write every message that crosses a bus there; formats: ${TRACE_FORMATS.join(', ')}`,
      parseTraceChoice,
    )
    .option(
      '--trace-only <names>',
      'with --trace: messages of these buses and devices only, e.g. disk0,ffa0',
      (text) => text.split(','),
    )
    .option('--quiet', 'print failed expectations and the last line only')
    .action(async (files: string[], flags: RunFlags) => {
      done(await run(files, flags, io));
    });
}

/** Where what a run tells goes. */
interface Outlets {
  readonly io: Io;
  readonly traceFile: TraceFile | null;
}

async function run(files: readonly string[], flags: RunFlags, io: Io): Promise<ExitCode> {
  // All are loaded first: a slip in the last one must not cost the time of those before it.
  const scenarios = files.map(loadNamed);
  const { anatomy: choice } = flags;
  if (choice !== undefined) for (const scenario of scenarios) checkDevice(scenario, choice.device);
  for (const { name, sweep } of scenarios) {
    if (Object.keys(sweep).length > 0)
      io.error(`note: ${name} has a sweep, which run leaves out\n`);
  }
  const traceFile = openTrace(scenarios, flags);
  try {
    return await runAll(scenarios, flags, { io, traceFile });
  } finally {
    traceFile?.close();
  }
}

async function runAll(
  scenarios: readonly LoadedScenario[],
  flags: RunFlags,
  { io, traceFile }: Outlets,
): Promise<ExitCode> {
  const { json, quiet, anatomy: choice } = flags;
  const documents: unknown[] = [];
  let code: ExitCode = EXIT.ok;
  for (const [position, scenario] of scenarios.entries()) {
    const result = await runOne(scenario, flags, { io, traceFile });
    traceFile?.write(result.topology, result.messages());
    code = worse(code, result.passed ? EXIT.ok : EXIT.failed);
    const anatomy = choice && result.anatomy(choice.device, choice.request);
    if (json) {
      const parallel = flags.explainParallel ? result.parallel.trimEnd().split('\n') : undefined;
      // Members that are undefined are left out of the text.
      documents.push({ ...result.report, anatomy, parallel });
      continue;
    }
    if (position > 0 && !quiet) io.out('\n');
    if (flags.explainParallel) io.out(`${wrapped(result.parallel, io.paint.columns)}\n`);
    if (anatomy !== undefined) io.out(`${anatomyText(anatomy, io.paint)}\n`);
    io.out(reportText(result.topology, result.report, io.paint, quiet));
  }
  if (json) {
    io.out(`${JSON.stringify(documents.length === 1 ? documents[0] : documents, null, 2)}\n`);
  }
  return code;
}

function wrapped(text: string, columns: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, columns))
    .join('\n');
}

function openTrace(
  scenarios: readonly LoadedScenario[],
  { trace, traceOnly }: RunFlags,
): TraceFile | null {
  if (trace === undefined) {
    if (traceOnly === undefined) return null;
    throw new UsageError('USAGE', '--trace-only goes with --trace FILE');
  }
  const [scenario, ...others] = scenarios;
  if (others.length > 0) {
    throw new UsageError('USAGE', `--trace takes one scenario, not ${scenarios.length}`);
  }
  traceScope(scenario, traceOnly ?? true);
  return new TraceFile(trace);
}

function checkDevice({ devices, name }: LoadedScenario, device: string): void {
  if (devices.some((candidate) => candidate.name === device)) return;
  const names = devices.map((candidate) => candidate.name).join(', ');
  const choice = names === '' ? 'there are none' : `choose one of ${names}`;
  throw new UsageError('UNKNOWN_NAME', `${name} has no device '${device}': ${choice}`);
}

async function runOne(
  scenario: LoadedScenario,
  flags: RunFlags,
  { io, traceFile }: Outlets,
): Promise<RunResult> {
  const { seed = scenario.seed, workers, engine, quiet } = flags;
  const line = io.watched && !quiet ? new ProgressLine(scenario.name) : null;
  let simulatedPs = 0;
  try {
    return await runLoaded(scenario, {
      seed,
      workers,
      engine,
      anatomy: flags.anatomy !== undefined,
      trace: flags.trace === undefined ? false : (flags.traceOnly ?? true),
      ...(traceFile === null ? {} : { traceStore: () => traceFile.store() }),
      compare: flags.explainParallel === true,
      onProgress: (progress) => {
        ({ simulatedPs } = progress);
        line?.update(progress);
      },
    });
  } catch (error) {
    throw new FailedRun(error, { scenario: scenario.file, seed, simulatedPs });
  } finally {
    line?.stop();
  }
}
