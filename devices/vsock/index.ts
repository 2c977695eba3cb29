// The row of the socket device.
import { defineDevice } from '../common/index.ts';
import { vsockOptions } from './options.ts';
import { VsockDevice } from './vsock-device.ts';

export const vsock = defineDevice({
  type: 'vsock',
  doc: 'Stream and seqpacket sockets between guest and host with credit flow control, and an echo service.',
  spec: 'virtio 1.4 §5.10',
  options: vsockOptions,
  timing: [
    { name: 'vsock.packet', dimension: 'time', doc: 'The host handles or makes a packet.' },
    {
      name: 'vsock.service',
      dimension: 'time',
      doc: 'The service takes up what it reads at a time, besides its bytes.',
    },
    { name: 'vsock.rate', dimension: 'rate', doc: 'Bytes through the service.' },
    {
      name: 'vsock.connectTimeout',
      dimension: 'time',
      doc: 'A driver waits for the answer to its request for so long.',
    },
    {
      name: 'vsock.closeTimeout',
      dimension: 'time',
      doc: 'Either side waits for the answer to its shutdown for so long.',
    },
  ],
  create: (environment) => new VsockDevice(environment),
});
