// Both ends of a mailbox bus with data in band, and the ports of devices that nothing but a test uses.
import type { DmaFault, DmaPort } from '../../platform/contracts/index.ts';
import { toHex } from '../../platform/wire/index.ts';
import { makeLinkEnds } from './link-ends.ts';
import type { LinkScenario } from './link-scenarios.ts';

const MILLISECOND = 1_000_000_000;

export interface InBandBenchOptions {
  readonly bus?: LinkScenario['bus'];
  readonly faults?: LinkScenario['faults'];
  /** Device numbers, and the bytes of memory that the driver of each takes. */
  readonly numbers?: readonly number[];
  readonly memory?: number;
}

/** What came of an access, in the order in which it was heard of. */
export type Outcome =
  | { readonly tag: number; readonly bytes: string }
  | { readonly tag: number; readonly fault: DmaFault };

/** A range of memory as an access names it. */
export type Segment = readonly [address: number, length: number];

export function inBandBench(options: InBandBenchOptions = {}) {
  const { bus = {}, faults = [], numbers = [1, 2], memory = 8192 } = options;
  const scenario = { type: 'mailbox', bus: { data: 'inBand', ...bus }, faults };
  const ends = makeLinkEnds(scenario, numbers, 'static');
  const { kernel, driverEnd, deviceEnd, driverNode } = ends;
  const run = (ps = 500 * MILLISECOND) => kernel.runUntil(kernel.now + ps);
  driverEnd.start();
  run();
  const addresses = numbers.map((number, index) => {
    let taken = 0;
    ends.drivers[index].allocated = (address) => {
      taken = address;
    };
    driverEnd.allocate(number, memory);
    return taken;
  });
  const ports = numbers.map((number) => deviceEnd.dmaOf(number));
  const outcomes: Outcome[] = [];
  const client = {
    readDone: (tag: number, bytes: Uint8Array, length: number) =>
      outcomes.push({ tag, bytes: toHex(bytes, 0, length) }),
    refused: (tag: number, fault: DmaFault) => outcomes.push({ tag, fault }),
  };
  const read = (port: DmaPort, tag: number, ...segments: readonly Segment[]) => {
    for (const [address, length] of segments) port.readSegment(address, length);
    port.read(client, tag);
  };
  const write = (
    port: DmaPort,
    tag: number,
    ...segments: readonly (readonly [address: number, bytes: Uint8Array])[]
  ) => {
    for (const [address, bytes] of segments) port.writeSegment(address, bytes, 0, bytes.length);
    return port.write(client, tag);
  };
  /** The driver's memory as it is. */
  const bytesAt = (address: number, length: number) => {
    const bytes = new Uint8Array(length);
    driverNode.memory.copyOut(address, bytes, 0, length);
    return toHex(bytes);
  };
  return { ...ends, run, addresses, ports, outcomes, read, write, bytesAt };
}

/** So many bytes that differ from their neighbours. */
export function pattern(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i * 7) % 251);
}
