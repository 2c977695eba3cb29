// Which MAC address an IPv4 address has (RFC 826): a table, and packets that wait for an answer. Entries
// do not age; a station that announces itself anew replaces its own.
import type { Component, ComponentId } from '../../../platform/kernel/index.ts';
import { PS_PER_S } from '../../../platform/kernel/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import type { Offload } from '../packet.ts';

/** As in Linux: three requests, a second apart, and some packets that wait for the answer. */
export const ARP_TRIES = 3;
export const ARP_INTERVAL = PS_PER_S;
export const ARP_WAITING_MAX = 64;

/** A packet that waits for the address of its next stop. */
export interface WaitingPacket {
  readonly bytes: Uint8Array;
  readonly flow: number;
  readonly offload: Offload;
}

/** Is told the MAC address of a station, or -1 when nobody has answered. */
export type Resolved = (mac: number) => void;

interface Question {
  tries: number;
  readonly packets: WaitingPacket[];
  readonly callers: Resolved[];
}

export interface ArpOptions {
  readonly node: Node;
  /** Asks who has an address. */
  ask(address: number): void;
  /** Sends a packet that has waited. */
  release(packet: WaitingPacket, mac: number): void;
}

export class ArpTable implements Component {
  /** Packets dropped because nobody answered, or too many waited. */
  unresolved = 0;
  readonly #options: ArpOptions;
  readonly #id: ComponentId;
  readonly #macs = new Map<number, number>();
  readonly #questions = new Map<number, Question>();

  constructor(options: ArpOptions) {
    this.#options = options;
    this.#id = options.node.add(this);
  }

  /** The MAC address of a station, or -1. */
  find(address: number): number {
    return this.#macs.get(address) ?? -1;
  }

  /** Keeps a packet until the station has answered, asking it if need be. */
  wait(address: number, packet: WaitingPacket): void {
    const { packets } = this.#question(address);
    if (packets.length < ARP_WAITING_MAX) packets.push(packet);
    else this.unresolved++;
  }

  /** Finds the MAC address of a station, asking for it if need be. */
  resolve(address: number, resolved: Resolved): void {
    const mac = this.find(address);
    if (mac >= 0) resolved(mac);
    else this.#question(address).callers.push(resolved);
  }

  /** A station has told its address. Unasked, it is believed only when the station was known. */
  learn(address: number, mac: number, asked: boolean): void {
    const question = this.#questions.get(address);
    if (!asked && question === undefined && !this.#macs.has(address)) return;
    this.#macs.set(address, mac);
    this.#questions.delete(address);
    for (const packet of question?.packets ?? []) this.#options.release(packet, mac);
    for (const resolved of question?.callers ?? []) resolved(mac);
  }

  clear(): void {
    this.#macs.clear();
    this.#questions.clear();
  }

  /** An answer did not come in time. */
  deliver(_kind: number, address: number, tries: number): void {
    const question = this.#questions.get(address);
    if (question === undefined || question.tries !== tries) return;
    if (question.tries < ARP_TRIES) {
      question.tries++;
      this.#ask(address);
      return;
    }
    this.unresolved += question.packets.length;
    this.#questions.delete(address);
    for (const resolved of question.callers) resolved(-1);
  }

  /** The question for an address; asked now when it was not before. */
  #question(address: number): Question {
    const known = this.#questions.get(address);
    if (known !== undefined) return known;
    const question = { tries: 1, packets: [], callers: [] };
    this.#questions.set(address, question);
    this.#ask(address);
    return question;
  }

  #ask(address: number): void {
    this.#options.ask(address);
    const { tries } = this.#questions.get(address)!;
    this.#options.node.kernel.schedule(this.#id, ARP_INTERVAL, 0, address, tries);
  }
}
