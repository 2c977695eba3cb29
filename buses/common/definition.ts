// Types the rows of buses/index.ts. A bus that carries virtio-msg gives its two ends and gets the
// transports on them; an older transport gives its own.
import { type ZodObject, z } from 'zod';
import type {
  BusDefinition,
  BusEnvironment,
  BusPlan,
  DeviceBusEnd,
  DeviceEnd,
  DriverBusEnd,
  DriverEnd,
  Finding,
  Observed,
  Topology,
} from '../../platform/contracts/index.ts';
import { revision, TRANSPORT_F } from '../../platform/virtio/messages/index.ts';
import { MsgDeviceTransport, MsgDriverTransport } from '../../platform/virtio/transport/index.ts';
import { planHotPlug } from './hot-plug.ts';

type Row<Schema extends ZodObject, Driver, Device> = Omit<
  BusDefinition,
  'options' | 'createDriverEnd' | 'createDeviceEnd'
> & {
  readonly options: Schema;
  createDriverEnd(environment: BusEnvironment<z.output<Schema>>): Driver;
  createDeviceEnd(environment: BusEnvironment<z.output<Schema>>): Device;
};

/** Of a bus that some drivers use without speaking virtio-msg. */
interface Proxied<Schema extends ZodObject> {
  /** The driver's end for such drivers, when the options ask for one; null for all others. */
  proxyEnd?(environment: BusEnvironment<z.output<Schema>>): DriverEnd | null;
}

/** Types the row of an older transport: its options are those of its schema. */
export function defineTransport<Schema extends ZodObject>(
  row: Row<Schema, DriverEnd, DeviceEnd>,
): BusDefinition {
  return row as BusDefinition;
}

/** Options that every bus of virtio-msg has. */
const messageBusOptions = {
  strictGeneration: z
    .enum(['none', 'driver', 'device', 'both'])
    .default('none')
    .describe('Sides that know STRICT_CONFIG_GENERATION (v2), which is in force if both do.'),
} as const;

/** Types the row of a bus that carries virtio-msg. */
export function defineMessageBus<Schema extends ZodObject>(
  row: Row<Schema, DriverBusEnd & Observed, DeviceBusEnd & Observed> & Proxied<Schema>,
): BusDefinition {
  const wrapped: Row<Schema, DriverEnd, DeviceEnd> = {
    ...row,
    options: row.options.extend(messageBusOptions) as unknown as Schema,
    createDriverEnd: (environment) =>
      row.proxyEnd?.(environment) ?? driverEnd(environment, row.createDriverEnd(environment)),
    createDeviceEnd: (environment) => deviceEnd(environment, row.createDeviceEnd(environment)),
    check: (plan, topology) => [
      ...(row.check?.(plan, topology) ?? []),
      ...slowResets(plan as BusPlan, topology),
      ...strictWithoutFeatures(plan as BusPlan),
    ],
  };
  return wrapped as BusDefinition;
}

/** The transport features of a side, of which only what both have is in force. */
export function transportFeatures({ options }: { readonly options: unknown }): number {
  const { strictGeneration } = options as { readonly strictGeneration?: string };
  return strictGeneration === 'both' ? TRANSPORT_F.STRICT_CONFIG_GENERATION : 0;
}

function driverEnd<O>({ node, plan }: BusEnvironment<O>, end: DriverBusEnd & Observed): DriverEnd {
  const features = transportFeatures(plan);
  return {
    transport: ({ name, number }) =>
      new MsgDriverTransport({
        node,
        name,
        bus: end,
        deviceNumber: number,
        transportFeatures: features,
      }),
    start: () => end.start(),
    statistics: () => end.statistics(),
  };
}

function deviceEnd<O>({ node, plan }: BusEnvironment<O>, end: DeviceBusEnd & Observed): DeviceEnd {
  const features = transportFeatures(plan);
  return {
    connect: (device, model) => {
      const { name, number } = device;
      new MsgDeviceTransport({
        node,
        name,
        bus: end,
        deviceNumber: number,
        model,
        transportFeatures: features,
      });
      planHotPlug(node, device, end);
    },
    statistics: () => end.statistics(),
  };
}

/** Objects to a transport feature where the revision has none. */
function strictWithoutFeatures({ revision: name, options }: BusPlan): Finding[] {
  const asked = (options.strictGeneration ?? 'none') !== 'none';
  if (!asked || revision(name).rules.hasTransportFeatures) return [];
  const message = `revision ${name} has no transport feature bits`;
  return [{ field: 'strictGeneration', message, expected: 'v2, or none' }];
}

/** Objects to devices that take their time for a reset where that is over at once, or goes wrong. */
function slowResets(bus: BusPlan, { devices }: Topology): Finding[] {
  const slow = devices.find((plan) => plan.bus === bus.index && Number(plan.options.resetTime) > 0);
  if (slow === undefined) return [];
  const begins = `'${slow.name}' takes time for a reset, which`;
  if (revision(bus.revision).rules.asynchronousReset) return [];
  const message = `${begins} in ${bus.revision} is over at once`;
  return [{ field: 'revision', message, expected: 'v2, or no `resetTime`' }];
}
