// Makes the two ends of a bus over a link from what is different about it: its links and its constants.
import type { BusEnvironment } from '../../platform/contracts/index.ts';
import { LinkDeviceEnd } from './link-device-end.ts';
import { LinkDriverEnd } from './link-driver-end.ts';
import { deviceBitsOf } from './link-options.ts';
import type { DeviceLink, DriverLink, LinkClient } from './message-link.ts';

/** What every bus over a link has among its options. */
type LinkOptions = {
  readonly maxMessageSize: number;
  /** Static when left out: some links tell of devices in a way of their own. */
  readonly discovery?: 'messages' | 'static' | undefined;
  readonly pingInterval?: number | undefined;
  readonly data: 'shared' | 'inBand';
};

export interface LinkEndsOptions<Options extends LinkOptions> {
  /** Timing constants of the bus: how long a request may take, and when to ask a status again. */
  readonly requestTimeout: string;
  readonly statusPoll: string;
  /** Bytes of the largest message of a transport, where that is not what an element of a queue holds. */
  messageMax?(options: Options): number;
  /** Messages that a queue of the link holds. */
  room(options: Options): number;
  driverLink(environment: BusEnvironment<Options>, client: LinkClient): DriverLink;
  deviceLink(environment: BusEnvironment<Options>, client: LinkClient): DeviceLink;
}

/** Devices can have regions but where nodes share no memory, or speak of less than they could. */
function regionsRefused(options: Readonly<Record<string, unknown>>): string | null {
  if (options['data'] === 'inBand') return 'with data in band, nodes share no memory';
  if (options['frontEnd'] === 'mmio') return 'behind a proxy for virtio-mmio they are not modelled';
  if (options['dialect'] === 'alpha') return 'the messages of 2024 do not tell of them';
  return null;
}

/** Returns what a bus's row needs of functions. */
export function linkEnds<Options extends LinkOptions>(parts: LinkEndsOptions<Options>) {
  const shared = (environment: BusEnvironment<Options>) => {
    const { costs } = environment.node;
    const { options } = environment.plan;
    return {
      environment,
      maxMessageSize: parts.messageMax?.(options) ?? options.maxMessageSize,
      requestTimeout: costs.value(costs.idOf(parts.requestTimeout)),
      statusPollInterval: costs.value(costs.idOf(parts.statusPoll)),
      deviceBits: deviceBitsOf(options),
    };
  };
  return {
    deviceBits: deviceBitsOf,
    regionsRefused,
    beyondDrafts: (options: Readonly<Record<string, unknown>>) => [
      ...(options['data'] === 'inBand' ? ['in-band data'] : []),
      ...(deviceBitsOf(options) === 32 ? ['device numbers of 32 bits'] : []),
    ],
    createDriverEnd: (environment: BusEnvironment<Options>) => {
      const { discovery = 'static', pingInterval = Infinity, data } = environment.plan.options;
      return new LinkDriverEnd({
        ...shared(environment),
        discovery,
        pingInterval,
        inBand: data === 'inBand',
        link: (client) => parts.driverLink(environment, client),
      });
    },
    createDeviceEnd: (environment: BusEnvironment<Options>) => {
      const { options } = environment.plan;
      // One place is left to all that is no chunk of data.
      const window = Math.max(1, parts.room(options) - 1);
      return new LinkDeviceEnd({
        ...shared(environment),
        inBand: options.data === 'inBand' ? { window } : null,
        link: (client) => parts.deviceLink(environment, client),
      });
    },
  };
}
