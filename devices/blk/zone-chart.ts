// The life of one zone that must be written sequentially (virtio 1.4 §5.2.6). Whether there are resources for a
// step is known before it is taken. The standards for zoned storage let empty and closed zones be finished.
import { emit, setup } from 'xstate';

export type ZoneEvent =
  /** Data was written, and room is left; or none is. */
  | { readonly type: 'WRITE' }
  | { readonly type: 'FILL' }
  | { readonly type: 'OPEN' }
  | { readonly type: 'CLOSE'; readonly written: boolean }
  | { readonly type: 'FINISH' }
  | { readonly type: 'RESET' };

export type ZoneEffect = { readonly type: 'refused' };

export const zoneChart = setup({
  types: {} as { context: Record<string, never>; events: ZoneEvent; emitted: ZoneEffect },
  guards: { isWritten: ({ event }) => event.type === 'CLOSE' && event.written },
  actions: { refused: emit({ type: 'refused' }) },
}).createMachine({
  id: 'zone',
  context: {},
  initial: 'empty',
  on: { RESET: '.empty', FINISH: '.full', '*': { actions: 'refused' } },
  states: {
    empty: {
      description: 'Nothing is written; the write pointer is at the start.',
      meta: { spec: 'virtio 1.4 §5.2.6' },
      on: { WRITE: 'implicitlyOpen', FILL: 'full', OPEN: 'explicitlyOpen' },
    },
    implicitlyOpen: {
      description: 'Opened by a write: the disk may close it when it needs its resources.',
      meta: { spec: 'virtio 1.4 §5.2.6' },
      on: { WRITE: {}, FILL: 'full', OPEN: 'explicitlyOpen', CLOSE: 'closed' },
    },
    explicitlyOpen: {
      description: 'Opened by request: it stays open until the driver says otherwise.',
      meta: { spec: 'virtio 1.4 §5.2.6' },
      on: {
        WRITE: {},
        FILL: 'full',
        OPEN: {},
        CLOSE: [{ guard: 'isWritten', target: 'closed' }, { target: 'empty' }],
      },
    },
    closed: {
      description: 'Written in part, and active, but not open.',
      meta: { spec: 'virtio 1.4 §5.2.6' },
      on: { WRITE: 'implicitlyOpen', FILL: 'full', OPEN: 'explicitlyOpen', CLOSE: {} },
    },
    full: {
      description: 'Nothing more can be written; there is no write pointer.',
      meta: { spec: 'virtio 1.4 §5.2.6' },
      on: { FINISH: {} },
    },
  },
});
