// Timing constants of virtio-ccw: what exits and channel programs cost.
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import type { Costs } from '../../platform/timing/index.ts';

export const ccwTiming = [
  {
    name: 'ccw.instruction',
    dimension: 'time',
    doc: 'Issuing an I/O instruction, the exit apart.',
  },
  {
    name: 'ccw.exit',
    dimension: 'time',
    doc: 'One way from the guest through the hypervisor to the device model, or back.',
  },
  { name: 'ccw.emulate', dimension: 'time', doc: 'The device model serves one instruction.' },
  {
    name: 'ccw.command',
    dimension: 'time',
    doc: 'The device model does one channel command, fetching it and its data apart.',
  },
  {
    name: 'ccw.kernelExit',
    dimension: 'time',
    doc: 'A DIAGNOSE that the hypervisor serves by itself, there and back: ioeventfd.',
  },
  { name: 'ccw.wake', dimension: 'time', doc: 'From an eventfd to a running thread.' },
  { name: 'ccw.inject', dimension: 'time', doc: 'From the device model to a pending interrupt.' },
] as const satisfies readonly TimingDefinition[];

export interface CcwTiming {
  readonly instruction: number;
  readonly exit: number;
  readonly emulate: number;
  readonly command: number;
  readonly kernelExit: number;
  readonly wake: number;
  readonly inject: number;
}

/** Ids of the constants. */
export function ccwTimingIds(costs: Costs): CcwTiming {
  return {
    instruction: costs.idOf('ccw.instruction'),
    exit: costs.idOf('ccw.exit'),
    emulate: costs.idOf('ccw.emulate'),
    command: costs.idOf('ccw.command'),
    kernelExit: costs.idOf('ccw.kernelExit'),
    wake: costs.idOf('ccw.wake'),
    inject: costs.idOf('ccw.inject'),
  };
}
