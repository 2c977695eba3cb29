// What a scenario may say of a socket device and the service behind it.
import { z } from 'zod';
import { count, size, time } from '../../platform/scenario/fields.ts';
import { VSOCK_FIRST_GUEST_CID, VSOCK_LAST_GUEST_CID } from '../../platform/virtio/index.ts';
import { commonOptions, inOrderOption, queueSize } from '../common/index.ts';

const cid = () => count({ min: VSOCK_FIRST_GUEST_CID, max: VSOCK_LAST_GUEST_CID });

export const vsockOptions = z.strictObject({
  queueSize: queueSize({ min: 8 }).default(128).describe('Largest size of each queue.'),
  ...commonOptions,
  ...inOrderOption,
  guestCid: cid().default(VSOCK_FIRST_GUEST_CID).describe("The guest's context id."),
  port: count({ max: 0xffff_ffff }).default(7).describe('Port on which the echo service listens.'),
  connections: count({ min: 1, max: 4096 })
    .default(64)
    .describe('Connections that the service takes at the same time; more are refused.'),
  bufferSize: size({ min: 1, max: 16 * 1024 * 1024 })
    .default(262144)
    .describe('Bytes that a connection receives ahead of the service.'),
  migrate: z
    .array(z.strictObject({ at: time(), cid: cid() }))
    .default([])
    .describe('When the guest moves and gets another context id; connections do not survive it.'),
});

export type VsockOptions = z.output<typeof vsockOptions>;
