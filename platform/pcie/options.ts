// What a scenario may say of the PCI Express path between a host and a card, for the schemas of buses
// on it; and what follows from it.
import { z } from 'zod';
import type { Finding } from '../contracts/index.ts';
import { count, size } from '../scenario/fields.ts';
import { CREDIT_UNIT, type CreditLimits } from './credit.ts';
import { GENERATIONS, type Generation, LANES, type Lanes } from './generation.ts';

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
  iommu: z
    .boolean()
    .default(true)
    .describe('The host has an IOMMU before its memory; without it a card reaches all of it.'),
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
  /** Name of the link that is shared, or null. */
  readonly uplink: string | null;
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
  return { ...options, credit, uplink: sharedUplink };
}

/** Looks at what the schema alone cannot check. */
export function checkPcieOptions(options: Readonly<Record<string, unknown>>): readonly Finding[] {
  const { maxPayload, postedData, sharedUplink, ...rest } = options as PcieOptions;
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
  return findings;
}
