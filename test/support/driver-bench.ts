// A block driver behind its transport on a fake bus, with a model that does as the test says or with a
// real device on the other side.
import { type BlkClient, BlkDriver } from '../../guests/blk/index.ts';
import { tables } from '../../platform/cli/tables.ts';
import type { Device } from '../../platform/contracts/index.ts';
import { MsgDeviceTransport, MsgDriverTransport } from '../../platform/virtio/transport/index.ts';
import { FakeBus, type FakeBusOptions } from './fake-bus.ts';
import { FakeModel } from './fake-model.ts';
import type { ScenarioParts } from './scenarios.ts';
import { testNodes } from './test-nodes.ts';

/** Device number of the bench, so that 0 does not pass by chance. */
export const DEVICE = 7;
/** Slots that the client reserves. */
export const SLOTS = 2;

/** A user of the disk that notes what it hears, and may do something when the disk is ready. */
export class BlkRecorder implements BlkClient {
  readonly log: string[] = [];
  whenReady: () => void = () => {};

  blkReady(capacity: number): void {
    this.log.push(`ready ${capacity}`);
    this.whenReady();
  }

  blkCompleted(slot: number, status: number): void {
    this.log.push(`completed ${slot} ${status}`);
  }

  blkDown(reason: string): void {
    this.log.push(`down: ${reason}`);
  }
}

interface Options extends Omit<FakeBusOptions, 'node'> {
  readonly scenario?: ScenarioParts;
}

function makeBench(options: Options) {
  const { topology, kernel, linux: node } = testNodes(options.scenario);
  const bus = new FakeBus({ node, ...options });
  const plan = { ...topology.devices[0], number: DEVICE };
  const common = { node, name: plan.name, deviceNumber: DEVICE };
  const connect = <Model extends Device>(model: Model): Model => {
    new MsgDeviceTransport({ ...common, bus: bus.device, model });
    return model;
  };
  const transport = new MsgDriverTransport({ ...common, bus: bus.driver });
  const driver = new BlkDriver({ node, plan, transport });
  const client = new BlkRecorder();
  driver.reserve(client, SLOTS, 4096);
  /** Requests and events of the driver so far, with the value that matters of each. */
  const sent = () =>
    bus.messages('toDevice').map(({ type, body }) => {
      const { status, index } = body as { status?: number; index?: number };
      const value = status ?? index;
      return type.replace('req.', '') + (value === undefined ? '' : ` ${value}`);
    });
  const run = () => kernel.runUntil(kernel.now + 1_000_000_000);
  return { topology, kernel, node, bus, plan, driver, client, connect, sent, run };
}

/** With a model that only answers. */
export function driverBench(options: Options = {}) {
  const bench = makeBench(options);
  const model = bench.connect(new FakeModel());
  // 64 sectors.
  model.config.fill(0);
  model.config[0] = 64;
  return { ...bench, model };
}

/** With the real block device of the scenario. */
export function diskBench(options: Options = {}) {
  const bench = makeBench(options);
  const environment = { node: bench.node, plan: bench.plan, network: null };
  const device = bench.connect(
    tables.devices['blk'].create({ ...environment, resolve: (path: string) => path } as never),
  );
  return { ...bench, device };
}
