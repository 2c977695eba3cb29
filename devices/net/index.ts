// The row of the network card: what it is called, what it costs, and which addresses it refuses.
import type { DevicePlan, Finding, Topology } from '../../platform/contracts/index.ts';
import { ipOf, ipText, macOf, macText } from '../../platform/network/index.ts';
import { defineDevice } from '../common/index.ts';
import { NetDevice } from './net-device.ts';
import { type NetOptions, netOptions } from './options.ts';

export const net = defineDevice({
  type: 'net',
  doc: 'A network card on a modelled Ethernet: queue pairs, control queue, offloads.',
  spec: 'virtio 1.4 §5.1',
  options: netOptions,
  timing: [
    {
      name: 'net.deviceTransmit',
      dimension: 'time',
      doc: 'The device makes one frame out of a packet to send, besides its bytes.',
    },
    {
      name: 'net.deviceReceive',
      dimension: 'time',
      doc: 'The device filters, steers and places one received frame.',
    },
    { name: 'net.checksumRate', dimension: 'rate', doc: 'Software sums bytes for a checksum.' },
    {
      name: 'net.driverTransmit',
      dimension: 'time',
      doc: 'Stack and driver of the guest build and queue one packet, besides its bytes.',
    },
    {
      name: 'net.driverReceive',
      dimension: 'time',
      doc: 'Driver and stack of the guest handle one received packet, besides its bytes.',
    },
    { name: 'net.poll', dimension: 'time', doc: 'A round of polling starts, besides its packets.' },
  ],
  check: (plan, topology) => [
    ...findSameAddress(plan as DevicePlan, topology),
    ...findInconsistent(plan.options as NetOptions),
  ],
  create: (environment) => new NetDevice(environment),
});

/** Two devices of one network can't have the same address. */
function findSameAddress(plan: DevicePlan, { networks, devices }: Topology): Finding[] {
  const network = networks.find(({ links }) => links.some(({ device }) => device === plan.index));
  const others = (network?.links ?? [])
    .map(({ device }) => devices[device])
    .filter(({ index }) => index < plan.index);
  const findings: Finding[] = [];
  const report = (field: string, value: string, other: DevicePlan | undefined) => {
    if (other === undefined) return;
    const message = `${value} is already the address of '${other.name}'`;
    findings.push({
      field,
      message,
      expected: 'an address that no other device of the network has',
    });
  };
  const mac = macOf(plan);
  const address = ipText(ipOf(plan, 4));
  report(
    'mac',
    macText(mac),
    others.find((other) => macOf(other) === mac),
  );
  report(
    'address',
    address,
    others.find((other) => ipText(ipOf(other, 4)) === address),
  );
  return findings;
}

/** The least MTU of IPv6 (RFC 8200 §5). */
const IPV6_MTU_MIN = 1280;

/** Options that do not go together, or would say nothing without another one. */
function findInconsistent(options: NetOptions): Finding[] {
  const { checksum, receiveMerging, mergeTime, ipv6, mtu } = options;
  const findings: Finding[] = [];
  if (ipv6 && mtu < IPV6_MTU_MIN) {
    const message = `IPv6 packets may have ${IPV6_MTU_MIN} bytes on any network`;
    findings.push({ field: 'mtu', message, expected: `${IPV6_MTU_MIN} or more` });
  }
  if (receiveMerging && !checksum) {
    const message = 'frames are joined only where checksums are checked';
    findings.push({ field: 'receiveMerging', message, expected: 'checksum: true' });
  }
  if (mergeTime > 0 && !receiveMerging) {
    const message = 'there is nothing to wait for';
    findings.push({ field: 'mergeTime', message, expected: 'receiveMerging: true' });
  }
  return findings;
}
