// What a scenario may say of virtio-pci.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { checkPcieOptions, pcieOptions } from '../../platform/pcie/index.ts';
import { oneOfNames } from '../../platform/scenario/fields.ts';

export const virtioPciOptions = z.strictObject({
  ...pcieOptions,
  interrupts: oneOfNames(['msix', 'intx'])
    .default('msix')
    .describe('MSI-X, with a vector for each queue and one for the configuration, or INTx.'),
  emulated: z
    .boolean()
    .default(false)
    .describe(
      'A device model in the host makes the functions believe for a VM: accesses trap, and there are ' +
        'neither links nor an IOMMU.',
    ),
  functionReset: z
    .boolean()
    .default(false)
    .describe('The driver resets each function before it uses it.'),
});

export type VirtioPciOptions = z.output<typeof virtioPciOptions>;

/** A bus's plan with its options. */
export type VirtioPciPlan = WithOptions<BusPlan, VirtioPciOptions>;

/** Looks at what the schema alone cannot check. */
export function checkVirtioPci(
  { driver, options }: BusPlan,
  { nodes }: Topology,
): readonly Finding[] {
  const { emulated } = options as VirtioPciOptions;
  const { name, kind } = nodes[driver];
  const findings = checkPcieOptions(options);
  if (!emulated || kind === 'vm') return findings;
  const message = `the driver's node '${name}' is a ${kind}, whose accesses don't trap`;
  return [...findings, { field: 'driver', message, expected: 'a vm' }];
}
