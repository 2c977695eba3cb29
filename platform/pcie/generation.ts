// What a PCI Express link carries: speed by generation and lanes, and what each packet costs besides
// its data. Flits of generation 6 are modelled as a constant share of the raw speed.

export const GENERATIONS = [1, 2, 3, 4, 5, 6] as const;
export type Generation = (typeof GENERATIONS)[number];

export const LANES = [1, 2, 4, 8, 16] as const;
export type Lanes = (typeof LANES)[number];

interface Encoding {
  /** Transfers per second and lane, in units of 10^9. */
  readonly gigatransfers: number;
  /** Bits of payload among the bits on the wire. */
  readonly payloadBits: number;
  readonly wireBits: number;
  /** Bytes around the header and data of each packet. */
  readonly framing: number;
}

/** Start, sequence number, LCRC and end symbol of a packet, with 8b/10b. */
const SYMBOL_FRAMING = 1 + 2 + 4 + 1;
/** STP token, which holds the sequence number, and LCRC, with 128b/130b. */
const TOKEN_FRAMING = 4 + 4;

// PCI Express Base Specification 6.0, §4.2. A flit has 256 bytes, 236 of them for packets; CRC and
// forward error correction are in the rest, so that packets need no framing.
const ENCODINGS: Readonly<Record<Generation, Encoding>> = {
  1: { gigatransfers: 2.5, payloadBits: 8, wireBits: 10, framing: SYMBOL_FRAMING },
  2: { gigatransfers: 5, payloadBits: 8, wireBits: 10, framing: SYMBOL_FRAMING },
  3: { gigatransfers: 8, payloadBits: 128, wireBits: 130, framing: TOKEN_FRAMING },
  4: { gigatransfers: 16, payloadBits: 128, wireBits: 130, framing: TOKEN_FRAMING },
  5: { gigatransfers: 32, payloadBits: 128, wireBits: 130, framing: TOKEN_FRAMING },
  6: { gigatransfers: 64, payloadBits: 236, wireBits: 256, framing: 0 },
};

const BITS_PER_BYTE = 8;
const PS_PER_NS = 1000;

/** Picoseconds that one byte of a packet takes on a link; not a whole number. */
export function psPerByte(generation: Generation, lanes: Lanes): number {
  const { gigatransfers, payloadBits, wireBits } = ENCODINGS[generation];
  return (BITS_PER_BYTE * PS_PER_NS * wireBits) / (gigatransfers * payloadBits * lanes);
}

/** Bytes that a packet has besides its header and data. */
export function framingBytes(generation: Generation): number {
  return ENCODINGS[generation].framing;
}
