// The row of the balloon.
import { defineDevice } from '../common/index.ts';
import { BalloonDevice } from './balloon-device.ts';
import { balloonOptions, checkBalloon } from './options.ts';

export const balloon = defineDevice({
  type: 'balloon',
  doc: "A memory balloon whose target follows a schedule, and which asks for the guest's statistics.",
  spec: 'virtio 1.4 §5.5',
  options: balloonOptions,
  timing: [
    {
      name: 'balloon.page',
      dimension: 'time',
      doc: 'The host takes a page out of, or maps it into, the guest.',
    },
    {
      name: 'balloon.guestPage',
      dimension: 'time',
      doc: "The driver takes a page from, or gives it to, the guest's allocator.",
    },
    {
      name: 'balloon.retryInterval',
      dimension: 'time',
      doc: 'A driver that finds no free page waits for so long.',
    },
    {
      name: 'balloon.reportInterval',
      dimension: 'time',
      doc: 'A driver waits for so long between two reports of free pages.',
    },
  ],
  check: checkBalloon,
  create: (environment) => new BalloonDevice(environment),
});
