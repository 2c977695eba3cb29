// virtio-msg transports on a fake bus: the device side with a driver that is a script, and both sides
// with a listener in place of the driver and a model that does nothing.
import type {
  Revision,
  SharedRegion,
  TransportListener,
  TransportReply,
} from '../../platform/contracts/index.ts';
import type { LooseMessage } from '../../platform/virtio/messages/index.ts';
import { MsgDeviceTransport, MsgDriverTransport } from '../../platform/virtio/transport/index.ts';
import { FakeBus, type FakeBusOptions } from './fake-bus.ts';
import { FakeModel } from './fake-model.ts';
import { testNodes } from './test-nodes.ts';

/** Device number of the benches, so that 0 does not pass by chance. */
export const DEVICE = 7;

/** A model behind its transport, asked by hand. */
export function msgDeviceBench(
  revision: Revision,
  maxMessageSize = 104,
  regions: readonly SharedRegion[] = [],
) {
  const { kernel, storage: node } = testNodes();
  const bus = new FakeBus({ node, revision, maxMessageSize });
  const model = new FakeModel();
  model.regions = regions;
  new MsgDeviceTransport({ node, name: 'device', bus: bus.device, deviceNumber: DEVICE, model });
  let token = 0x4321;
  /** Hands a frame to the device; returns what it sent in turn, decoded. */
  const give = (bytes: Uint8Array): LooseMessage[] => {
    const before = bus.frames.length;
    bus.inject('toDevice', bytes);
    kernel.runUntil(Infinity);
    return bus.messages('toDriver').slice(before);
  };
  /** Asks a request and returns its response. */
  const ask = (type: string, body: object = {}): LooseMessage => {
    const answers = give(bus.encode({ type, dev: DEVICE, token: ++token & 0xffff, body }));
    if (answers.length !== 1) throw new Error(`${type}: ${answers.length} answers`);
    return answers[0];
  };
  return { kernel, node, bus, model, give, ask };
}

/** Stands for a driver: notes in one line each what its transport tells it. */
export class ListenerRecorder implements TransportListener {
  readonly log: string[] = [];
  readonly replies: TransportReply[] = [];

  online(): void {
    this.log.push('online');
  }

  offline(reason: string): void {
    this.log.push(`offline: ${reason}`);
  }

  away(reason: string): void {
    this.log.push(`away: ${reason}`);
  }

  reply(reply: TransportReply): void {
    this.replies.push(reply);
    this.log.push(reply.type === 'reply.failed' ? `failed: ${reply.reason}` : reply.type);
  }

  used(queue: number): void {
    this.log.push(`used ${queue}`);
  }

  configChanged(status: number): void {
    this.log.push(`config ${status}`);
  }
}

/** Both transports on one bus; the operations of the driver side are the test's to start. */
export function transportPair(options: Omit<FakeBusOptions, 'node'> = {}) {
  const { kernel, linux: node } = testNodes();
  const bus = new FakeBus({ node, ...options });
  const model = new FakeModel();
  const deviceOptions = { node, name: 'device', deviceNumber: DEVICE };
  const device = new MsgDeviceTransport({ ...deviceOptions, bus: bus.device, model });
  const transport = new MsgDriverTransport({ ...deviceOptions, bus: bus.driver });
  const listener = new ListenerRecorder();
  transport.connect(listener);
  /** Starts an operation, runs until nothing is left to happen, and returns the reply. */
  const ask = (start: (transport: MsgDriverTransport) => void): TransportReply => {
    const before = listener.replies.length;
    start(transport);
    kernel.runUntil(Infinity);
    if (listener.replies.length !== before + 1) {
      throw new Error(`${listener.replies.length - before} replies`);
    }
    return listener.replies[before];
  };
  /** Requests seen on the bus, as `NAME` of each. */
  const requests = () => bus.messages('toDevice').map(({ type }) => type.replace('req.', ''));
  return { kernel, node, bus, model, device, transport, listener, ask, requests };
}
