// Shared memory regions of a device that is a PCI function (virtio 1.4 §4.1.4.7): behind a BAR of their own, each
// told of by a capability. The card's side, and how the driver finds them.
import type { DeviceModel } from '../../platform/contracts/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  CAPABILITY_ID,
  type CapabilityPlan,
  capabilitiesOf,
  type ProbedFunction,
} from '../../platform/pcie/index.ts';
import { readU32, writeU32 } from '../../platform/wire/index.ts';
import { CardRegions } from '../common/index.ts';
import {
  CAPABILITY_SIZE,
  REGION_CAPABILITY_SIZE,
  REGIONS_BAR,
  StructureType,
  structureCapability,
} from './structures.ts';

/** Where a region is for the cores of the host. */
export interface RegionPlace {
  readonly address: number;
  readonly length: number;
}

/** How both sides name a region where a device model makes the function believe: it is in no BAR's way then. */
export function regionHandle(functionId: number, shmid: number): number {
  return functionId * 256 + shmid;
}

/** The regions of a device, and the capabilities that tell of them. */
export class FunctionRegions extends CardRegions {
  readonly capabilities: readonly CapabilityPlan[];

  constructor(node: Node, { regions = [] }: DeviceModel) {
    super(node);
    this.capabilities = regions.map((region) => {
      return regionCapability(region.shmid, this.add(region), region.length);
    });
  }
}

/** `virtio_pci_cap64`: the upper halves of offset and length follow the capability. */
function regionCapability(shmid: number, offset: number, length: number): CapabilityPlan {
  const size = REGION_CAPABILITY_SIZE;
  const body = new Uint8Array(size - 2);
  const fields = { type: StructureType.SHARED_MEMORY, bar: REGIONS_BAR, id: shmid, padding: 0 };
  const place = { offset: offset % 2 ** 32, size: length % 2 ** 32 };
  structureCapability.encode({ length: size, ...fields, ...place }, body, 0);
  writeU32(body, CAPABILITY_SIZE - 2, Math.floor(offset / 2 ** 32));
  writeU32(body, CAPABILITY_SIZE + 2, Math.floor(length / 2 ** 32));
  return { id: CAPABILITY_ID.vendor, body, writable: new Uint8Array(size - 2) };
}

/** The regions that a function's capabilities tell of, by shmid. */
export function regionsOf({ bars, capabilities }: ProbedFunction): Map<number, RegionPlace> {
  const found = new Map<number, RegionPlace>();
  for (const { bytes } of capabilitiesOf(capabilities, CAPABILITY_ID.vendor)) {
    const capability = structureCapability.decode(bytes, 2, bytes.length - 2);
    const { type, bar, id, offset, size } = capability;
    const place = bars.get(bar);
    if (type !== StructureType.SHARED_MEMORY || place === undefined || found.has(id)) continue;
    const high = (at: number) => readU32(bytes, CAPABILITY_SIZE + at) * 2 ** 32;
    const start = offset + high(0);
    const length = size + high(4);
    // What lies beyond the BAR is no region.
    if (start + length <= place.size) found.set(id, { address: place.address + start, length });
  }
  return found;
}
