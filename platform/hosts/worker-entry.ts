// What a worker thread loads: joins the real tables with the code that runs a group.
import { tables } from '../cli/tables.ts';
import type { GroupTask } from './group-runner.ts';
import { type GroupResult, runGroupTask } from './worker-task.ts';

export default function run(task: GroupTask): GroupResult {
  return runGroupTask(task, tables);
}
