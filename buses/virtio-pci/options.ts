// What a scenario may say of virtio-pci, and of other transports whose devices are PCI functions.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { checkPcie, pcieOptions } from '../../platform/pcie/index.ts';
import { oneOfNames } from '../../platform/scenario/fields.ts';
import { checkSlotOptions, slotOptions } from '../common/index.ts';

/** Option fields of transports with a function for each device; spread them into the schema. */
export const functionOptions = {
  ...pcieOptions,
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
  ...slotOptions,
};
const shape = z.strictObject(functionOptions);
export type FunctionOptions = z.output<typeof shape>;

export const virtioPciOptions = z.strictObject({
  interrupts: oneOfNames(['msix', 'intx'])
    .default('msix')
    .describe('MSI-X, with a vector for each queue and one for the configuration, or INTx.'),
  notifConfigData: z
    .boolean()
    .default(false)
    .describe('Offer NOTIF_CONFIG_DATA: the device says what notifications call a queue.'),
  ...functionOptions,
});

export type VirtioPciOptions = z.output<typeof virtioPciOptions>;

/** A bus's plan with its options. */
export type FunctionPlan<Options extends FunctionOptions> = WithOptions<BusPlan, Options>;

/** Looks at what the schema alone cannot check. */
export function checkFunctionOptions(plan: BusPlan, topology: Topology): readonly Finding[] {
  const { emulated, mapping, ...rest } = plan.options as FunctionOptions;
  const { name, kind } = topology.nodes[plan.driver];
  const findings = [...checkPcie(plan, topology), ...checkSlotOptions(rest)];
  if (emulated && mapping === 'perRequest') {
    const message = 'a device model in the host has no IOMMU before it';
    findings.push({ field: 'mapping', message, expected: 'static' });
  }
  if (!emulated || kind === 'vm') return findings;
  const message = `the driver's node '${name}' is a ${kind}, whose accesses don't trap`;
  return [...findings, { field: 'driver', message, expected: 'a vm' }];
}
