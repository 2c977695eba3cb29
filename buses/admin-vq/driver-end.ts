// The host's end of the transport: that of functions on a card, with commands counted.
import type { BusEnvironment, Statistics } from '../../platform/contracts/index.ts';
import { FunctionDriverEnd } from '../virtio-pci/index.ts';
import { AdminVqDriver } from './driver-transport.ts';
import type { AdminVqOptions } from './options.ts';

export class AdminVqDriverEnd extends FunctionDriverEnd<AdminVqOptions, AdminVqDriver> {
  constructor(environment: BusEnvironment<AdminVqOptions>) {
    super({ environment, interrupts: 'msix', make: (options) => new AdminVqDriver(options) });
  }

  override statistics(): Statistics {
    let commands = 0;
    for (const transport of this.transports) commands += transport.commands;
    return { ...super.statistics(), commands };
  }
}
