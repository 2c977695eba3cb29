// The Toeplitz hash by which receive-side scaling tells flows apart: over addresses and ports as they stand
// in the packet, under a key. What was hashed is told by a number, from 1 on: IPv4, TCP and UDP over IPv4,
// and the same for IPv6, as network cards and virtio 1.4 §5.1.6.4.5 count them.
import { type FrameView, IP_PROTOCOL, IPV4, IPV6 } from './inet.ts';

/** Bytes of the longest input: two IPv6 addresses and two ports. */
const INPUT_MAX = 36;
const PORTS = 4;

/** What was hashed; the types to hash are a mask of `1 << (kind - 1)`. */
export const HASH_KIND = {
  none: 0,
  ipv4: 1,
  tcpv4: 2,
  udpv4: 3,
  ipv6: 4,
  tcpv6: 5,
  udpv6: 6,
} as const;
const IPV6_OFFSET = HASH_KIND.ipv6 - HASH_KIND.ipv4;

export class FlowHasher {
  /** Of the last packet. */
  kind: number = HASH_KIND.none;
  value = 0;
  /** Kinds to hash, as a mask. */
  #types = 0;
  /** The hash of each byte at each place of the input, under the key. */
  readonly #table = new Uint32Array(INPUT_MAX * 256);

  /** Sets what to hash, and the key; bits of the key that are missing are 0. */
  set(types: number, key: Uint8Array): void {
    this.#types = types;
    for (let place = 0; place < INPUT_MAX; place++) {
      for (let bit = 0; bit < 8; bit++) {
        const one = 1 << (7 - bit);
        this.#table[place * 256 + one] = keyBits(key, place * 8 + bit);
      }
      for (let byte = 1; byte < 256; byte++) {
        const low = byte & -byte;
        const at = place * 256;
        if (low !== byte)
          this.#table[at + byte] = this.#table[at + low] ^ this.#table[at + byte - low];
      }
    }
  }

  /** True when the last packet was of a kind that is hashed. */
  get hashed(): boolean {
    return this.kind !== HASH_KIND.none;
  }

  /** Hashes nothing any more. */
  clear(): void {
    this.#types = 0;
  }

  /** Hashes a frame that `view` has parsed: sets `kind` and `value`. */
  hash(bytes: Uint8Array, view: FrameView): void {
    this.kind = this.#kindOf(view);
    this.value = 0;
    if (this.kind === HASH_KIND.none) return;
    const from = view.network + (view.isIpv4 ? IPV4.source : IPV6.source);
    const length = view.isIpv4 ? 8 : 32;
    this.#add(bytes, from, length, 0);
    const addressesOnly = this.kind === HASH_KIND.ipv4 || this.kind === HASH_KIND.ipv6;
    if (!addressesOnly) this.#add(bytes, view.transport, PORTS, length);
  }

  #kindOf({ isIp, isIpv4, protocol, sourcePort, destinationPort }: FrameView): number {
    if (!isIp) return HASH_KIND.none;
    const offset = isIpv4 ? 0 : IPV6_OFFSET;
    const hasPorts = sourcePort !== 0 || destinationPort !== 0;
    const { tcp, udp } = IP_PROTOCOL;
    if (hasPorts && protocol === tcp && this.#wants(HASH_KIND.tcpv4 + offset)) {
      return HASH_KIND.tcpv4 + offset;
    }
    if (hasPorts && protocol === udp && this.#wants(HASH_KIND.udpv4 + offset)) {
      return HASH_KIND.udpv4 + offset;
    }
    return this.#wants(HASH_KIND.ipv4 + offset) ? HASH_KIND.ipv4 + offset : HASH_KIND.none;
  }

  #wants(kind: number): boolean {
    return ((this.#types >>> (kind - 1)) & 1) === 1;
  }

  #add(bytes: Uint8Array, from: number, length: number, place: number): void {
    let value = this.value;
    for (let i = 0; i < length; i++) value ^= this.#table[(place + i) * 256 + bytes[from + i]];
    this.value = value >>> 0;
  }
}

/** 32 bits of a key from a bit on. */
function keyBits(key: Uint8Array, from: number): number {
  let bits = 0;
  for (let i = 0; i < 32; i++) {
    const at = from + i;
    bits = (bits << 1) | (((key[at >>> 3] ?? 0) >>> (7 - (at & 7))) & 1);
  }
  return bits >>> 0;
}
