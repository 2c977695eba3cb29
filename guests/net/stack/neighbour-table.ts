// The stations of a network that a stack knows, and which MAC address each has (RFC 826, RFC 4861): a table,
// and packets that wait for an answer. Entries do not age; a station that announces itself anew replaces its own.
import type { Component, ComponentId } from '../../../platform/kernel/index.ts';
import { PS_PER_S } from '../../../platform/kernel/index.ts';
import { addressHash, type IpAddress, isAddress } from '../../../platform/network/index.ts';
import type { Node } from '../../../platform/node/index.ts';
import type { Offload } from '../packet.ts';
import type { Ip, Resolved, Station } from './ip.ts';

/** As in Linux and in RFC 4861 §10: three requests, a second apart, and some packets that wait for the answer. */
const TRIES_MAX = 3;
const INTERVAL = PS_PER_S;
const WAITING_MAX = 64;

/** A packet that waits for the address of its next stop. */
export interface WaitingPacket {
  readonly bytes: Uint8Array;
  readonly flow: number;
  readonly offload: Offload;
}

interface Question {
  tries: number;
  readonly packets: WaitingPacket[];
  readonly callers: Resolved[];
}

export interface NeighbourOptions {
  readonly node: Node;
  readonly ip: Ip;
  /** Asks who has an address. */
  ask(address: IpAddress): void;
  /** Sends a packet that has waited. */
  release(packet: WaitingPacket, mac: number): void;
}

export class NeighbourTable implements Component {
  /** Packets dropped because nobody answered, or too many waited. */
  unresolved = 0;
  readonly #options: NeighbourOptions;
  readonly #id: ComponentId;
  readonly #stations: Station[] = [];
  /** Stations by the hash of their address; it is seldom the same for two. */
  readonly #byHash = new Map<number, Station[]>();
  readonly #questions = new Map<Station, Question>();

  constructor(options: NeighbourOptions) {
    this.#options = options;
    this.#id = options.node.add(this);
  }

  /** The station whose address stands at a place. */
  station(bytes: Uint8Array, at: number): Station {
    const { ip } = this.#options;
    const hash = addressHash(bytes, at, ip.version);
    const known = this.#byHash.get(hash);
    for (const station of known ?? []) if (isAddress(station.address, bytes, at)) return station;
    const size = ip.version === 4 ? 4 : 16;
    const station: Station = { ip, address: bytes.slice(at, at + size), hash, mac: -1 };
    this.#stations.push(station);
    if (known === undefined) this.#byHash.set(hash, [station]);
    else known.push(station);
    return station;
  }

  /** Keeps a packet until the station has answered, asking it if need be. */
  wait(station: Station, packet: WaitingPacket): void {
    const { packets } = this.#question(station);
    if (packets.length < WAITING_MAX) packets.push(packet);
    else this.unresolved++;
  }

  /** Finds the MAC address of a station, asking for it if need be. */
  resolve(station: Station, resolved: Resolved): void {
    if (station.mac >= 0) resolved(station.mac);
    else this.#question(station).callers.push(resolved);
  }

  /** A station has told its address. Unasked, it is believed only when the station was known. */
  learn(station: Station, mac: number, asked: boolean): void {
    const question = this.#questions.get(station);
    if (!asked && question === undefined && station.mac < 0) return;
    station.mac = mac;
    this.#questions.delete(station);
    for (const packet of question?.packets ?? []) this.#options.release(packet, mac);
    for (const resolved of question?.callers ?? []) resolved(mac);
  }

  clear(): void {
    for (const station of this.#stations) station.mac = -1;
    this.#questions.clear();
  }

  /** An answer did not come in time. */
  deliver(_kind: number, index: number, tries: number): void {
    const station = this.#stations[index];
    const question = this.#questions.get(station);
    if (question === undefined || question.tries !== tries) return;
    if (question.tries < TRIES_MAX) {
      question.tries++;
      this.#ask(station, question);
      return;
    }
    this.unresolved += question.packets.length;
    this.#questions.delete(station);
    for (const resolved of question.callers) resolved(-1);
  }

  /** The question for a station's address; asked now when it was not before. */
  #question(station: Station): Question {
    const known = this.#questions.get(station);
    if (known !== undefined) return known;
    const question = { tries: 1, packets: [], callers: [] };
    this.#questions.set(station, question);
    this.#ask(station, question);
    return question;
  }

  #ask(station: Station, { tries }: Question): void {
    const { node, ask } = this.#options;
    ask(station.address);
    const index = this.#stations.indexOf(station);
    node.kernel.schedule(this.#id, INTERVAL, 0, index, tries);
  }
}
