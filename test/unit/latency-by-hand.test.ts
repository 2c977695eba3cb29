// The latency of one 4 KiB read at depth 1, worked out by hand from the timing constants, against the
// simulated one: equal to the picosecond, with simple numbers and with a shipped profile.
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/rig.ts';
import { memoryDisk, type ScenarioParts } from '../support/scenarios.ts';

/** Numbers that can be told apart in a sum; rates of 1 ns a byte. */
const SIMPLE = {
  'cpu.submit': '1000ns',
  'cpu.ringAdd': '100ns',
  'cpu.messageEncode': '10ns',
  'cpu.messageHandle': '20ns',
  'cpu.deviceStep': '50ns',
  'cpu.irqEntry': '1500ns',
  'cpu.workSwitch': '2500ns',
  'cpu.ringReap': '200ns',
  'cpu.complete': '500ns',
  'memory.lineLatency': '30ns',
  'memory.bandwidth': '1GB/s',
  'ffa.worldSwitch': '300ns',
  'ffa.spmcRoute': '40ns',
  'ffa.notificationSet': '600ns',
  'ffa.notificationDelivery': '1200ns',
  'ffa.notificationGet': '400ns',
  'blk.serviceRead': '2000ns',
  'blk.mediaRate': '1GB/s',
};

function read(operations: number, more: ScenarioParts, thinkTime: string): ScenarioParts {
  const workload = { type: 'fio', device: 'disk0', rw: 'randread', blockSize: '4KiB', depth: 1 };
  return { workloads: [{ ...workload, operations, thinkTime }], ...more };
}

describe('one read at depth 1, events by notification', () => {
  // With a pause after each request nothing of the last is still going on: all take the same time.
  //
  // In ns: what, the part, and the time since the request was submitted; first with the simple
  // numbers, then with those of arm-neoverse-n1 (bytes / 8 GB/s over memory, 4096 B / 6 GB/s on the
  // medium = 682.667).
  //
  //  1 submit + ringAdd: the chain is in the ring            1100     1100      1080      1080
  //  2 messageEncode of EVENT_AVAIL                            10     1110        60      1140
  //    worldSwitch + spmcRoute: the call arrives              340     1450       600      1740
  //  3 messageHandle + messageEncode in the partition          30     1480       210      1950
  //  4 deviceStep; then 4 bytes of the available ring:         50     1530       200      2150
  //    line there, 4 bytes, line back                       60+ 4     1594   94+0.5      2244.5
  //  5 deviceStep; then one entry of 2 bytes                   50     1644       200      2444.5
  //                                                         60+ 2     1706   94+0.25     2538.75
  //  6 deviceStep; then descriptors, a 64-byte line            50     1756       200      2738.75
  //                                                         60+64     1880   94+8        2840.75
  //    the chain is complete: the header's 16 bytes at once 60+16     1956   94+2        2936.75
  //    Meanwhile the queue looks again, which takes the only CPU a deviceStep from 1880 (2840.75)
  //    until 1930 (3040.75): with the profile, the next step waits for it.
  //  7 wait, and deviceStep: the request is understood         50     2006   104+200     3240.75
  //    serviceRead + 4096 bytes of the medium           2000+4096     8102   2000+682.667 5923.417
  //  8 deviceStep; then 4096 bytes of data, 1 of status, 8 of
  //    the used element and 2 of its index are posted          50     8152       200      6123.417
  //    The link is busy for 4107 bytes: until               12259               6636.792
  //    deviceStep, and the look at the driver's flags waits 50+4057  12259   200+313.375 6636.792
  //    line there, 4 bytes, line back: a signal is wanted   60+ 4    12323   94+0.5      6731.292
  //  9 notificationSet                                        600    12923       700      7431.292
  //    notificationDelivery                                  1200    14123      1300      8731.292
  // 10 irqEntry                                              1500    15623      1500     10231.292
  //    workSwitch + notificationGet                          2900    18523      3500     13731.292
  // 11 messageEncode of EVENT_POLL                             10    18533        60     13791.292
  //    worldSwitch + spmcRoute                                340    18873       600     14391.292
  //    messageHandle + messageEncode                           30    18903       210     14601.292
  //    worldSwitch + spmcRoute, with the event                340    19243       600     15201.292
  //    messageHandle                                           20    19263       150     15351.292
  // 12 ringReap + complete                                    700    19963       660     16011.292
  it.each([
    ['simple numbers', SIMPLE, 19_963],
    ['arm-neoverse-n1', {}, 16_011.292],
  ])('takes with %s what adds up', (_, timing, expected) => {
    for (const cpus of [1, 2]) {
      const rig = new Rig(read(5, { timing, linux: { cpus } }, '1ms'));
      expect(rig.run()).toBe('done');
      const { min, max, mean } = rig.result().latency;
      expect([min, max, mean]).toEqual([expected, expected, expected]);
    }
  });
});

describe('one read at depth 1, with lines of 64 B and entries read ahead', () => {
  // What changes of the 19963 ns above with simple numbers:
  //
  //   memory.line 64 B: index 4, entry 2, header 16 and flags 4 bytes move as 64 each, and 4096+1+8+2
  //   bytes as 64 + 1 + 1 lines, used index and element being in one:
  //                                      60 + 62 + 48 + 60 + (4224 - 4107) = 347
  //   availPrefetch 4: the step and the read of the entry are saved, -(50 + 60 + 2), and both looks
  //   bring 8 bytes more, +16; of whole lines, -(50 + 60 + 64), for they lie in the line of the index.
  it.each([
    ['whole lines', { 'memory.line': '64B' }, {}, 19_963 + 347],
    ['entries ahead', {}, { availPrefetch: 4 }, 19_963 - 112 + 16],
    ['both', { 'memory.line': '64B' }, { availPrefetch: 4 }, 19_963 + 347 - 174],
  ])('takes with %s what adds up', (_, timing, fetch, expected) => {
    const devices = { disk0: memoryDisk(0, { fetch }) };
    const rig = new Rig(read(5, { timing: { ...SIMPLE, ...timing }, devices }, '1ms'));
    expect(rig.run()).toBe('done');
    const { min, max } = rig.result().latency;
    expect([min, max]).toEqual([expected, expected]);
  });
});

describe('one read at depth 1, events by polling', () => {
  // Requests follow each other at once, so that each finds the poller at the same point. Let EVENT_USED
  // of one request be handled at 0. On one core runs ringReap + complete; the request is over and the
  // next submitted at 700 (660). On the other an EVENT_POLL goes out, is answered, finds nothing:
  //
  //    messageEncode, worldSwitch + spmcRoute               10+340     350   60+600      660
  //    messageHandle + messageEncode in the partition           30     380      210      870
  //    worldSwitch + spmcRoute, messageHandle               340+20     740   600+150    1620
  //
  // and polls again a poll interval later. The next request's device part is as above, but that there
  // is nothing to notify: its event can be fetched from 700+12323 = 13023 (660+6731.292 = 7391.292) on.
  //
  // Simple numbers, an interval of 10 us:
  //    the poll at 10740 is in the partition at 11120, too early. Its answer may not overtake the
  //    written bytes, the last of which (the look behind them) arrive at 700+12289 = 12989: so it is
  //    not there at 11460 but at 12989, and handled at 13009.
  //    the poll at 23009 is in the partition at 23389, and its answer handled at 23749.
  // The profile, an interval of 4 us:
  //    the poll at 5620 is in the partition at 6490: too early, and nothing is written yet (that
  //    begins at 660+6123.417), so its answer is handled at 7240.
  //    the poll at 11240 is in the partition at 12110, and its answer handled at 12860.
  //
  // From there the next request ends as the one before: the latency is the time of a round.
  it.each([
    ['simple numbers', SIMPLE, '10us', 23_749],
    ['arm-neoverse-n1', {}, '4us', 12_860],
  ])('takes with %s one round of the poller', (_, timing, pollInterval, expected) => {
    const bus = { events: 'poll', pollInterval };
    // The first request meets the poller wherever it is; each further one adds its latency.
    const elapsed = [20, 21, 22].map((operations) => {
      const rig = new Rig(read(operations, { timing, bus, linux: { cpus: 2 } }, '0s'));
      expect(rig.run()).toBe('done');
      return rig.result().elapsedPs;
    });
    expect(elapsed[1] - elapsed[0]).toBe(expected * 1000);
    expect(elapsed[2] - elapsed[1]).toBe(expected * 1000);
  });
});
