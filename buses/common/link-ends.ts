// Makes the two ends of a bus over a link from what is different about it: its links and its constants.
import type { BusEnvironment } from '../../platform/contracts/index.ts';
import { LinkDeviceEnd } from './link-device-end.ts';
import { LinkDriverEnd } from './link-driver-end.ts';
import type { DeviceLink, DriverLink, LinkClient } from './message-link.ts';

/** What every bus over a link has among its options. */
interface LinkOptions {
  readonly maxMessageSize: number;
  /** Static when left out: some links tell of devices in a way of their own. */
  readonly discovery?: 'messages' | 'static' | undefined;
  readonly pingInterval?: number | undefined;
}

export interface LinkEndsOptions<Options extends LinkOptions> {
  /** Timing constants of the bus: how long a request may take, and when to ask a status again. */
  readonly requestTimeout: string;
  readonly statusPoll: string;
  driverLink(environment: BusEnvironment<Options>, client: LinkClient): DriverLink;
  deviceLink(environment: BusEnvironment<Options>, client: LinkClient): DeviceLink;
}

/** Returns the two functions that a bus's row needs. */
export function linkEnds<Options extends LinkOptions>(parts: LinkEndsOptions<Options>) {
  const shared = (environment: BusEnvironment<Options>) => {
    const { costs } = environment.node;
    return {
      environment,
      maxMessageSize: environment.plan.options.maxMessageSize,
      requestTimeout: costs.value(costs.idOf(parts.requestTimeout)),
      statusPollInterval: costs.value(costs.idOf(parts.statusPoll)),
    };
  };
  return {
    createDriverEnd: (environment: BusEnvironment<Options>) => {
      const { discovery = 'static', pingInterval = Infinity } = environment.plan.options;
      return new LinkDriverEnd({
        ...shared(environment),
        discovery,
        pingInterval,
        link: (client) => parts.driverLink(environment, client),
      });
    },
    createDeviceEnd: (environment: BusEnvironment<Options>) =>
      new LinkDeviceEnd({
        ...shared(environment),
        link: (client) => parts.deviceLink(environment, client),
      }),
  };
}
