// How a driver brings its device up (virtio 1.4 §3.1.1), whatever the transport: look, reset,
// negotiate, set up queues, go live. One transport operation at a time; its reply moves the chart on.
import { assign, emit, setup } from 'xstate';
import type { TransportReply } from '../../platform/contracts/index.ts';
import { STATUS } from '../../platform/virtio/index.ts';
import type { DriverEffect, DriverEvent, DriverInput } from './driver-events.ts';

/** A device is reset so often in a row without getting any further before its driver gives it up. */
export const RECOVERIES_MAX = 3;

interface Context extends DriverInput {
  readonly queue: number;
  /** Queues that will be used. */
  readonly queuesPlanned: number;
  /** Recoveries since the last progress. */
  readonly recoveries: number;
}

const READY = STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK;

export const driverChart = setup({
  types: {} as {
    context: Context;
    input: DriverInput;
    events: DriverEvent;
    emitted: DriverEffect;
  },
  guards: {
    isOurs: ({ context, event }) =>
      event.type === 'reply.info' &&
      event.info.deviceId === context.deviceId &&
      event.info.queuesMax >= context.queueCount &&
      event.info.configSize >= context.configSize,
    featuresSuffice: ({ context, event }) =>
      event.type === 'reply.features' &&
      (event.features & context.requiredFeatures) === context.requiredFeatures,
    isReset: ({ event }) => event.type === 'reply.status' && event.status === 0,
    featuresStuck: ({ event }) =>
      event.type === 'reply.status' && (event.status & STATUS.FEATURES_OK) !== 0,
    saysNeedsReset: ({ event }) =>
      event.type === 'reply.status' && (event.status & STATUS.DEVICE_NEEDS_RESET) !== 0,
    isLive: ({ event }) => event.type === 'reply.status' && (event.status & STATUS.DRIVER_OK) !== 0,
    mayRecover: ({ context }) => context.recoveries < RECOVERIES_MAX,
    mayRecoverLater: ({ context, event }) =>
      event.type === 'NEEDS_RESET' && event.busy && context.recoveries < RECOVERIES_MAX,
    isBusy: ({ event }) => event.type === 'RESTART' && event.busy,
    needsRegion: ({ context }) => context.shmid >= 0,
    regionIsThere: ({ event }) => event.type === 'reply.region' && event.length > 0,
    needsConfig: ({ context }) => context.configSize > 0,
    queueUsable: ({ event }) => event.type === 'reply.queue' && event.sizeMax > 0,
    queueIsSet: ({ event }) => event.type === 'reply.queue' && event.size > 0,
    usableAndMore: ({ context, event }) =>
      event.type === 'reply.queue' &&
      event.sizeMax > 0 &&
      context.queue + 1 < context.queuesPlanned,
    setAndMore: ({ context, event }) =>
      event.type === 'reply.queue' && event.size > 0 && context.queue + 1 < context.queuesPlanned,
  },
  actions: {
    getInfo: emit({ type: 'getInfo' }),
    writeReset: emit({ type: 'setStatus', status: 0 }),
    writeAcknowledge: emit({ type: 'setStatus', status: STATUS.ACKNOWLEDGE }),
    writeDriver: emit({ type: 'setStatus', status: STATUS.ACKNOWLEDGE | STATUS.DRIVER }),
    writeFeaturesOk: emit({ type: 'setStatus', status: READY }),
    writeDriverOk: emit({ type: 'setStatus', status: READY | STATUS.DRIVER_OK }),
    writeFailed: emit({
      type: 'setStatus',
      status: STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FAILED,
    }),
    getFeatures: emit({ type: 'getFeatures' }),
    setFeatures: emit({ type: 'setFeatures' }),
    getConfig: emit({ type: 'getConfig' }),
    getRegion: emit({ type: 'getRegion' }),
    getQueue: emit(({ context }) => ({ type: 'getQueue' as const, index: context.queue })),
    plan: emit({ type: 'plan' }),
    setQueueCount: assign({
      queue: 0,
      queuesPlanned: ({ context, event }) =>
        event.type === 'QUEUES' ? event.count : context.queuesPlanned,
    }),
    allocate: emit({ type: 'allocate' }),
    setQueue: emit(({ context }) => ({ type: 'setQueue' as const, index: context.queue })),
    remember: emit(({ event }) => ({
      type: 'remember' as const,
      reply: event as TransportReply,
    })),
    operationOver: emit(({ event }) => ({
      type: 'operationOver' as const,
      reply: event as TransportReply,
    })),
    live: emit({ type: 'live' }),
    needsReset: emit({ type: 'needsReset' }),
    recover: emit({ type: 'recover' }),
    countRecovery: assign({ recoveries: ({ context }) => context.recoveries + 1 }),
    forgetRecoveries: assign({ recoveries: 0 }),
    down: emit(({ event }, params: { reason: string }) => ({
      type: 'down' as const,
      reason: event.type === 'reply.failed' ? event.reason : params.reason,
    })),
    firstQueue: assign({ queue: 0 }),
    nextQueue: assign({ queue: ({ context }) => context.queue + 1 }),
  },
}).createMachine({
  id: 'driver',
  context: ({ input }) => ({ ...input, queue: 0, queuesPlanned: 0, recoveries: 0 }),
  initial: 'offline',
  on: {
    OFFLINE: {
      target: '.offline',
      actions: { type: 'down', params: { reason: 'the device is gone' } },
    },
    AWAY: { target: '.offline', actions: 'recover' },
    NEEDS_RESET: [
      {
        guard: 'mayRecoverLater',
        target: '.quiescing',
        actions: ['countRecovery', 'recover'],
      },
      { guard: 'mayRecover', target: '.reset', actions: ['countRecovery', 'recover'] },
      {
        target: '.needsReset',
        actions: { type: 'down', params: { reason: 'the device needs a reset' } },
      },
    ],
    // Where they mean nothing.
    PROGRESS: {},
    RESTART: {},
    'reply.failed': {
      target: '.givingUp',
      actions: { type: 'down', params: { reason: 'an operation failed' } },
    },
    '*': {
      target: '.failed',
      actions: { type: 'down', params: { reason: 'the device did not do what was asked' } },
    },
  },
  states: {
    offline: {
      description: 'The device cannot be talked to.',
      on: { ONLINE: 'probing', NEEDS_RESET: {}, AWAY: {} },
    },
    probing: {
      description: 'What is it? Only this may be asked before the reset.',
      meta: { spec: 'virtio-msg Initialization Flow' },
      entry: 'getInfo',
      on: { 'reply.info': { guard: 'isOurs', target: 'reset', actions: 'remember' } },
    },
    reset: {
      description: 'Status 0, and wait until it is.',
      entry: 'writeReset',
      on: {
        'reply.status': { guard: 'isReset', target: 'acknowledged' },
        // Said before the reset.
        NEEDS_RESET: {},
      },
    },
    quiescing: {
      description: 'The device is to be reset, as soon as the operation under way has ended.',
      meta: { spec: 'virtio 1.4 §2.1.2' },
      on: { 'reply.*': 'reset', NEEDS_RESET: {} },
    },
    acknowledged: {
      description: 'ACKNOWLEDGE: the guest has noticed the device.',
      entry: 'writeAcknowledge',
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', actions: 'needsReset' },
          { target: 'driverFound' },
        ],
      },
    },
    driverFound: {
      description: 'DRIVER: the guest knows how to drive it.',
      entry: 'writeDriver',
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', actions: 'needsReset' },
          { target: 'readingFeatures' },
        ],
      },
    },
    readingFeatures: {
      description: 'What does it offer?',
      entry: 'getFeatures',
      on: {
        'reply.features': [
          { guard: 'featuresSuffice', target: 'writingFeatures', actions: 'remember' },
          {
            target: 'refusing',
            actions: {
              type: 'down',
              params: { reason: 'the device lacks a feature that the driver needs' },
            },
          },
        ],
      },
    },
    writingFeatures: {
      description: 'Take what both sides know.',
      entry: 'setFeatures',
      on: { 'reply.featuresSet': 'featuresOk' },
    },
    featuresOk: {
      description: 'FEATURES_OK, and look whether it has stuck.',
      entry: 'writeFeaturesOk',
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', actions: 'needsReset' },
          { guard: 'featuresStuck', target: 'configuring' },
          {
            target: 'refusing',
            actions: { type: 'down', params: { reason: 'the device refused the features' } },
          },
        ],
      },
    },
    configuring: {
      description: 'Read the configuration, if the driver needs any.',
      always: [
        { guard: 'needsConfig', target: 'readingConfig' },
        { guard: 'needsRegion', target: 'findingRegion' },
        { target: 'planningQueues' },
      ],
    },
    readingConfig: {
      description: 'Configuration bytes, all of one generation.',
      entry: 'getConfig',
      on: {
        'reply.config': [
          { guard: 'needsRegion', target: 'findingRegion', actions: 'remember' },
          { target: 'planningQueues', actions: 'remember' },
        ],
      },
    },
    findingRegion: {
      description: 'Where is the memory that the device shares?',
      meta: { spec: 'virtio 1.4 §2.10' },
      entry: 'getRegion',
      on: {
        'reply.region': [
          { guard: 'regionIsThere', target: 'planningQueues', actions: 'remember' },
          {
            target: 'givingUp',
            actions: { type: 'down', params: { reason: 'the device lacks a region of memory' } },
          },
        ],
      },
    },
    planningQueues: {
      description: 'Features and configuration are known: how many queues will be used?',
      entry: 'plan',
      on: {
        QUEUES: { target: 'queryingQueue', actions: 'setQueueCount' },
        // Where administration virtqueues are may be told only under their feature.
        'reply.info': { target: 'planningQueues', reenter: true, actions: 'remember' },
      },
    },
    queryingQueue: {
      description: 'How large may each queue be?',
      entry: 'getQueue',
      on: {
        'reply.queue': [
          {
            guard: 'usableAndMore',
            target: 'queryingQueue',
            reenter: true,
            actions: ['remember', 'nextQueue'],
          },
          { guard: 'queueUsable', target: 'allocating', actions: ['remember', 'firstQueue'] },
        ],
      },
    },
    allocating: {
      description: 'Memory for rings and buffers that the device may reach.',
      entry: 'allocate',
      on: { 'reply.memory': { target: 'settingQueue', actions: 'remember' } },
    },
    settingQueue: {
      description: 'Size and addresses of a queue.',
      entry: 'setQueue',
      on: { 'reply.queueSet': 'confirmingQueue' },
    },
    confirmingQueue: {
      description: 'Has the device taken them?',
      entry: 'getQueue',
      on: {
        'reply.queue': [
          {
            guard: 'setAndMore',
            target: 'settingQueue',
            actions: 'nextQueue',
          },
          { guard: 'queueIsSet', target: 'driverOk' },
        ],
      },
    },
    driverOk: {
      description: 'DRIVER_OK, and look whether it shows.',
      entry: 'writeDriverOk',
      on: {
        'reply.status': [
          { guard: 'saysNeedsReset', actions: 'needsReset' },
          { guard: 'isLive', target: 'live', actions: 'live' },
        ],
      },
    },
    live: {
      description: 'Requests flow; the configuration may be read and written at times.',
      on: {
        'reply.config': { actions: 'operationOver' },
        'reply.configSet': { actions: 'operationOver' },
        'reply.queueReset': { actions: 'operationOver' },
        'reply.queueSet': { actions: 'operationOver' },
        'reply.queue': { actions: 'operationOver' },
        'reply.status': { actions: 'operationOver' },
        PROGRESS: { actions: 'forgetRecoveries' },
        RESTART: [
          { guard: 'isBusy', target: 'quiescing', actions: 'recover' },
          { target: 'reset', actions: 'recover' },
        ],
      },
    },
    needsReset: {
      description: 'The device has given up; requests under way have failed.',
      on: { NEEDS_RESET: {} },
    },
    refusing: {
      description: 'No agreement on features: FAILED tells the device that the driver gives up.',
      meta: { spec: 'virtio 1.4 §2.2.1' },
      entry: 'writeFailed',
      on: { 'reply.status': 'failed', 'reply.failed': 'failed', NEEDS_RESET: {} },
    },
    givingUp: {
      description: 'An operation failed for good: the device is reset, if it can still be reached.',
      meta: { spec: 'virtio-msg Error Handling' },
      entry: 'writeReset',
      on: { 'reply.status': 'failed', 'reply.failed': 'failed', NEEDS_RESET: {} },
    },
    failed: {
      description: 'The driver has given up on the device.',
      on: { NEEDS_RESET: {} },
    },
  },
});
