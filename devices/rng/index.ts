// The entropy device as a row of the table of devices.
import { defineDevice } from '../common/index.ts';
import { rngOptions } from './options.ts';
import { RngDevice } from './rng-device.ts';

export const rng = defineDevice({
  type: 'rng',
  doc: 'An entropy source.',
  spec: 'virtio 1.4 §5.4',
  options: rngOptions,
  timing: [
    {
      name: 'rng.service',
      dimension: 'time',
      doc: 'The source takes up a request, besides its bytes.',
    },
    { name: 'rng.rate', dimension: 'rate', doc: 'Random bytes from the source.' },
  ],
  create: (environment) => new RngDevice(environment),
});
