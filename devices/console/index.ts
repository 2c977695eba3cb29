// The row of the console device.
import { defineDevice } from '../common/index.ts';
import { ConsoleDevice } from './console-device.ts';
import { checkConsole, consoleOptions } from './options.ts';

export const consoleDevice = defineDevice({
  type: 'console',
  doc: 'A console with several ports, each with an echo behind it, and the emergency write.',
  spec: 'virtio 1.4 §5.3',
  options: consoleOptions,
  timing: [
    {
      name: 'console.echo',
      dimension: 'time',
      doc: 'The program behind a port takes what was written, besides its bytes.',
    },
    { name: 'console.rate', dimension: 'rate', doc: 'Bytes through the program behind a port.' },
  ],
  check: checkConsole,
  create: (environment) => new ConsoleDevice(environment),
});
