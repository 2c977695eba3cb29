// The channel commands of virtio-ccw (virtio 1.4 §4.3.1.1), each once: code, direction, data, meaning. The
// README's table is generated from here.

export interface CommandRow {
  readonly code: number;
  /** 'write' takes data from the guest, 'read' fills it, 'both' reads an index from it first. */
  readonly access: 'none' | 'read' | 'write' | 'both';
  /** Bytes of data without which the command can't be done. */
  readonly size: number;
  /** The least revision that has it; 0 for commands that any channel device knows. */
  readonly revision: 0 | 1 | 2;
  readonly doc: string;
}

export const commands = {
  NOP: { code: 0x03, access: 'none', size: 0, revision: 0, doc: 'Does nothing.' },
  SENSE: {
    code: 0x04,
    access: 'read',
    size: 1,
    revision: 0,
    doc: 'Tells again why the last program was stopped.',
  },
  SENSE_ID: {
    code: 0xe4,
    access: 'read',
    size: 7,
    revision: 0,
    doc: 'Tells type (0x3832) and model (virtio device type) of the control unit.',
  },
  SET_VIRTIO_REV: {
    code: 0x83,
    access: 'write',
    size: 4,
    revision: 0,
    doc: 'Selects the revision of the transport, once.',
  },
  VDEV_RESET: { code: 0x33, access: 'none', size: 0, revision: 1, doc: 'Resets the device.' },
  READ_FEAT: {
    code: 0x12,
    access: 'both',
    size: 5,
    revision: 1,
    doc: 'Reads a block of offered features.',
  },
  WRITE_FEAT: {
    code: 0x11,
    access: 'write',
    size: 5,
    revision: 1,
    doc: 'Writes a block of accepted features.',
  },
  READ_CONF: {
    code: 0x22,
    access: 'read',
    size: 0,
    revision: 1,
    doc: 'Reads the configuration space from its start.',
  },
  WRITE_CONF: {
    code: 0x21,
    access: 'write',
    size: 0,
    revision: 1,
    doc: 'Writes the configuration space from its start.',
  },
  READ_STATUS: { code: 0x72, access: 'read', size: 1, revision: 2, doc: 'Reads the status.' },
  WRITE_STATUS: { code: 0x31, access: 'write', size: 1, revision: 1, doc: 'Writes the status.' },
  READ_VQ_CONF: {
    code: 0x32,
    access: 'both',
    size: 4,
    revision: 1,
    doc: 'Reads the largest size of a queue; 0: there is none.',
  },
  SET_VQ: {
    code: 0x13,
    access: 'write',
    size: 32,
    revision: 1,
    doc: 'Sets a queue up: size and the addresses of its areas.',
  },
  SET_IND: {
    code: 0x43,
    access: 'write',
    size: 8,
    revision: 1,
    doc: 'Tells where the indicators of queues are, for classic interrupts.',
  },
  SET_CONF_IND: {
    code: 0x53,
    access: 'write',
    size: 8,
    revision: 1,
    doc: 'Tells where the indicator of configuration changes is.',
  },
  SET_IND_ADAPTER: {
    code: 0x73,
    access: 'write',
    size: 25,
    revision: 1,
    doc: 'Tells where summary and indicators are, for adapter interrupts.',
  },
} as const satisfies Readonly<Record<string, CommandRow>>;

export type CommandName = keyof typeof commands;

const byCode = new Map<number, CommandName>();
for (const name of Object.keys(commands) as CommandName[]) byCode.set(commands[name].code, name);

/** The command of this code, or null. */
export function commandOf(code: number): CommandName | null {
  return byCode.get(code) ?? null;
}

/** Transfer in channel: the program goes on elsewhere. */
export const TRANSFER_IN_CHANNEL = 0x08;

/** The control unit type of all virtio devices. */
export const CONTROL_UNIT_TYPE = 0x3832;
/** The revision spoken here: Virtio 1 with READ_STATUS. */
export const REVISION = 2;
/** Bytes of configuration space that a driver has room for. */
export const CONFIG_SIZE = 0x100;
/** Queues that classic indicators have a bit for. */
export const CLASSIC_QUEUES_MAX = 64;

/** Instructions of the guest that exit to the device model. */
export const Instruction = {
  STSCH: 1,
  MSCH: 2,
  SSCH: 3,
  TSCH: 4,
  DIAGNOSE: 5,
  STCRW: 6,
} as const;

/** Condition codes of I/O instructions. */
export const Condition = { DONE: 0, STATUS_PENDING: 1, BUSY: 2, NOT_OPERATIONAL: 3 } as const;
/** Condition code of STCRW when there is no report. */
export const NO_REPORT = 1;
