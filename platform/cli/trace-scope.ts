// Which messages a trace has, from the names of buses and devices.
import type { Topology } from '../contracts/index.ts';
import { UsageError } from '../errors.ts';
import type { TracePart, TraceScope } from '../hosts/index.ts';
import { nearestName } from '../scenario/index.ts';
import { headerSizeFor } from '../virtio/messages/index.ts';
import { tables } from './tables.ts';

/**
 * What to record: all, nothing, or what these names stand for. The name of a replicated entry means every
 * copy. Throws UsageError UNKNOWN_NAME for a name that is neither a bus nor a device.
 */
export function traceScope(
  topology: Topology,
  trace: boolean | readonly string[],
): TraceScope | null {
  if (typeof trace === 'boolean') return trace ? 'all' : null;
  return trace.flatMap((name) => partsNamed(topology, name));
}

function partsNamed(topology: Topology, name: string): TracePart[] {
  const { buses, devices } = topology;
  const isMeant = (entry: { readonly name: string }) =>
    entry.name === name ||
    (entry.name.startsWith(name) && /^-\d+$/.test(entry.name.slice(name.length)));
  const part = (bus: number, device: number | null): TracePart => {
    const { type, options } = buses[bus];
    const headerSize = headerSizeFor(tables.buses[type].deviceBits?.(options) ?? 16);
    return { bus, device, headerSize };
  };
  const parts = [
    ...buses.filter(isMeant).map(({ index }) => part(index, null)),
    ...devices.filter(isMeant).map(({ bus, number }) => part(bus, number)),
  ];
  if (parts.length > 0) return parts;
  const nearest = nearestName(
    name,
    [...buses, ...devices].map((entry) => entry.name),
  );
  const hint = nearest === null ? '' : `; did you mean '${nearest}'?`;
  const message = `${topology.name} has no bus or device '${name}' to trace${hint}`;
  throw new UsageError('UNKNOWN_NAME', message);
}
