// The device side of virtio-vsock (virtio 1.4 §5.10): packets between the guest and an echo service on the
// host, with credit in both directions, connections, resets, and the event of a moved guest.
import type { DeviceEnvironment, Statistics } from '../../platform/contracts/index.ts';
import type { Component, ComponentId } from '../../platform/kernel/index.ts';
import { Milestone } from '../../platform/node/index.ts';
import {
  VSOCK_DEVICE_ID,
  VSOCK_EVENT,
  VSOCK_EVENT_SIZE,
  VSOCK_F,
  VSOCK_HEADER_SIZE,
  VSOCK_HOST_CID,
  VSOCK_OP,
  VSOCK_PAYLOAD_MAX,
  VSOCK_QUEUE,
  VSOCK_SHUTDOWN,
  VSOCK_TYPE,
  VsockHeader,
  vsockConfig,
} from '../../platform/virtio/index.ts';
import { writeU32 } from '../../platform/wire/index.ts';
import {
  type Chain,
  type FetchedRequest,
  type QueueEngine,
  RequestFetcher,
  ServiceStation,
  scatter,
  VirtioDevice,
} from '../common/index.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { ConnectionEffect } from './connection-chart.ts';
import type { VsockOptions } from './options.ts';
import { PacketSender } from './packet-sender.ts';

/** Replies that wait for a receive buffer at the most; then the guest's packets wait as well. */
export const REPLIES_MAX = 256;

export class VsockDevice extends VirtioDevice implements ConnectionOwner, Component {
  readonly bufferSize: number;
  readonly #options: VsockOptions;
  readonly #id: ComponentId;
  readonly #packet: number;
  readonly #closeTimeout: number;
  readonly #fetcher: RequestFetcher;
  readonly #handler: ServiceStation;
  /** Packets of the guest that are read and not handled, oldest first. */
  readonly #line: FetchedRequest[] = [];
  #handling = false;
  #lineEpoch = 0;
  /** Every connection there ever was; those not in use are taken again. */
  readonly #connections: Connection[] = [];
  readonly #byPort = new Map<number, Connection>();
  readonly #sender: PacketSender;
  /** Buffers for events, oldest first, and events that wait for one. */
  readonly #events: { readonly queue: QueueEngine; readonly chain: Chain }[] = [];
  #pendingEvents = 0;
  #guestCid: number;
  readonly #header = new VsockHeader();
  readonly #stamp = new VsockHeader();
  readonly #event = new Uint8Array(VSOCK_EVENT_SIZE);
  #accepted = 0;
  #refused = 0;

  constructor({ node, plan }: DeviceEnvironment<VsockOptions>) {
    const { options } = plan;
    const config = new Uint8Array(vsockConfig.fixedSize);
    vsockConfig.encode({ guestCid: BigInt(options.guestCid) }, config, 0);
    super(node, plan, {
      deviceId: VSOCK_DEVICE_ID,
      features: VSOCK_F.STREAM | VSOCK_F.SEQPACKET | VSOCK_F.NO_IMPLIED_STREAM,
      config,
      queueSizes: new Array<number>(3).fill(options.queueSize),
    });
    this.#options = options;
    this.bufferSize = options.bufferSize;
    this.#guestCid = options.guestCid;
    this.#packet = node.costs.idOf('vsock.packet');
    this.#closeTimeout = node.costs.value(node.costs.idOf('vsock.closeTimeout'));
    this.#handler = new ServiceStation(node, 1, (epoch) => this.#handled(epoch));
    this.#fetcher = new RequestFetcher({
      node,
      name: plan.name,
      bytesMax: VSOCK_HEADER_SIZE + VSOCK_PAYLOAD_MAX,
      ready: (request) => {
        this.#line.push(request);
        this.#handleNext();
        if (!this.#handling) this.settle(request.queue!);
      },
    });
    this.#sender = new PacketSender({
      node,
      port: options.port,
      dma: () => this.dma,
      guestCid: () => this.#guestCid,
      pausing: () => this.pausing,
      sent: (connection) => {
        connection?.serve();
        if (connection !== null) this.connectionChanged(connection);
        this.#handleNext();
      },
    });
    this.#id = node.add(this);
    for (const [index, { at }] of options.migrate.entries()) {
      node.kernel.schedule(this.#id, at, 0, index);
    }
  }

  override statistics(): Statistics {
    return {
      ...super.statistics(),
      connectionsAccepted: this.#accepted,
      connectionsRefused: this.#refused,
      connectionsOpen: this.#byPort.size,
      creditRequests: this.#sender.creditRequests,
    };
  }

  /** Buffers wait for packets and events, and packets for room for replies. */
  override keeps({ index }: QueueEngine): number {
    if (index === VSOCK_QUEUE.rx) return this.#sender.offerCount;
    if (index === VSOCK_QUEUE.event) return this.#events.length;
    return this.#handling || this.#repliesFit ? 0 : this.#line.length;
  }

  protected override resumed(): void {
    this.#sender.resume();
    this.#sendEvents();
  }

  protected override wasReset(): void {
    this.#forgetConnections();
    this.#pendingEvents = 0;
  }

  performConnection(connection: Connection, effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'respond':
        return this.#reply(connection, VSOCK_OP.RESPONSE);
      case 'drain':
        return this.connectionChanged(connection);
      case 'sendShutdown':
        return this.#reply(connection, VSOCK_OP.SHUTDOWN, VSOCK_SHUTDOWN.BOTH);
      case 'sendReset':
        return this.#reply(connection, VSOCK_OP.RST);
      case 'release':
        connection.used = false;
        this.#byPort.delete(connection.peerPort);
    }
  }

  connectionChanged(connection: Connection): void {
    if (connection.stream.unsent > 0) this.#sender.queue(connection);
    else if (connection.stream.owesUpdate) this.#reply(connection, VSOCK_OP.CREDIT_UPDATE);
    if (connection.chart.matches('draining') && connection.drained) {
      connection.chart.send({ type: 'DRAINED' });
    }
  }

  /** The guest is moved. */
  deliver(_kind: number, index: number): void {
    this.#migrate(this.#options.migrate[index].cid);
  }

  protected serve(queue: QueueEngine, chain: Chain): void {
    if (queue.index === VSOCK_QUEUE.tx) return this.#fetcher.fetch(queue, chain);
    const isEvent = queue.index === VSOCK_QUEUE.event;
    const least = isEvent ? VSOCK_EVENT_SIZE : VSOCK_HEADER_SIZE;
    if (chain.readableBytes > 0 || chain.writableBytes < least) {
      this.#violation(`a buffer on queue ${queue.index} that nothing can be written into`);
      if (!queue.complete(chain, 0)) queue.fail();
      return;
    }
    if (!isEvent) return this.#sender.offer(queue, chain);
    this.#events.push({ queue, chain });
    this.#sendEvents();
  }

  protected forget(queue: QueueEngine): void {
    switch (queue.index) {
      case VSOCK_QUEUE.tx:
        this.#fetcher.forget(queue);
        this.#line.length = 0;
        this.#handling = false;
        this.#lineEpoch++;
        return;
      case VSOCK_QUEUE.rx:
        return this.#sender.forgetOffers();
      default:
        this.#events.length = 0;
    }
  }

  get #repliesFit(): boolean {
    return this.#sender.backlog < REPLIES_MAX;
  }

  /** Handles the oldest packet, unless too many replies wait for the guest to receive them. */
  #handleNext(): void {
    if (this.#handling || this.#line.length === 0 || !this.#repliesFit) return;
    this.#handling = true;
    this.#handler.request(this.node.charge(this.#packet), this.#lineEpoch);
  }

  #handled(epoch: number): void {
    if (epoch !== this.#lineEpoch) return;
    this.#handling = false;
    const request = this.#line.shift()!;
    const { queue, chain } = request;
    queue!.mark(chain!, Milestone.served);
    if (!request.refused) this.#received(request);
    this.#fetcher.release(request);
    if (!queue!.complete(chain!, 0)) return queue!.fail();
    this.#handleNext();
  }

  /** A packet of the guest. */
  #received({ bytes, length, chain }: FetchedRequest): void {
    const header = this.#header;
    if (length < VSOCK_HEADER_SIZE || chain!.writableBytes > 0) {
      return this.#violation('a packet without header, or one that is writable');
    }
    header.read(bytes, 0);
    if (header.srcCid !== this.#guestCid) {
      // A guest that has moved does not know its new id at once: what it says is about nothing.
      if (this.#options.migrate.length === 0) this.#violation(`a packet of ${header.srcCid}`);
      return;
    }
    if (header.len > length - VSOCK_HEADER_SIZE) {
      return this.#violation(`a packet of ${header.len} bytes with ${length} in all`);
    }
    if (!this.#serves(header.type) || header.dstCid !== VSOCK_HOST_CID) return this.#refuse();
    const connection =
      header.dstPort === this.#options.port ? this.#byPort.get(header.srcPort) : null;
    if (connection == null) return this.#connect();
    if (connection.type !== header.type) return this.#refuse();
    connection.stream.learn(header);
    connection.askedForCredit = false;
    this.#operation(connection, bytes);
    if (connection.used && connection.stream.unsent > 0) this.#sender.queue(connection);
  }

  /** True for a type of socket that was agreed on; streams are implied unless they have to be said. */
  #serves(type: number): boolean {
    const has = (feature: bigint) => (this.driverFeatures & feature) !== 0n;
    if (type === VSOCK_TYPE.SEQPACKET) return has(VSOCK_F.SEQPACKET);
    return type === VSOCK_TYPE.STREAM && (has(VSOCK_F.STREAM) || !has(VSOCK_F.NO_IMPLIED_STREAM));
  }

  /** A packet that belongs to no connection: a request for one, or nothing that can be served. */
  #connect(): void {
    const header = this.#header;
    const full = this.#byPort.size >= this.#options.connections;
    if (header.op !== VSOCK_OP.REQUEST || header.dstPort !== this.#options.port || full) {
      return this.#refuse();
    }
    const connection = this.#connections.find(({ used }) => !used) ?? this.#addConnection();
    connection.open(header.srcPort, header.type);
    connection.stream.learn(header);
    this.#byPort.set(header.srcPort, connection);
    this.#accepted++;
    connection.chart.send({ type: 'REQUEST' });
  }

  #addConnection(): Connection {
    const connection = new Connection(this, this.#connections.length, this.#closeTimeout);
    this.#connections.push(connection);
    return connection;
  }

  #operation(connection: Connection, bytes: Uint8Array): void {
    const { op, flags, len } = this.#header;
    const { chart, stream } = connection;
    switch (op) {
      case VSOCK_OP.RW:
        if (!chart.matches('established')) return chart.send({ type: 'ABORT' });
        if (!stream.receive(bytes, VSOCK_HEADER_SIZE, len, connection.endOf(flags))) {
          this.#violation(`${len} bytes beyond the credit of port ${connection.peerPort}`);
          return chart.send({ type: 'ABORT' });
        }
        return connection.serve();
      case VSOCK_OP.CREDIT_UPDATE:
        return;
      case VSOCK_OP.CREDIT_REQUEST:
        return this.#reply(connection, VSOCK_OP.CREDIT_UPDATE);
      case VSOCK_OP.SHUTDOWN:
        if ((flags & VSOCK_SHUTDOWN.RECEIVE) !== 0) chart.send({ type: 'PEER_IS_DONE' });
        else if ((flags & VSOCK_SHUTDOWN.SEND) !== 0) chart.send({ type: 'PEER_SENDS_NO_MORE' });
        return;
      case VSOCK_OP.RST:
        return chart.send({ type: 'RST' });
      default:
        // A second request, or an operation that only the answering side has.
        this.#violation(`operation ${op} on the connection of port ${connection.peerPort}`);
        chart.send({ type: 'ABORT' });
    }
  }

  /** Answers a packet that nobody is there for; a reset is not answered. */
  #refuse(): void {
    const { op, srcPort, dstPort, type } = this.#header;
    if (op === VSOCK_OP.RST) return;
    this.#refused++;
    this.#sender.reply({
      peerPort: srcPort,
      localPort: dstPort,
      type,
      op: VSOCK_OP.RST,
      flags: 0,
      bufAlloc: 0,
      fwdCnt: 0,
    });
  }

  #reply(connection: Connection, op: number, flags = 0): void {
    const stamp = this.#stamp;
    connection.stream.stamp(stamp);
    this.#sender.reply({
      peerPort: connection.peerPort,
      localPort: this.#options.port,
      type: connection.type,
      op,
      flags,
      bufAlloc: stamp.bufAlloc,
      fwdCnt: stamp.fwdCnt,
    });
  }

  /** The guest has been moved: it has another id, and all its connections are gone. */
  #migrate(cid: number): void {
    this.#guestCid = cid;
    vsockConfig.encode({ guestCid: BigInt(cid) }, this.config, 0);
    this.#forgetConnections();
    this.configChanged(0, this.config.length);
    if (this.queueSetup(VSOCK_QUEUE.event) === null) return;
    this.#pendingEvents++;
    this.#sendEvents();
  }

  #forgetConnections(): void {
    for (const connection of this.#connections) {
      connection.used = false;
      connection.queued = false;
      connection.chart.send({ type: 'FORGET' });
    }
    this.#byPort.clear();
    this.#sender.clear();
  }

  #sendEvents(): void {
    while (!this.pausing && this.#pendingEvents > 0 && this.#events.length > 0) {
      this.#pendingEvents--;
      const { queue, chain } = this.#events.shift()!;
      writeU32(this.#event, 0, VSOCK_EVENT.TRANSPORT_RESET);
      scatter(this.dma, chain, 0, this.#event, 0, VSOCK_EVENT_SIZE);
      if (!queue.complete(chain, VSOCK_EVENT_SIZE)) return queue.fail();
    }
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
