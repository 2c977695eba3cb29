// The block device as a row of the table of devices.
import { defineDevice } from '../common/index.ts';
import { BlkDevice } from './blk-device.ts';
import { blkOptions, checkBlk } from './options.ts';

export const blk = defineDevice({
  type: 'blk',
  doc: 'A disk of one or many queues, with discard, zones, write cache and power failures; backed by an image file or by memory.',
  spec: 'virtio 1.4 §5.2',
  options: blkOptions,
  check: checkBlk,
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
    {
      name: 'blk.serviceFlush',
      dimension: 'time',
      doc: 'The medium makes all writes durable, besides the bytes in its cache.',
    },
    {
      name: 'blk.serviceDiscard',
      dimension: 'time',
      doc: 'The medium deallocates a range, or opens, closes, finishes or resets a zone.',
    },
    {
      name: 'blk.cacheWrite',
      dimension: 'time',
      doc: 'The write cache takes a write, besides its bytes.',
    },
    { name: 'blk.cacheRate', dimension: 'rate', doc: 'Bytes into the write cache, per channel.' },
    {
      name: 'blk.requestTimeout',
      dimension: 'time',
      doc: 'Without any completion for so long, the driver resets the device.',
    },
    { name: 'blk.mediaRate', dimension: 'rate', doc: 'Bytes to or from the medium, per channel.' },
  ],
  create: (environment) => new BlkDevice(environment),
});
