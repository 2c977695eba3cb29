// The block device as a row of the table of devices.
import { defineDevice } from '../common/index.ts';
import { BlkDevice } from './blk-device.ts';
import { blkOptions } from './options.ts';

export const blk = defineDevice({
  type: 'blk',
  doc: 'A disk: read, write, flush, get-id; backed by an image file or by memory.',
  spec: 'virtio 1.4 §5.2',
  options: blkOptions,
  timing: [
    {
      name: 'blk.serviceRead',
      dimension: 'time',
      doc: 'The medium serves a read, besides its bytes.',
    },
    {
      name: 'blk.serviceWrite',
      dimension: 'time',
      doc: 'The medium serves a write, besides its bytes.',
    },
    { name: 'blk.serviceFlush', dimension: 'time', doc: 'The medium makes all writes durable.' },
    { name: 'blk.mediaRate', dimension: 'rate', doc: 'Bytes to or from the medium, per channel.' },
  ],
  create: (environment) => new BlkDevice(environment),
});
