// What a scenario may say of a virtio-msg PCI bus.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { checkPcie, INTERRUPT_KINDS, pcieOptions } from '../../platform/pcie/index.ts';
import { count, oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import {
  checkMessageSize,
  checkSlotOptions,
  dataPath,
  deviceNumbers,
  discovery,
  pingInterval,
  SPSC_SLOT_SIZE,
  slotOptions,
} from '../common/index.ts';
import { FIFOS_MAX } from './registers.ts';

/** Defects that implementations have had (reference B3). */
const QUIRKS = ['oneMessage', 'shortMessages', 'shortPing', 'sharedLooks'] as const;
const LOAD_WIDTHS = [4, 8, 16, 32, 64] as const;

export const pciOptions = z.strictObject({
  ...pcieOptions,
  fifos: count({ min: 1, max: FIFOS_MAX })
    .default(1)
    .describe('FIFOs; a device uses the one of its number modulo their count.'),
  fifoPlace: oneOfNames(['bar', 'host'])
    .default('bar')
    .describe(
      "Where FIFOs lie: in the card's BAR 1, or in host memory, which the card reads by DMA.",
    ),
  fifoLayout: oneOfNames(['spsc', 'selfDescribing'])
    .default('spsc')
    .describe('Layout of a FIFO: two SPSC queues (G1), or the self-describing one (G2).'),
  interrupts: oneOfNames([...INTERRUPT_KINDS, 'polling'])
    .default('msix')
    .describe('How the driver hears of messages: MSI-X, MSI, INTx, or a timer.'),
  pollInterval: time({ min: 1 })
    .optional()
    .describe('Time between two polls with interrupts: polling. Default: pci.pollInterval.'),
  loadWidth: z
    .literal(LOAD_WIDTHS)
    .default(8)
    .describe('Bytes that a core of the host reads from a BAR at a time.'),
  handshakeInterval: time({ min: 1 })
    .optional()
    .describe(
      'Time between two looks at the peer while a self-describing FIFO is set up. Default: ' +
        'pci.driverHandshake and pci.deviceHandshake.',
    ),
  functionReset: z
    .boolean()
    .default(false)
    .describe('The driver resets the function before it uses it.'),
  ...slotOptions,
  quirks: z
    .array(z.enum(QUIRKS))
    .default([])
    .describe(
      'Known defects to have. oneMessage: the card takes one message for each interrupt, and leaves the ' +
        'others until the next one (QEMU, G2). shortMessages: of the messages of the driver only the ' +
        'first eight bytes are sent (Linux, G2). shortPing: the card answers PING with the lower half of ' +
        'its data (Linux). sharedLooks: in the handshake the FIFOs of the card count their looks at the ' +
        'peer together (QEMU, G2).',
    ),
  maxMessageSize: size({ min: 8, max: SPSC_SLOT_SIZE })
    .prefault('64B')
    .describe('Largest message: a slot has 64 B, of which the code of 2025 uses 48 B.'),
  discovery: discovery('messages'),
  deviceNumbers: deviceNumbers(),
  data: dataPath(),
  pingInterval: pingInterval(),
});

export type PciOptions = z.output<typeof pciOptions>;

/** A bus's plan with its options. */
export type PciPlan = WithOptions<BusPlan, PciOptions>;

/** Messages in band pass no IOMMU. */
function checkMapping({ data, mapping }: PciOptions): readonly Finding[] {
  if (data !== 'inBand' || mapping === 'static') return [];
  const message = 'data in band are not mapped at all';
  return [{ field: 'mapping', message, expected: 'static, or shared data' }];
}

/** Looks at what the schema alone cannot check. */
export function checkPci(plan: BusPlan, topology: Topology): readonly Finding[] {
  return [
    ...checkPcie(plan, topology),
    ...checkMessageSize(plan),
    ...checkSlotOptions(plan.options as PciOptions),
    ...checkMapping(plan.options as PciOptions),
  ];
}
