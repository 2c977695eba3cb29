// Timing constants of virtio-mmio: what trap and emulate costs.
import type { TimingDefinition } from '../../platform/contracts/index.ts';
import type { Costs } from '../../platform/timing/index.ts';

export const mmioTiming = [
  { name: 'mmio.access', dimension: 'time', doc: 'Issuing a load or store, the trap apart.' },
  {
    name: 'mmio.exit',
    dimension: 'time',
    doc: 'One way from the guest through the hypervisor to the device model, or back.',
  },
  { name: 'mmio.emulate', dimension: 'time', doc: 'The device model serves one register access.' },
  {
    name: 'mmio.kernelExit',
    dimension: 'time',
    doc: 'An access that the hypervisor serves by itself, there and back: ioeventfd.',
  },
  { name: 'mmio.wake', dimension: 'time', doc: 'From an eventfd to a running thread.' },
  { name: 'mmio.inject', dimension: 'time', doc: 'From irqfd to a pending virtual interrupt.' },
] as const satisfies readonly TimingDefinition[];

export interface MmioTiming {
  readonly access: number;
  readonly exit: number;
  readonly emulate: number;
  readonly kernelExit: number;
  readonly wake: number;
  readonly inject: number;
}

/** Ids of the constants. */
export function mmioTimingIds(costs: Costs): MmioTiming {
  return {
    access: costs.idOf('mmio.access'),
    exit: costs.idOf('mmio.exit'),
    emulate: costs.idOf('mmio.emulate'),
    kernelExit: costs.idOf('mmio.kernelExit'),
    wake: costs.idOf('mmio.wake'),
    inject: costs.idOf('mmio.inject'),
  };
}
