// What a scenario may say of the PCI Express path between a host and a card, for the schemas of buses
// on it; and what follows from it.
import { z } from 'zod';
import type { BusPlan, Finding, Topology } from '../contracts/index.ts';
import { count, oneOfNames, size } from '../scenario/fields.ts';
import { CREDIT_UNIT, type CreditLimits } from './credit.ts';
import { GENERATIONS, type Generation, LANES, type Lanes } from './generation.ts';
import { BUS_MAX, DEVICES_MAX } from './register-port.ts';

const PAYLOAD_MIN = 128;
const PAYLOAD_MAX = 4096;
/** Header credits of 8 bits, half of which may be out at a time (§2.6.1). */
const HEADERS_MAX = 127;
/** Tags of 10 bits, the most there is without the 14 bits of generation 6. */
const TAGS_MAX = 1024;

const payload = () => size({ min: PAYLOAD_MIN, max: PAYLOAD_MAX });

export const pcieOptions = {
  generation: z
    .literal(GENERATIONS)
    .default(4)
    .describe('Generation of the links, 1 (2.5 GT/s) to 6 (64 GT/s).'),
  lanes: z.literal(LANES).default(4).describe('Lanes of the links.'),
  maxPayload: payload()
    .prefault('256B')
    .describe('Most data in one packet, a power of two from 128 B to 4 KiB.'),
  maxReadRequest: payload()
    .prefault('512B')
    .describe('Most data that one read may ask for, a power of two from 128 B to 4 KiB.'),
  tags: count({ min: 1, max: TAGS_MAX })
    .default(32)
    .describe('Reads that the card may have outstanding.'),
  postedHeaders: count({ min: 1, max: HEADERS_MAX })
    .optional()
    .describe('Posted packets that each end has room for. Default: as many as come.'),
  postedData: size({ min: PAYLOAD_MIN })
    .optional()
    .describe(
      'Data of posted packets that each end has room for, in units of 16 B. Default: as much as comes.',
    ),
  requestHeaders: count({ min: 1, max: HEADERS_MAX })
    .optional()
    .describe('Requests to be answered that each end has room for. Default: as many as come.'),
  switches: count({ max: 8 }).default(0).describe('Switches between root port and card.'),
  sharedUplink: z
    .string()
    .min(1)
    .optional()
    .describe('Name of the link to the root port: buses of one host that name it alike share it.'),
  uplinkLanes: z
    .literal(LANES)
    .optional()
    .describe('Lanes of the link that is shared, the same for all. Default: as many as lanes.'),
  iommu: z
    .boolean()
    .default(true)
    .describe('The host has an IOMMU before its memory; without it a card reaches all of it.'),
  mapping: oneOfNames(['static', 'perRequest'])
    .default('static')
    .describe(
      "The IOMMU has a device's memory mapped all the time, or buffers for as long as requests have them.",
    ),
  iotlb: count({ min: 4, max: 4096 }).default(64).describe('Pages that the IOTLB holds.'),
};

const shape = z.strictObject(pcieOptions);
export type PcieOptions = z.output<typeof shape>;

/** The links between a host and a card, all alike. */
export interface PciePath {
  readonly generation: Generation;
  readonly lanes: Lanes;
  readonly maxPayload: number;
  readonly maxReadRequest: number;
  readonly tags: number;
  readonly credit: PathCredit;
  readonly switches: number;
  /** Name of the link that is shared, or null; and its lanes. */
  readonly uplink: string | null;
  readonly uplinkLanes: Lanes;
  /** Where the path is memory and no link: bytes of the lines that it moves; otherwise 0. */
  readonly line: number;
}

/** What each end has room for, by class of packet; null where there is always enough. */
export interface PathCredit {
  readonly posted: CreditLimits | null;
  readonly requests: CreditLimits | null;
}

/** The path that options describe. */
export function pathOf(options: PcieOptions): PciePath {
  const { sharedUplink = null, postedHeaders, postedData, requestHeaders } = options;
  const data = postedData === undefined ? Infinity : Math.floor(postedData / CREDIT_UNIT);
  const isBound = postedHeaders !== undefined || postedData !== undefined;
  const credit: PathCredit = {
    posted: isBound ? { headers: postedHeaders ?? Infinity, data } : null,
    requests: requestHeaders === undefined ? null : { headers: requestHeaders, data: Infinity },
  };
  const { uplinkLanes = options.lanes } = options;
  return { ...options, credit, uplink: sharedUplink, uplinkLanes, line: 0 };
}

/** Looks at what the schema alone cannot check. */
export function checkPcie(plan: BusPlan, topology: Topology): readonly Finding[] {
  return [...checkOptions(plan.options as PcieOptions), ...checkUplink(plan, topology)];
}

/** A switch has as many ports as there are device numbers on its bus, and there are 255 bus numbers. */
function checkUplink({ driver, options }: BusPlan, { buses }: Topology): readonly Finding[] {
  const { sharedUplink } = options as PcieOptions;
  if (sharedUplink === undefined) return [];
  const field = 'sharedUplink';
  const sharing = buses
    .filter((bus) => bus.driver === driver && bus.options[field] === sharedUplink)
    .map((bus) => bus.options as PcieOptions);
  if (sharing.length > DEVICES_MAX) {
    const message = `${sharing.length} cards share the link '${sharedUplink}'`;
    return [{ field, message, expected: `at most ${DEVICES_MAX}, a port of the switch for each` }];
  }
  const own = uplinkText(options as PcieOptions);
  const other = sharing.map(uplinkText).find((text) => text !== own);
  if (other !== undefined) {
    const message = `the link '${sharedUplink}' has ${own} here and ${other} elsewhere`;
    return [{ field, message, expected: 'one generation and uplinkLanes for all' }];
  }
  // Above and within the switch, two for each further one, and that of each slot.
  const numbers = sharing.reduce((sum, { switches }) => sum + 2 * switches - 1, 2);
  if (numbers <= BUS_MAX) return [];
  const message = `${numbers} bus numbers would be needed behind the link '${sharedUplink}'`;
  return [{ field, message, expected: `at most ${BUS_MAX}: fewer cards or switches` }];
}

function uplinkText({ generation, lanes, uplinkLanes = lanes }: PcieOptions): string {
  return `generation ${generation}, ${uplinkLanes} lanes`;
}

function checkOptions(options: PcieOptions): readonly Finding[] {
  const { maxPayload, postedData, sharedUplink, mapping, ...rest } = options;
  const sizes = { maxPayload, maxReadRequest: rest.maxReadRequest };
  const findings: Finding[] = Object.entries(sizes)
    .filter(([, bytes]) => (bytes & (bytes - 1)) !== 0)
    .map(([field, bytes]) => {
      return { field, message: `${bytes} bytes`, expected: 'a power of two' };
    });
  // A packet that exceeds all credit there is would wait for ever.
  if (postedData !== undefined && postedData < maxPayload) {
    const message = `a packet of ${maxPayload} bytes does not fit`;
    findings.push({ field: 'postedData', message, expected: `at least ${maxPayload}B` });
  }
  if (sharedUplink !== undefined && rest.switches === 0) {
    const message = 'there is no switch whose link could be shared';
    findings.push({ field: 'sharedUplink', message, expected: 'switches: 1 or more' });
  }
  if (mapping === 'perRequest' && !rest.iommu) {
    const message = 'nothing maps memory without an IOMMU';
    findings.push({ field: 'mapping', message, expected: 'iommu: true' });
  }
  if (sharedUplink === undefined && rest.uplinkLanes !== undefined) {
    const message = 'no link is shared';
    findings.push({ field: 'uplinkLanes', message, expected: 'sharedUplink beside it' });
  }
  return findings;
}
