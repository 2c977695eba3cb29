// How system software finds what is behind a root complex: bus after bus, depth first, it gives each bridge
// the number of the bus below, the greatest number beyond it, and windows for the memory of what is there
// (PCI-to-PCI Bridge Architecture Specification 1.2, chapters 3 and 12).
import type { Access, Script } from './access-runner.ts';
import {
  BRIDGE,
  CAPABILITY_ID,
  COMMAND,
  CONFIG,
  EXPRESS,
  HEADER_TYPE_BRIDGE,
  HEADER_TYPE_MASK,
  NO_FUNCTION,
  PortType,
  portType,
} from './config-registers.ts';
import { BUS_MAX, DEVICES_MAX } from './register-port.ts';

/**
 * What is kept for each slot, whether a card is in it or not: addresses below 4 GiB, enough for the BARs of
 * 24,576 functions, and prefetchable ones.
 */
const SLOT_WINDOW = 96 * 2 ** 20;
const SLOT_PREFETCHABLE = 64 * 2 ** 30;
const MEBIBYTE = 2 ** 20;

/** Numbers and addresses that have not been given yet. */
class Free {
  bus = 1;
  low = 0x1000_0000;
  high = 0x40_0000_0000;

  reserveSlot(): void {
    this.low += SLOT_WINDOW;
    this.high += SLOT_PREFETCHABLE;
  }
}

interface DevicePlace {
  readonly bus: number;
  readonly device: number;
}

/** Scans all that is behind the root complex. */
export function* scan(): Script<void> {
  yield* scanBus(0, 1, new Free());
}

/** Looks for bridges on a bus, sets them up, and returns how many there are. */
function* scanBus(bus: number, devices: number, free: Free): Script<number> {
  let bridges = 0;
  for (let device = 0; device < devices; device++) {
    const place = { bus, device };
    const ids = yield read(place, CONFIG.vendorId, 4);
    if (ids % 0x1_0000 === NO_FUNCTION) continue;
    const header = yield read(place, CONFIG.headerType, 1);
    // Functions of other kinds are taken into use one by one, when their drivers come.
    if ((header & HEADER_TYPE_MASK) !== HEADER_TYPE_BRIDGE) continue;
    bridges++;
    yield* setUpBridge(place, free);
  }
  return bridges;
}

function* setUpBridge(place: DevicePlace, free: Free): Script<void> {
  const secondary = free.bus++;
  const { low, high } = free;
  const type = yield* readPortType(place);
  const isSwitch = type === PortType.upstreamPort;
  yield write(place, BRIDGE.primaryBus, 4, busNumbers(place.bus, secondary, BUS_MAX));
  const bridges = yield* scanBus(secondary, isSwitch ? DEVICES_MAX : 1, free);
  if (bridges === 0 && !isSwitch) free.reserveSlot();
  yield write(place, BRIDGE.primaryBus, 4, busNumbers(place.bus, secondary, free.bus - 1));
  yield write(place, BRIDGE.memoryBase, 4, windowBits(low, free.low));
  yield write(place, BRIDGE.prefetchableBase, 4, windowBits(high, free.high));
  yield write(place, BRIDGE.prefetchableBaseUpper, 4, Math.floor(high / 2 ** 32));
  yield write(place, BRIDGE.prefetchableLimitUpper, 4, Math.floor((free.high - 1) / 2 ** 32));
  yield write(place, CONFIG.command, 2, COMMAND.memory | COMMAND.busMaster);
}

/** Walks the capabilities to the one of PCI Express. */
function* readPortType(place: DevicePlace): Script<number> {
  let offset = yield read(place, CONFIG.capabilities, 1);
  while (offset !== 0) {
    const first = yield read(place, offset, 4);
    if (first % 256 === CAPABILITY_ID.express) {
      return portType(Math.floor(first / 2 ** (8 * EXPRESS.capabilities)));
    }
    offset = Math.floor(first / 256) % 256;
  }
  return PortType.endpoint;
}

function busNumbers(primary: number, secondary: number, subordinate: number): number {
  return primary | (secondary << 8) | (subordinate << 16);
}

/** Base and limit: bits 31 to 20 of the first and the last address. */
function windowBits(start: number, end: number): number {
  const base = Math.floor(start / MEBIBYTE) % 4096;
  const limit = Math.floor((end - 1) / MEBIBYTE) % 4096;
  return limit * 2 ** 20 + base * 2 ** 4;
}

function read({ bus, device }: DevicePlace, offset: number, size: 1 | 2 | 4): Access {
  return { type: 'readBus', bus, device, offset, size };
}

function write(
  { bus, device }: DevicePlace,
  offset: number,
  size: 1 | 2 | 4,
  value: number,
): Access {
  return { type: 'writeBus', bus, device, offset, size, value };
}
