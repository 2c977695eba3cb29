// Administration commands (virtio 1.4 §2.12.1) as both sides know them, and what a device does with those of
// the self group: it says which commands it has, and holds the driver to those that it said it would use.
import { bytes, LayoutCodec, le16, le64, oneOf, reserved, type Value } from '../wire/index.ts';

/** Group types. The only member of a device's self group is the device itself, with identifier 0. */
export const ADMIN_GROUP = { SELF: 0, SR_IOV: 1 } as const;

/** Opcodes that every group has. */
export const ADMIN_OPCODE = { LIST_QUERY: 0x0000, LIST_USE: 0x0001 } as const;

/** `status` of a command: 0, or an error number as Linux has them. */
export const ADMIN_STATUS = {
  OK: 0,
  ENXIO: 6,
  EAGAIN: 11,
  ENOMEM: 12,
  EBUSY: 16,
  EINVAL: 22,
  ENOSPC: 28,
} as const;

/** `status_qualifier` of a command: why it failed. */
export const ADMIN_QUALIFIER = {
  OK: 0,
  INVALID_COMMAND: 1,
  INVALID_OPCODE: 2,
  INVALID_FIELD: 3,
  INVALID_GROUP: 4,
  INVALID_MEMBER: 5,
  NORESOURCE: 6,
  TRYAGAIN: 7,
} as const;
export type AdminQualifier = (typeof ADMIN_QUALIFIER)[keyof typeof ADMIN_QUALIFIER];

/** The part of a command that the device reads. */
export const adminRequest = new LayoutCodec('virtio_admin_cmd, read by the device', {
  opcode: le16,
  groupType: oneOf(ADMIN_GROUP, le16),
  reserved: reserved(12),
  groupMemberId: le64,
  commandSpecificData: bytes(),
});
export const ADMIN_REQUEST_HEADER = adminRequest.fixedSize;

/** The part of a command that the device writes. */
export const adminResponse = new LayoutCodec('virtio_admin_cmd, written by the device', {
  status: oneOf(ADMIN_STATUS, le16),
  statusQualifier: oneOf(ADMIN_QUALIFIER, le16),
  reserved: reserved(4),
  commandSpecificResult: bytes(),
});
export const ADMIN_RESPONSE_HEADER = adminResponse.fixedSize;
export type AdminResponse = Value<typeof adminResponse.layout>;

/** Both parts of a command are so many bytes long, or a multiple (§2.13). */
const WORD = 8;
const BITS_OF_WORD = 64;

/** Pads to whole words of 64 bits with zeroes. */
function adminWords(data: Uint8Array): Uint8Array {
  return padded(data, Math.ceil(data.length / WORD) * WORD);
}

/** Makes a command of the self group. */
export function encodeAdminRequest(
  opcode: number,
  commandSpecificData: Uint8Array = NOTHING,
): Uint8Array {
  const value = {
    opcode,
    groupType: ADMIN_GROUP.SELF,
    groupMemberId: 0n,
    commandSpecificData: adminWords(commandSpecificData),
  };
  const command = new Uint8Array(adminRequest.sizeOf(value));
  adminRequest.encode(value, command, 0);
  return command;
}

/** Reads what a device has written of its part; what it has not is zero (§2.13). */
export function decodeAdminResponse(written: Uint8Array): AdminResponse {
  const whole = padded(written, ADMIN_RESPONSE_HEADER);
  return adminResponse.decode(whole, 0, whole.length);
}

/** `struct virtio_admin_cmd_list`: a bit for each opcode, in as many words as the largest one needs. */
export function encodeAdminList(opcodes: Iterable<number>): Uint8Array {
  const all = [...opcodes];
  const words = Math.ceil((Math.max(0, ...all) + 1) / BITS_OF_WORD);
  const list = new Uint8Array(words * WORD);
  for (const opcode of all) list[opcode >>> 3] |= 1 << (opcode & 7);
  return list;
}

/** The opcodes whose bits are set. */
export function decodeAdminList(list: Uint8Array): Set<number> {
  const opcodes = new Set<number>();
  for (let opcode = 0; opcode < list.length * 8; opcode++) {
    if ((list[opcode >>> 3] & (1 << (opcode & 7))) !== 0) opcodes.add(opcode);
  }
  return opcodes;
}

/** A command of a device's self group. */
export interface AdminCommand {
  readonly opcode: number;
  /** Bytes of data that it looks at: missing ones are zero. */
  readonly dataSize: number;
  /** Does it; returns the result, or why nothing was done. `data` may be longer than `dataSize`. */
  execute(data: Uint8Array): Uint8Array | AdminQualifier;
}

/** The self group of a device: its commands, and which of them its driver uses. */
export class AdminCommands {
  executed = 0;
  readonly #commands: ReadonlyMap<number, AdminCommand>;
  #used: ReadonlySet<number> = LIST_COMMANDS;

  /** `own` are commands besides the two that every group has. */
  constructor(own: readonly AdminCommand[] = []) {
    const { LIST_QUERY, LIST_USE } = ADMIN_OPCODE;
    const all: readonly AdminCommand[] = [
      {
        opcode: LIST_QUERY,
        dataSize: 0,
        execute: () => encodeAdminList(this.#commands.keys()),
      },
      { opcode: LIST_USE, dataSize: WORD, execute: (data) => this.#use(data) },
      ...own,
    ];
    this.#commands = new Map(all.map((command) => [command.opcode, command]));
  }

  /** Forgets what the driver said it would use: the device was reset. */
  reset(): void {
    this.#used = LIST_COMMANDS;
  }

  /** Executes what a driver has sent and returns what the device is to write, in whole words. */
  execute(command: Uint8Array): Uint8Array {
    this.executed++;
    const outcome = this.#outcome(padded(command, ADMIN_REQUEST_HEADER));
    const failed = typeof outcome === 'number';
    const value = {
      status: failed ? ADMIN_STATUS.EINVAL : ADMIN_STATUS.OK,
      statusQualifier: failed ? outcome : ADMIN_QUALIFIER.OK,
      commandSpecificResult: failed ? NOTHING : adminWords(outcome),
    };
    const response = new Uint8Array(adminResponse.sizeOf(value));
    adminResponse.encode(value, response, 0);
    return response;
  }

  /** Looks at group, opcode and member, in this order (§2.12.1.1). */
  #outcome(command: Uint8Array): Uint8Array | AdminQualifier {
    const { opcode, groupType, groupMemberId, commandSpecificData } = adminRequest.decode(
      command,
      0,
      command.length,
    );
    if (groupType !== ADMIN_GROUP.SELF) return ADMIN_QUALIFIER.INVALID_GROUP;
    const found = this.#commands.get(opcode);
    if (found === undefined || !this.#used.has(opcode)) return ADMIN_QUALIFIER.INVALID_OPCODE;
    // The two commands that speak of lists have no member.
    if (!LIST_COMMANDS.has(opcode) && groupMemberId !== 0n) return ADMIN_QUALIFIER.INVALID_MEMBER;
    return found.execute(padded(commandSpecificData, found.dataSize));
  }

  #use(list: Uint8Array): Uint8Array | AdminQualifier {
    const opcodes = decodeAdminList(list);
    for (const opcode of opcodes) {
      if (!this.#commands.has(opcode)) return ADMIN_QUALIFIER.INVALID_FIELD;
    }
    this.#used = opcodes;
    return NOTHING;
  }
}

/** What may be sent to a group before the driver has said what it uses. */
const LIST_COMMANDS: ReadonlySet<number> = new Set(Object.values(ADMIN_OPCODE));
const NOTHING = new Uint8Array(0);

/** As many bytes as there are, or `size` with zeroes at the end. */
function padded(source: Uint8Array, size: number): Uint8Array {
  if (source.length >= size) return source;
  const whole = new Uint8Array(size);
  whole.set(source);
  return whole;
}
