// What a scenario may say of an ivshmem bus.
import { z } from 'zod';
import type { BusPlan, Finding, Topology, WithOptions } from '../../platform/contracts/index.ts';
import { oneOfNames, size, time } from '../../platform/scenario/fields.ts';
import {
  dataPath,
  deviceNumbers,
  discovery,
  pingInterval,
  SPSC_SLOT_SIZE,
} from '../common/index.ts';

export const ivshmemOptions = z.strictObject({
  frontEnd: oneOfNames(['messages', 'mmio'])
    .default('messages')
    .describe(
      'What drivers see: virtio-msg, or virtio-mmio devices, with a device model on their node that asks ' +
        'the peer on behalf of the guest (proxy-qemu).',
    ),
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

/** What a device model in front of the bus needs: a CPU besides that of its guest, and plain messages. */
export function checkProxy(plan: BusPlan, { nodes }: Topology): readonly Finding[] {
  const { frontEnd, data, deviceNumbers: numbers } = (plan as IvshmemPlan).options;
  const { name, cpus } = nodes[plan.driver];
  if (frontEnd === 'messages') return [];
  const findings: Finding[] = [];
  if (cpus === 1) {
    const message = `'${name}' has one CPU for a guest and for the device model that it waits for`;
    findings.push({ field: 'driver', message, expected: 'a node with two CPUs or more' });
  }
  if (data === 'inBand') {
    const message = 'a guest with virtio-mmio in front has memory that the peer sees';
    findings.push({ field: 'data', message, expected: 'shared' });
  }
  if (numbers === '32bit') {
    const message = 'the proxy speaks with device numbers of 16 bits';
    findings.push({ field: 'deviceNumbers', message, expected: '16bit' });
  }
  return findings;
}
