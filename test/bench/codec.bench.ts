// Messages per second through the virtio-msg codec: checked encoding and decoding of whole messages,
// and the byte-level way of the events on hot paths.
import type { Bench } from 'tinybench';
import {
  isEventAvail,
  peekEventQueue,
  revision,
  writeEventAvail,
} from '../../platform/virtio/messages/index.ts';
import { addTask } from './suite.ts';

const MESSAGES = 1000;
const { codec } = revision('v1');

const SAMPLES = {
  SET_VQUEUE: {
    type: 'req.SET_VQUEUE',
    dev: 5,
    token: 1,
    body: {
      index: 0,
      flags: 0,
      size: 256,
      descriptorArea: 0x1_0000_0000n,
      driverArea: 0x1_0000_1000n,
      deviceArea: 0x1_0000_2000n,
    },
  },
  GET_CONFIG: {
    type: 'res.GET_CONFIG',
    dev: 5,
    token: 1,
    body: { generation: 7, offset: 0, length: 24, data: new Uint8Array(24) },
  },
} as const;

export function addCodecTasks(bench: Bench): void {
  const bytes = new Uint8Array(104);
  for (const [name, message] of Object.entries(SAMPLES)) {
    addTask(bench, {
      name: `${name}: encode`,
      unit: 'messages',
      count: MESSAGES,
      prepare: () => () => {
        for (let i = 0; i < MESSAGES; i++) codec.encode(message, bytes);
      },
    });
    addTask(bench, {
      name: `${name}: decode`,
      unit: 'messages',
      count: MESSAGES,
      prepare: () => {
        const length = codec.encode(message, bytes);
        const frame = bytes.slice(0, length);
        return () => {
          for (let i = 0; i < MESSAGES; i++) codec.decode(frame, length);
        };
      },
    });
  }
  addTask(bench, {
    name: 'EVENT_AVAIL: write and read',
    unit: 'messages',
    count: MESSAGES,
    prepare: () => () => {
      let sum = 0;
      for (let i = 0; i < MESSAGES; i++) {
        const length = writeEventAvail(bytes, 5, 0, i & 7, 0);
        if (isEventAvail(bytes, length)) sum += peekEventQueue(bytes);
      }
      if (sum === 0) throw new Error('nothing was read');
    },
  });
}
