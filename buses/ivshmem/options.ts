// What a scenario may say of an ivshmem bus.
import { z } from 'zod';
import type { BusPlan, WithOptions } from '../../platform/contracts/index.ts';
import { oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import {
  dataPath,
  deviceNumbers,
  discovery,
  pingInterval,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';

export const ivshmemOptions = z.strictObject({
  maxMessageSize: size({ min: 8, max: SPSC_SLOT_SIZE })
    .prefault('64B')
    .describe('Largest message: a slot has 64 B, of which the code of 2025 uses 48 B.'),
  interrupts: oneOfNames(['msix', 'intx'])
    .default('msix')
    .describe('MSI-X, or INTx, whose handler must read INTR_STATUS (code of 2024).'),
  home: oneOfNames(['device', 'driver'])
    .default('device')
    .describe('Whose memory the shared RAM with the queues lies in; the other side reaches over.'),
  peerWindow: size({ min: 4096, multipleOf: 4096 })
    .optional()
    .describe("How much of the driver's RAM the device side sees. Default: all of it."),
  resetQueues: z
    .boolean()
    .default(true)
    .describe('The device side clears both queues before it says that it is ready.'),
  readyAfter: time()
    .prefault('0ps')
    .describe('Time from the start of the run until the device side is ready.'),
  discovery: discovery('messages'),
  deviceNumbers: deviceNumbers(),
  data: dataPath(),
  pingInterval: pingInterval(),
});

export type IvshmemOptions = z.output<typeof ivshmemOptions>;

/** A bus's plan with its options. */
export type IvshmemPlan = WithOptions<BusPlan, IvshmemOptions>;
