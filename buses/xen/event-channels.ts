// The event channels of one domain (Xen public event_channel.h), two-level: a pending and a mask bit for
// each port in the page that the domain shares with the hypervisor, and a selector of words above them. One
// upcall serves all ports.
//
//   shared_info of Arm, 64 bits:
//   0x000 vcpu_info: evtchn_upcall_pending u8 │ pad │ 0x008 evtchn_pending_sel le64 │ time
//   0x030 evtchn_pending, 64 × le64: a bit for each port
//   0x230 evtchn_mask,    64 × le64
//
//   unbound ──bind──▶ interdomain ──closed by the other domain──▶ unbound ──close──▶ free
import { InterruptLine, type Memory, type Node, PAGE_SIZE } from '../../platform/node/index.ts';

const UPCALL_PENDING = 0x000;
const PENDING_SELECTOR = 0x008;
const PENDING = 0x030;
const MASK = 0x230;
/** EVTCHN_2L_NR_CHANNELS with words of 64 bits. Port 0 is no port. */
export const PORTS_MAX = 4096;
const WORD_BITS = 64;

/** Why an operation on a port was denied. */
export type EventDenial =
  | 'no port is left'
  | 'no such port'
  | 'the port is bound to nobody'
  | 'the port is for another domain';

interface Port {
  /** The only domain that may bind it, or has. */
  remoteDomain: number;
  /** The port at the other end; 0 while nobody is bound. */
  remotePort: number;
  /** Runs on a core of the domain, with the port masked and its event taken. */
  readonly handler: () => void;
  /** The hypervisor itself listens: no bits, no upcall. */
  readonly ofHypervisor: boolean;
  /** Events that found one pending, those that the mask kept, those that were handled. */
  merged: number;
  masked: number;
  handled: number;
}

/** What became of the events of one port. */
export type PortCounters = Readonly<Pick<Port, 'merged' | 'masked' | 'handled'>>;

export class EventChannels {
  /** Set by the last call that was denied. */
  denial: EventDenial = 'no such port';
  /** Address of the shared page in the domain's RAM. */
  readonly address: number;
  readonly #memory: Memory;
  readonly #ports: (Port | null)[] = [null];
  /** The interrupt of the upcall. */
  readonly #line: InterruptLine;

  /** Takes a page of the node's memory. */
  constructor(node: Node) {
    this.#memory = node.memory;
    this.address = node.memory.allocate(PAGE_SIZE, PAGE_SIZE);
    this.#memory.fill(this.address + MASK, PORTS_MAX / 8, 0xff);
    this.#line = new InterruptLine(node, () => this.#upcall());
  }

  /**
   * EVTCHNOP_alloc_unbound: a port that one other domain may bind. It is masked until it is unmasked.
   * Returns -1 with `denial` set when no port is left.
   */
  allocateUnbound(remoteDomain: number, handler: () => void): number {
    return this.#allocate(remoteDomain, handler, false);
  }

  /** The same for the hypervisor, which serves the port itself, beside the domain. */
  allocateForHypervisor(remoteDomain: number, handler: () => void): number {
    return this.#allocate(remoteDomain, handler, true);
  }

  /** EVTCHNOP_bind_interdomain: a port of the own, bound to one of the other domain. */
  bindInterdomain(remoteDomain: number, remotePort: number, handler: () => void): number {
    const port = this.#allocate(remoteDomain, handler, false);
    if (port > 0) this.#ports[port]!.remotePort = remotePort;
    return port;
  }

  /** The other domain has bound its port to an unbound one of here. Returns false when it may not. */
  bound(port: number, remoteDomain: number, remotePort: number): boolean {
    const known = this.#portFor(port, remoteDomain);
    if (known === null) return false;
    known.remotePort = remotePort;
    return true;
  }

  /** EVTCHNOP_close: the port is free. */
  close(port: number): void {
    if (this.#ports[port] === undefined) return;
    this.#set(MASK, port, true);
    this.#set(PENDING, port, false);
    this.#ports[port] = null;
  }

  /** The other domain has closed its end, or is no more: the port may be bound again. */
  unbound(port: number, remoteDomain: number): void {
    const known = this.#portFor(port, remoteDomain);
    if (known !== null) known.remotePort = 0;
  }

  /** EVTCHNOP_send: the port of the other domain to notify, or -1 with `denial` set. */
  target(port: number): number {
    const known = this.#ports[port] ?? null;
    if (known !== null && known.remotePort > 0) return known.remotePort;
    this.denial = known === null ? 'no such port' : 'the port is bound to nobody';
    return -1;
  }

  /** An event has come from a domain. Returns false, with `denial` set, for a port it may not notify. */
  notified(port: number, fromDomain: number): boolean {
    const known = this.#portFor(port, fromDomain);
    if (known === null) return false;
    if (known.ofHypervisor) {
      known.handled++;
      known.handler();
      return true;
    }
    if (this.isPending(port)) {
      known.merged++;
      return true;
    }
    this.#set(PENDING, port, true);
    if (this.isMasked(port)) known.masked++;
    else this.#select(port);
    return true;
  }

  isPending(port: number): boolean {
    return this.#get(PENDING, port);
  }

  isMasked(port: number): boolean {
    return this.#get(MASK, port);
  }

  /** EVTCHNOP_unmask: lets events through again; one that is pending makes an upcall now. */
  unmask(port: number): void {
    if (!this.isMasked(port)) return;
    this.#set(MASK, port, false);
    if (this.isPending(port)) this.#select(port);
  }

  counters(port: number): PortCounters {
    return this.#ports[port]!;
  }

  #allocate(remoteDomain: number, handler: () => void, ofHypervisor: boolean): number {
    const free = this.#ports.indexOf(null, 1);
    const port = free < 0 ? this.#ports.length : free;
    if (port === PORTS_MAX) {
      this.denial = 'no port is left';
      return -1;
    }
    const counters = { merged: 0, masked: 0, handled: 0 };
    this.#ports[port] = { remoteDomain, remotePort: 0, handler, ofHypervisor, ...counters };
    return port;
  }

  #portFor(port: number, remoteDomain: number): Port | null {
    const known = this.#ports[port] ?? null;
    if (known === null) this.denial = 'no such port';
    else if (known.remoteDomain !== remoteDomain) this.denial = 'the port is for another domain';
    else return known;
    return null;
  }

  /** The selector tells in which word to look; the vCPU is interrupted unless it is on its way. */
  #select(port: number): void {
    const word = Math.floor(port / WORD_BITS);
    if (this.#get(PENDING_SELECTOR, word)) return;
    this.#set(PENDING_SELECTOR, word, true);
    this.#memory.writeU8(this.address + UPCALL_PENDING, 1);
    this.#line.raise();
  }

  /** The handler of the upcall: takes each event that is pending and not masked. */
  #upcall(): void {
    this.#memory.writeU8(this.address + UPCALL_PENDING, 0);
    const words = Math.ceil(this.#ports.length / WORD_BITS);
    for (let word = 0; word < words; word++) {
      if (!this.#get(PENDING_SELECTOR, word)) continue;
      this.#set(PENDING_SELECTOR, word, false);
      this.#handleWord(word);
    }
  }

  #handleWord(word: number): void {
    const end = Math.min((word + 1) * WORD_BITS, this.#ports.length);
    for (let port = word * WORD_BITS; port < end; port++) {
      const known = this.#ports[port];
      if (!known || !this.isPending(port) || this.isMasked(port)) continue;
      this.#set(MASK, port, true);
      this.#set(PENDING, port, false);
      known.handled++;
      known.handler();
    }
  }

  #get(table: number, bit: number): boolean {
    return ((this.#memory.readU8(this.address + table + (bit >> 3)) >> (bit & 7)) & 1) === 1;
  }

  #set(table: number, bit: number, value: boolean): void {
    const at = this.address + table + (bit >> 3);
    const mask = 1 << (bit & 7);
    const byte = this.#memory.readU8(at);
    this.#memory.writeU8(at, value ? byte | mask : byte & ~mask);
  }
}
