// What a driver asks of its device's transport while the device is live: configuration read and written,
// queues reset, the device suspended. One operation at a time; the others wait in line.
import type {
  DriverTransport,
  QueueSetup,
  TransportReply,
} from '../../platform/contracts/index.ts';
import type { Chart } from '../../platform/machine/index.ts';
import type { Node } from '../../platform/node/index.ts';
import {
  type QueueResetEffect,
  type QueueResetEvent,
  queueResetChart,
} from './queue-reset-chart.ts';
import { type SuspendEffect, type SuspendEvent, suspendChart } from './suspend-chart.ts';

/** Looks at the status of a device that is suspended or resumed, before it is taken for broken. */
const LOOKS_MAX = 10_000;

export type LiveOperation =
  | {
      readonly type: 'readConfig';
      readonly offset: number;
      readonly length: number;
      /** Told in place of the driver; null when the device was lost or reset before it has answered. */
      readonly done?: (data: Uint8Array | null) => void;
    }
  | {
      readonly type: 'writeConfig';
      readonly offset: number;
      readonly data: Uint8Array;
      readonly done?: (applied: boolean) => void;
    }
  | { readonly type: 'resetQueue'; readonly queue: number }
  | {
      readonly type: 'suspend';
      readonly time: number;
      /** Told when the device is in use again; false when it was lost or reset first. */
      readonly done?: (resumed: boolean) => void;
    };

export interface LiveOperationsOptions {
  readonly node: Node;
  readonly name: string;
  readonly transport: DriverTransport;
  /** The transport is about to be asked for something. */
  asking(): void;
  configRead(offset: number, data: Uint8Array): void;
  configWritten(offset: number, applied: boolean): void;
  /** A queue's reset has come to its turn: the driver leaves its ring alone from now on. */
  queueStopped(queue: number): void;
  /** Makes the ring of a queue anew, which the device has let go of. */
  remake(queue: number): QueueSetup;
  queueRestarted(queue: number): void;
  /** A suspension has come to its turn: from now on the driver makes nothing available, and notifies nobody. */
  suspending(): void;
  /** The device is in use again. */
  resumed(): void;
  /** The device did not do what a queue's reset or a suspension takes. */
  refused(): void;
}

export class LiveOperations {
  readonly #options: LiveOperationsOptions;
  /** The first of them is under way. */
  readonly #line: LiveOperation[] = [];
  #chart: Chart<unknown, QueueResetEvent> | null = null;
  #setup: QueueSetup | null = null;
  #suspendChart: Chart<unknown, SuspendEvent> | null = null;

  constructor(options: LiveOperationsOptions) {
    this.#options = options;
  }

  add(operation: LiveOperation): void {
    if (this.#line.push(operation) === 1) this.#begin();
  }

  /** Forgets all operations: the device is not live any more. */
  clear(): void {
    const given = this.#line.splice(0);
    this.#chart?.send({ type: 'ABORT' });
    this.#suspendChart?.send({ type: 'ABORT' });
    for (const operation of given) {
      if (operation.type === 'readConfig') operation.done?.(null);
      else if (operation.type !== 'resetQueue') operation.done?.(false);
    }
  }

  /** A reply to the operation under way. */
  reply(reply: TransportReply): void {
    const [operation] = this.#line;
    if (operation === undefined) return;
    if (operation.type === 'resetQueue') return this.#resetChart().send(reply);
    if (operation.type === 'suspend') return this.#suspension().send(reply);
    this.#end();
    const { configRead, configWritten } = this.#options;
    const { offset } = operation;
    if (operation.type === 'writeConfig') {
      const applied = reply.type === 'reply.configSet' && reply.applied;
      return operation.done ? operation.done(applied) : configWritten(offset, applied);
    }
    const data = reply.type === 'reply.config' ? reply.data : null;
    if (operation.done) operation.done(data);
    else if (data !== null) configRead(offset, data);
  }

  #begin(): void {
    const [operation] = this.#line;
    const { transport, queueStopped, suspending } = this.#options;
    switch (operation.type) {
      case 'readConfig':
        this.#options.asking();
        return transport.getConfig(operation.offset, operation.length);
      case 'writeConfig':
        this.#options.asking();
        return transport.setConfig(operation.offset, operation.data);
      case 'resetQueue':
        queueStopped(operation.queue);
        return this.#resetChart().send({ type: 'BEGIN' });
      case 'suspend':
        suspending();
        return this.#suspension().send({ type: 'BEGIN', time: operation.time });
    }
  }

  #end(): void {
    this.#line.shift();
    if (this.#line.length > 0) this.#begin();
  }

  /** Few drivers ever reset a queue, so that the chart is made when one does. */
  #resetChart(): Chart<unknown, QueueResetEvent> {
    if (this.#chart !== null) return this.#chart;
    const { node, name } = this.#options;
    this.#chart = node.charts.start(queueResetChart, {
      name: `${name}.queueReset`,
      perform: (effect: QueueResetEffect) => this.#perform(effect),
    });
    this.#chart.begin();
    return this.#chart;
  }

  /** Like the other one, it is made when it is needed. */
  #suspension(): Chart<unknown, SuspendEvent> {
    if (this.#suspendChart !== null) return this.#suspendChart;
    const { node, name } = this.#options;
    this.#suspendChart = node.charts.start(suspendChart, {
      name: `${name}.suspend`,
      input: { pollInterval: node.costs.value(node.timing.statusPoll), looksMax: LOOKS_MAX },
      perform: (effect: SuspendEffect) => this.#performSuspend(effect),
    });
    this.#suspendChart.begin();
    return this.#suspendChart;
  }

  #performSuspend(effect: SuspendEffect): void {
    const { transport, asking, refused } = this.#options;
    switch (effect.type) {
      case 'setStatus':
        asking();
        return transport.setStatus(effect.status);
      case 'getStatus':
        asking();
        return transport.getStatus();
      case 'resumed':
        return this.#resumed();
      case 'refused':
        return refused();
    }
  }

  #resumed(): void {
    const [operation] = this.#line;
    this.#options.resumed();
    this.#end();
    if (operation.type === 'suspend') operation.done?.(true);
  }

  #perform(effect: QueueResetEffect): void {
    const { transport, asking, remake, queueRestarted, refused } = this.#options;
    const [operation] = this.#line;
    const queue = operation.type === 'resetQueue' ? operation.queue : 0;
    switch (effect.type) {
      case 'resetQueue':
        asking();
        return transport.resetQueue(queue);
      case 'getQueue':
        asking();
        return transport.getQueue(queue);
      case 'remake':
        this.#setup = remake(queue);
        return;
      case 'setQueue':
        asking();
        return transport.setQueue(this.#setup!);
      case 'done':
        this.#end();
        return queueRestarted(queue);
      case 'refused':
        return refused();
    }
  }
}
