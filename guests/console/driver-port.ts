// One port of a console on the driver's side: its chart, who uses it, what the device said of it, and the
// buffers that it receives into.
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import { consoleReceiveQueue, consoleTransmitQueue } from '../../platform/virtio/index.ts';
import { type PortEffect, type PortEvent, portChart } from './port-chart.ts';

/** Whoever uses a port. */
export interface ConsoleClient {
  /**
   * The port can be used. Once more after the device was reset: what the far side had on its way is lost, and
   * what the device had not returned is written again, in order, before anything else.
   */
  consoleReady(port: PortInfo): void;
  /** Bytes came; they are in own RAM at `address` during the call. */
  consoleReceived(address: number, length: number): void;
  /** The device has taken what a slot wrote. `latency` in ps. */
  consoleSent(slot: number, latency: number): void;
  /** An emergency write was taken by the device, or was not. */
  consoleEmergency(applied: boolean): void;
  /** The port or the device is lost. */
  consoleDown(reason: string): void;
}

/** What is known of a port. */
export interface PortInfo {
  readonly index: number;
  /** Empty when it has none. */
  readonly name: string;
  /** The device calls it a console port. */
  readonly terminal: boolean;
  readonly cols: number;
  readonly rows: number;
}

export interface PortOwner {
  readonly node: Node;
  readonly name: string;
  performPort(port: DriverPort, effect: PortEffect): void;
}

export class DriverPort implements PortInfo {
  readonly index: number;
  readonly receiveQueue: number;
  readonly transmitQueue: number;
  readonly chart: Chart<unknown, PortEvent>;
  client: ConsoleClient | null = null;
  name = '';
  terminal = false;
  cols = 0;
  rows = 0;
  /** Its receive buffers are with the device, or on their way there. */
  filled = false;
  /** Slots whose writes the device has not returned, in the order in which they were written. */
  written: number[] = [];
  /** The device was reset since the port was open: what is written is to be written again. */
  again = false;
  /** Slots that found the transmit queue full, oldest first. */
  readonly waiting: number[] = [];

  constructor(owner: PortOwner, index: number) {
    this.index = index;
    this.receiveQueue = consoleReceiveQueue(index);
    this.transmitQueue = consoleTransmitQueue(index);
    this.chart = owner.node.charts.start(portChart, {
      name: `${owner.name}.port${index}`,
      perform: (effect: PortEffect) => owner.performPort(this, effect),
    });
    this.chart.begin();
  }

  /** Forgets what the device said; the device was lost. */
  lost(): void {
    this.name = '';
    this.terminal = false;
    this.filled = false;
    this.waiting.length = 0;
    this.again = true;
    this.chart.send({ type: 'LOST' });
  }
}
