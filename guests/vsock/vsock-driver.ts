// The virtio-vsock driver (virtio 1.4 §5.10): sockets of the guest, packets on two queues with credit in
// both directions, and the event that says that the guest was moved.
import type { DriverEnvironment } from '../../platform/contracts/index.ts';
import { Milestone, Priority } from '../../platform/node/index.ts';
import {
  VSOCK_DEVICE_ID,
  VSOCK_EVENT,
  VSOCK_EVENT_SIZE,
  VSOCK_F,
  VSOCK_HEADER_SIZE,
  VSOCK_HOST_CID,
  VSOCK_OP,
  VSOCK_QUEUE,
  VSOCK_SEQ,
  VSOCK_SHUTDOWN,
  VSOCK_TYPE,
  VsockHeader,
  vsockConfig,
} from '../../platform/virtio/index.ts';
import { FIRST_OWN_STEP, VirtioDriver } from '../common/index.ts';
import { PacketSender } from './packet-sender.ts';
import { Socket, type SocketOwner, type VsockClient } from './socket.ts';
import type { SocketEffect } from './socket-chart.ts';

/** Packets on their way out at a time, and buffers for those that come in; payload of each. */
const PACKETS = 64;
const PAYLOAD = 4096;
const PACKET_SIZE = 4160;
const EVENTS = 4;
const EVENT_CELL = 64;
/** Replies that wait for a place at the most; then no more packets are taken in. */
export const REPLIES_MAX = 256;
/** Local ports are given out from here on. */
const FIRST_PORT = 49152;

const STEP_FILL = FIRST_OWN_STEP;
const STEP_REFILL = FIRST_OWN_STEP + 1;
const STEP_EVENT_REFILL = FIRST_OWN_STEP + 2;
const STEP_POST = FIRST_OWN_STEP + 3;

export class VsockDriver extends VirtioDriver implements SocketOwner {
  readonly #sockets: Socket[] = [];
  readonly #byPort = new Map<number, Socket>();
  #guestCid = 0;
  #nextPort = FIRST_PORT;
  #buffers = 0;
  /** Bytes of the packet in each place. */
  readonly #lengths = new Int32Array(PACKETS);
  readonly #sender: PacketSender;
  /** Buffers that are kept back while too many replies wait. */
  readonly #heldBack: number[] = [];
  /** Users have been told that they can connect. */
  #ready = false;
  /** The device was reset, and had nothing to return. */
  #cameBackIdle = false;
  readonly #header = new VsockHeader();
  readonly #stamp = new VsockHeader();
  readonly #bytes = new Uint8Array(PACKET_SIZE);

  constructor(environment: DriverEnvironment) {
    super(environment, {
      deviceId: VSOCK_DEVICE_ID,
      queueCount: 3,
      features: VSOCK_F.STREAM | VSOCK_F.SEQPACKET | VSOCK_F.NO_IMPLIED_STREAM,
      configSize: vsockConfig.fixedSize,
      segmentsMax: 1,
    });
    this.#sender = new PacketSender({
      node: this.node,
      ringCosts: this.ringCosts,
      payload: PAYLOAD,
      guestCid: () => this.#guestCid,
      post: (place, bytes, length) => this.#post(place, bytes, length),
      replied: () => this.#offerAgain(),
    });
  }

  /** How often a socket has asked for credit. */
  get creditRequests(): number {
    return this.#sender.creditRequests;
  }

  get guestCid(): number {
    return this.#guestCid;
  }

  /** Makes a socket of a type that receives so many bytes ahead of its reader; returns its number. */
  socket(client: VsockClient, bufferSize: number, type: number = VSOCK_TYPE.STREAM): number {
    const socket = new Socket(this, { index: this.#sockets.length, client, bufferSize, type });
    return this.#sockets.push(socket) - 1;
  }

  /** Asks for a connection to a port of the host. */
  connect(index: number, port: number): void {
    const socket = this.#sockets[index];
    socket.localPort = this.#nextPort++;
    socket.peerPort = port;
    socket.askedForCredit = false;
    socket.stream.reset();
    this.#byPort.set(socket.localPort, socket);
    socket.chart.send({ type: 'CONNECT' });
  }

  /** Sends bytes, a message of a seqpacket socket; they are copied now, and go as the peer has room. */
  send(index: number, bytes: Uint8Array, length: number): void {
    const socket = this.#sockets[index];
    socket.stream.write(bytes, 0, length, socket.isSeqpacket ? VSOCK_SEQ.EOM | VSOCK_SEQ.EOR : 0);
    this.#sender.queue(socket);
  }

  /** Reads up to `length` bytes that have come. Returns how many there were. */
  read(index: number, target: Uint8Array, length: number): number {
    const socket = this.#sockets[index];
    const count = socket.stream.read(target, length);
    const told = socket.chart.matches('established') && socket.stream.owesUpdate;
    if (told) this.#reply(socket, VSOCK_OP.CREDIT_UPDATE);
    return count;
  }

  /** True when what was read last ends a message. */
  messageEnded(index: number): boolean {
    return (this.#sockets[index].stream.readFlags & VSOCK_SEQ.EOM) !== 0;
  }

  /** Ends a connection for both directions. */
  close(index: number): void {
    this.#sockets[index].chart.send({ type: 'CLOSE' });
  }

  performSocket(socket: Socket, effect: SocketEffect): void {
    switch (effect.type) {
      case 'request':
        return this.#reply(socket, VSOCK_OP.REQUEST);
      case 'connected':
        return socket.client.vsockConnected(socket.index);
      case 'sendShutdown':
        return this.#reply(socket, VSOCK_OP.SHUTDOWN, VSOCK_SHUTDOWN.BOTH);
      case 'sendReset':
        return this.#reply(socket, VSOCK_OP.RST);
      case 'closed':
        this.#byPort.delete(socket.localPort);
        socket.stream.discard();
        return socket.client.vsockClosed(socket.index, effect.reason);
    }
  }

  protected override get plugged(): boolean {
    return false;
  }

  protected override bufferBytes(): number {
    return 2 * PACKETS * PACKET_SIZE + EVENTS * EVENT_CELL;
  }

  protected override wentLive(buffers: number): void {
    this.#buffers = buffers;
    // A packet takes one descriptor, and a small queue has few of them.
    this.#sender.start(Math.min(PACKETS, this.rings[VSOCK_QUEUE.tx].size));
    this.#heldBack.length = 0;
    this.#readCid(this.config);
    const cost = this.ringCosts.add(this.#receiveBuffers + EVENTS);
    this.later(STEP_FILL, cost);
    // With nothing to do it has done all it can.
    if (this.#cameBackIdle) this.proven();
    this.#cameBackIdle = false;
    if (this.#ready) return;
    this.#ready = true;
    const clients = new Set(this.#sockets.map(({ client }) => client));
    for (const client of clients) client.vsockReady();
  }

  /** The host forgets all connections. */
  protected override interrupted(): void {
    this.#cameBackIdle = this.#sender.idle;
    this.#sender.stop();
    for (const socket of this.#sockets) socket.queued = false;
    for (const socket of this.#sockets) socket.chart.send({ type: 'TRANSPORT_RESET' });
  }

  protected override wentDown(reason: string): void {
    this.#ready = false;
    this.#sender.stop();
    this.#byPort.clear();
    for (const socket of this.#sockets) {
      socket.queued = false;
      socket.chart.send({ type: 'LOST' });
    }
    const clients = new Set(this.#sockets.map(({ client }) => client));
    for (const client of clients) client.vsockDown(reason);
  }

  protected override work(step: number, a: number): void {
    if (!this.live) return;
    if (step === STEP_REFILL) this.#offer(step, VSOCK_QUEUE.rx, a);
    else if (step === STEP_EVENT_REFILL) this.#offer(step, VSOCK_QUEUE.event, a);
    else if (step === STEP_POST) this.#addPacket(a);
    else this.#fill();
  }

  protected override completed(queue: number, head: number, written: number, use: number): void {
    // A packet's place, a buffer or an event cell.
    const meaning = this.tagOf(queue, head);
    if (queue === VSOCK_QUEUE.tx) {
      this.node.milestones?.mark(this.index, queue, head, use, Milestone.completed);
      return this.#sender.returned(meaning);
    }
    if (queue === VSOCK_QUEUE.event) {
      const id = this.node.memory.readU32(this.#eventAddress(meaning));
      if (written < VSOCK_EVENT_SIZE || id !== VSOCK_EVENT.TRANSPORT_RESET) {
        this.#violation('an event of an unknown kind');
      } else this.readConfig(0, vsockConfig.fixedSize);
      return this.#offer(STEP_EVENT_REFILL, queue, meaning);
    }
    this.#received(this.#receiveAddress(meaning), written);
    this.#heldBack.push(meaning);
    this.#offerAgain();
  }

  /** A guest that was moved has another id; only now can anybody connect again. */
  protected override configRead(_offset: number, data: Uint8Array): void {
    this.#readCid(data);
    for (const socket of this.#sockets) socket.chart.send({ type: 'TRANSPORT_RESET' });
  }

  #readCid(data: Uint8Array): void {
    this.#guestCid = Number(vsockConfig.decode(data, 0, data.length).guestCid);
  }

  get #receiveBuffers(): number {
    return Math.min(PACKETS, this.rings[VSOCK_QUEUE.rx].size);
  }

  #fill(): void {
    const { rx, event } = VSOCK_QUEUE;
    if (this.restarts.parks(rx, STEP_FILL, 0) || this.restarts.parks(event, STEP_FILL, 0)) return;
    for (let i = 0; i < this.#receiveBuffers; i++) this.#offerCell(rx, i);
    this.kick(rx);
    for (let i = 0; i < EVENTS; i++) this.#offerCell(event, i);
    this.kick(event);
  }

  #offer(step: number, queue: number, buffer: number): void {
    if (this.restarts.parks(queue, step, buffer)) return;
    this.#offerCell(queue, buffer);
    this.kick(queue);
  }

  #offerCell(queue: number, cell: number): void {
    const size = queue === VSOCK_QUEUE.rx ? PACKET_SIZE : VSOCK_EVENT_SIZE;
    this.countUse(queue, this.#add(queue, cell, size));
  }

  /** Gives buffers back to the device, unless too many replies wait: that holds the peer back. */
  #offerAgain(): void {
    if (this.#sender.backlog >= REPLIES_MAX) return;
    for (const buffer of this.#heldBack) {
      const cost = this.ringCosts.add();
      this.later(STEP_REFILL, cost, buffer, Priority.interrupt);
    }
    this.#heldBack.length = 0;
  }

  /** Makes a cell available and returns the head of its chain. */
  #add(queue: number, cell: number, length: number): number {
    const ring = this.rings[queue];
    ring.addSegment(
      this.transport.busAddress(this.#address(queue, cell)),
      length,
      queue !== VSOCK_QUEUE.tx,
    );
    return this.commit(queue, cell);
  }

  /** A packet of the host. */
  #received(address: number, length: number): void {
    const header = this.#header;
    if (length < VSOCK_HEADER_SIZE || length > PACKET_SIZE) {
      return this.#violation(`a packet of ${length} bytes`);
    }
    this.node.memory.copyOut(address, this.#bytes, 0, length);
    header.read(this.#bytes, 0);
    if (header.len > length - VSOCK_HEADER_SIZE) {
      return this.#violation(`a packet of ${header.len} bytes with ${length} in all`);
    }
    // What was sent to an earlier id of this guest is for nobody.
    if (header.dstCid !== this.#guestCid) return;
    const socket = this.#byPort.get(header.dstPort);
    const known = socket !== undefined && socket.peerPort === header.srcPort;
    if (!known || header.type !== socket.type || header.srcCid !== VSOCK_HOST_CID) {
      return this.#refuse();
    }
    socket.stream.learn(header);
    socket.askedForCredit = false;
    this.#operation(socket);
    if (socket.stream.unsent > 0) this.#sender.queue(socket);
  }

  #operation(socket: Socket): void {
    const { op, flags, len } = this.#header;
    const { chart, stream } = socket;
    switch (op) {
      case VSOCK_OP.RESPONSE:
        return chart.send({ type: 'RESPONSE' });
      case VSOCK_OP.RST:
        return chart.send({ type: 'RST' });
      case VSOCK_OP.SHUTDOWN:
        if ((flags & VSOCK_SHUTDOWN.BOTH) !== 0) chart.send({ type: 'PEER_IS_DONE' });
        return;
      case VSOCK_OP.CREDIT_UPDATE:
        return;
      case VSOCK_OP.CREDIT_REQUEST:
        return this.#reply(socket, VSOCK_OP.CREDIT_UPDATE);
      case VSOCK_OP.RW:
        // Bytes that cross the end of a connection are for nobody.
        if (!chart.matches('established')) return;
        if (stream.receive(this.#bytes, VSOCK_HEADER_SIZE, len, socket.isSeqpacket ? flags : 0)) {
          return socket.client.vsockReadable(socket.index);
        }
        this.#violation(`${len} bytes beyond the credit of socket ${socket.index}`);
        return chart.send({ type: 'ABORT' });
      default:
        this.#violation(`operation ${op} on socket ${socket.index}`);
        return chart.send({ type: 'ABORT' });
    }
  }

  /** Answers a packet that no socket is there for; a reset is not answered. */
  #refuse(): void {
    const { op, srcPort, dstPort, type } = this.#header;
    if (op === VSOCK_OP.RST) return;
    this.#sender.reply({
      localPort: dstPort,
      peerPort: srcPort,
      type,
      op: VSOCK_OP.RST,
      flags: 0,
      bufAlloc: 0,
      fwdCnt: 0,
    });
  }

  #reply({ localPort, peerPort, type, stream }: Socket, op: number, flags = 0): void {
    const stamp = this.#stamp;
    stream.stamp(stamp);
    const { bufAlloc, fwdCnt } = stamp;
    this.#sender.reply({ localPort, peerPort, type, op, flags, bufAlloc, fwdCnt });
  }

  /** Puts a packet on its queue. */
  #post(place: number, bytes: Uint8Array, length: number): void {
    this.node.memory.copyIn(this.#address(VSOCK_QUEUE.tx, place), bytes, 0, length);
    this.#lengths[place] = length;
    this.#addPacket(place);
  }

  #addPacket(place: number): void {
    const queue = VSOCK_QUEUE.tx;
    if (this.restarts.parks(queue, STEP_POST, place)) return;
    const head = this.#add(queue, place, this.#lengths[place]);
    const use = this.countUse(queue, head);
    const { milestones } = this.node;
    milestones?.mark(this.index, queue, head, use, Milestone.submitted, {
      key: this.#sender.sinceKey,
      at: this.#sender.since,
    });
    milestones?.mark(this.index, queue, head, use, Milestone.published);
    this.kick(queue);
  }

  #address(queue: number, cell: number): number {
    if (queue === VSOCK_QUEUE.tx) return this.#buffers + PACKET_SIZE * cell;
    return queue === VSOCK_QUEUE.rx ? this.#receiveAddress(cell) : this.#eventAddress(cell);
  }

  #receiveAddress(buffer: number): number {
    return this.#buffers + PACKET_SIZE * (PACKETS + buffer);
  }

  #eventAddress(cell: number): number {
    return this.#buffers + PACKET_SIZE * 2 * PACKETS + EVENT_CELL * cell;
  }

  #violation(text: string): void {
    this.node.violations.report('BAD_REQUEST', `${this.name}: ${text}`);
  }
}
