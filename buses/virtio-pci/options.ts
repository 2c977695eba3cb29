// What a scenario may say of virtio-pci.
import { z } from 'zod';
import type { BusPlan, Finding, WithOptions } from '../../platform/contracts/index.ts';
import { checkPcieOptions, pcieOptions } from '../../platform/pcie/index.ts';
import { oneOfNames } from '../../platform/scenario/fields.ts';

export const virtioPciOptions = z.strictObject({
  ...pcieOptions,
  interrupts: oneOfNames(['msix', 'intx'])
    .default('msix')
    .describe('MSI-X, with a vector for each queue and one for the configuration, or INTx.'),
  functionReset: z
    .boolean()
    .default(false)
    .describe('The driver resets each function before it uses it.'),
});

export type VirtioPciOptions = z.output<typeof virtioPciOptions>;

/** A bus's plan with its options. */
export type VirtioPciPlan = WithOptions<BusPlan, VirtioPciOptions>;

/** Looks at what the schema alone cannot check. */
export function checkVirtioPci({ options }: BusPlan): readonly Finding[] {
  return checkPcieOptions(options);
}
