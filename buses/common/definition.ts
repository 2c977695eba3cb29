// Types the rows of buses/index.ts. A bus that carries virtio-msg gives its two ends and gets the
// transports on them; an older transport gives its own.
import type { ZodObject, z } from 'zod';
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
import { revision } from '../../platform/virtio/messages/index.ts';
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

/** Types the row of a bus that carries virtio-msg. */
export function defineMessageBus<Schema extends ZodObject>(
  row: Row<Schema, DriverBusEnd & Observed, DeviceBusEnd & Observed> & Proxied<Schema>,
): BusDefinition {
  const wrapped: Row<Schema, DriverEnd, DeviceEnd> = {
    ...row,
    createDriverEnd: (environment) =>
      row.proxyEnd?.(environment) ?? driverEnd(environment, row.createDriverEnd(environment)),
    createDeviceEnd: (environment) => deviceEnd(environment, row.createDeviceEnd(environment)),
    check: (plan, topology) => [
      ...(row.check?.(plan, topology) ?? []),
      ...slowResets(plan as BusPlan, topology),
    ],
  };
  return wrapped as BusDefinition;
}

function driverEnd<O>({ node }: BusEnvironment<O>, end: DriverBusEnd & Observed): DriverEnd {
  return {
    transport: ({ name, number }) =>
      new MsgDriverTransport({ node, name, bus: end, deviceNumber: number }),
    start: () => end.start(),
    statistics: () => end.statistics(),
  };
}

function deviceEnd<O>({ node }: BusEnvironment<O>, end: DeviceBusEnd & Observed): DeviceEnd {
  return {
    connect: (device, model) => {
      const { name, number } = device;
      new MsgDeviceTransport({ node, name, bus: end, deviceNumber: number, model });
      planHotPlug(node, device, end);
    },
    statistics: () => end.statistics(),
  };
}

/** Objects to devices that take their time for a reset where that is over at once, or goes wrong. */
function slowResets(bus: BusPlan, { devices }: Topology): Finding[] {
  const slow = devices.find((plan) => plan.bus === bus.index && Number(plan.options.resetTime) > 0);
  if (slow === undefined) return [];
  const begins = `'${slow.name}' takes time for a reset, which`;
  // Deviation: behind a proxy for virtio-mmio, such a device does not come back to work.
  if (bus.options['frontEnd'] === 'mmio') {
    const message = `${begins} is not modelled behind a proxy`;
    return [{ field: 'frontEnd', message, expected: 'another front end, or no `resetTime`' }];
  }
  if (revision(bus.revision).rules.asynchronousReset) return [];
  const message = `${begins} in ${bus.revision} is over at once`;
  return [{ field: 'revision', message, expected: 'v2, or no `resetTime`' }];
}
