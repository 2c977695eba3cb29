// The table of buses. A row makes its type usable in scenario files, listings and contract tests.
import { adminVq } from './admin-vq/index.ts';
import { ffa } from './ffa/index.ts';
import { ivshmem } from './ivshmem/index.ts';
import { loopback } from './loopback/index.ts';
import { mailbox } from './mailbox/index.ts';
import { pci } from './pci/index.ts';
import { virtioCcw } from './virtio-ccw/index.ts';
import { virtioMmio } from './virtio-mmio/index.ts';
import { virtioPci } from './virtio-pci/index.ts';
import { xen } from './xen/index.ts';

export const buses = {
  'admin-vq': adminVq,
  ffa,
  ivshmem,
  loopback,
  mailbox,
  pci,
  'virtio-ccw': virtioCcw,
  'virtio-mmio': virtioMmio,
  'virtio-pci': virtioPci,
  xen,
} as const;
