// The table of scenarios that mirror the public demos of virtio-msg (hvac-demo): which demo, and what the
// scenario has of it, as the scenario itself says.
import { join } from 'node:path';
import { tables } from '../../platform/cli/tables.ts';
import { loadScenario } from '../../platform/scenario/index.ts';
import { markdownTable } from '../../platform/wire/index.ts';
import { ROOT } from './source-files.ts';

/** Scenarios by demo, in the order of its list of demos. */
export const DEMOS: Readonly<Record<string, readonly string[]>> = {
  'demo-loopback': ['loopback/i2c-clock'],
  'demo-amp-qemu-pci': ['pci/amp-qemu'],
  'demo-ffa-xen': ['ffa/xen-i2c'],
  'demo-amp-dual-linux': ['ivshmem/net', 'ivshmem/dual-linux'],
  'demo-proxy-qemu': ['ivshmem/proxy-net'],
  'demo-amp-zephyr': ['mailbox/sensor-core'],
  'demo-hw-amd-vpr': ['pci/many-devices'],
};

/** One row for each scenario. What it proves are its expectations but for those every scenario has. */
export function demoTable(): string {
  const rows = Object.entries(DEMOS).flatMap(([demo, scenarios]) =>
    scenarios.map((name) => [demo, ...scenarioCells(name)]),
  );
  return markdownTable(['demo', 'scenario', 'drivers on', 'devices on', 'bus', 'proves'], rows);
}

function scenarioCells(name: string): string[] {
  const file = join(ROOT, `scenarios/${name}.yaml`);
  const { nodes, buses, devices, expect } = loadScenario(file, tables);
  const first = buses[devices[0].bus];
  const mirrored = buses.filter(({ type }) => type === first.type);
  const on = (side: 'driver' | 'device') =>
    unique(mirrored.map((bus) => `${nodes[bus[side]].name} (${nodes[bus[side]].kind})`));
  const proofs = expect.map(({ text }) => text).filter((text) => PROOF.test(text));
  return [
    `[${name}](${name}.yaml)`,
    on('driver'),
    on('device'),
    first.type,
    proofs.map((text) => `\`${text}\``).join(', '),
  ];
}

/** Expectations that something was done and was right. */
const PROOF = /verified|rightBytes/;

function unique(texts: readonly string[]): string {
  return [...new Set(texts)].join(', ');
}
