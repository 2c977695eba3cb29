// The row of the GPIO device.
import { defineDevice } from '../common/index.ts';
import { GpioDevice } from './gpio-device.ts';
import { checkGpio, gpioOptions } from './options.ts';

export const gpio = defineDevice({
  type: 'gpio',
  doc: 'A GPIO controller: lines with direction, value and interrupts, wired to one another or to a signal.',
  spec: 'virtio 1.4 §5.18',
  options: gpioOptions,
  timing: [
    {
      name: 'gpio.access',
      dimension: 'time',
      doc: 'Software reads or sets a line through its controller.',
    },
    {
      name: 'gpio.requestTimeout',
      dimension: 'time',
      doc: 'A driver gives a request up that makes no progress for so long.',
    },
  ],
  check: checkGpio,
  create: (environment) => new GpioDevice(environment),
});
