// What scenarios call the ways in which a GPIO line can interrupt.
import { z } from 'zod';
import { GPIO_IRQ_TYPE } from '../../platform/virtio/index.ts';

export const GPIO_INTERRUPTS = {
  none: GPIO_IRQ_TYPE.NONE,
  rising: GPIO_IRQ_TYPE.EDGE_RISING,
  falling: GPIO_IRQ_TYPE.EDGE_FALLING,
  both: GPIO_IRQ_TYPE.EDGE_BOTH,
  high: GPIO_IRQ_TYPE.LEVEL_HIGH,
  low: GPIO_IRQ_TYPE.LEVEL_LOW,
} as const;

/** The name of one of them. */
export const interruptField = () =>
  z.enum(Object.keys(GPIO_INTERRUPTS) as (keyof typeof GPIO_INTERRUPTS)[]);
