// Which frames a network device keeps: by destination address, receive mode and VLAN (virtio 1.4
// §5.1.6.5.1 to §5.1.6.5.3).
import { isGroupMac, MAC_BROADCAST } from '../../platform/network/index.ts';

/** Addresses that each half of the table holds; with more, all of that kind are kept. */
const MAC_ENTRIES_MAX = 64;

export class ReceiveFilter {
  /** The device's own address. */
  mac: number;
  promiscuous = false;
  allMulticast = false;
  allUnicast = false;
  noMulticast = false;
  noUnicast = false;
  noBroadcast = false;
  /** The driver can't say which groups it wants, so it gets all. */
  anyGroup = false;
  /** VLANs to keep, or null when all are. */
  vlans: Set<number> | null = null;
  readonly #unicast = new Set<number>();
  readonly #multicast = new Set<number>();
  #unicastOverflow = false;
  #multicastOverflow = false;

  constructor(mac: number) {
    this.mac = mac;
  }

  /** Back to what holds after a reset of the device. */
  reset(mac: number): void {
    this.mac = mac;
    this.promiscuous = false;
    this.allMulticast = false;
    this.allUnicast = false;
    this.noMulticast = false;
    this.noUnicast = false;
    this.noBroadcast = false;
    this.anyGroup = false;
    this.vlans = null;
    this.setTable([], []);
  }

  /** Replaces the address table. */
  setTable(unicast: readonly number[], multicast: readonly number[]): void {
    this.#unicastOverflow = fill(this.#unicast, unicast);
    this.#multicastOverflow = fill(this.#multicast, multicast);
  }

  /** True when a frame to `destination`, tagged with `vlan` or untagged (-1), is to be kept. */
  accepts(destination: number, vlan: number): boolean {
    if (this.promiscuous) return true;
    if (vlan >= 0 && this.vlans !== null && !this.vlans.has(vlan)) return false;
    if (destination === MAC_BROADCAST) return !this.noBroadcast;
    if (isGroupMac(destination)) {
      if (this.noMulticast) return false;
      const all = this.allMulticast || this.anyGroup || this.#multicastOverflow;
      return all || this.#multicast.has(destination);
    }
    if (this.noUnicast) return false;
    if (destination === this.mac || this.allUnicast || this.#unicastOverflow) return true;
    return this.#unicast.has(destination);
  }
}

/** Returns true when there are more addresses than the table holds. */
function fill(table: Set<number>, macs: readonly number[]): boolean {
  table.clear();
  if (macs.length > MAC_ENTRIES_MAX) return true;
  for (const mac of macs) table.add(mac);
  return false;
}
