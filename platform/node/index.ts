export { ANY_CORE, type CpuClient, CpuSet, Priority } from './cpu.ts';
export { InterruptLine, interruptTotals } from './interrupt-line.ts';
export * as labels from './labels.ts';
export { copyBytes, Memory, PAGE_SIZE, RAM_BASE } from './memory.ts';
export { Milestone, MilestoneLog } from './milestones.ts';
export { Node, type NodeOptions, type NodeTiming } from './node.ts';
export { type RestartClient, Restarts } from './restarts.ts';
export {
  VIOLATIONS_DESCRIBED_MAX,
  type Violation,
  type ViolationCode,
  ViolationLog,
} from './violation-log.ts';
