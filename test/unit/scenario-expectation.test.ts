// Expectations: grammar, units, and evaluation against a JSON report.
import { describe, expect, test } from 'vitest';
import { evaluateExpectation, parseExpectation } from '../../platform/scenario/index.ts';

const report = {
  violations: 0,
  digest: '9f00c1',
  simulatedPs: 5e8,
  wallSeconds: 0.25,
  passed: true,
  devices: {
    disk0: { errors: 0, throughput: 2e8, latency: { p99: 79_000, p50: null } },
    'net-0': { errors: 0 },
    'net-1': { errors: 4 },
    'net-10': { errors: 0 },
    'net-extra': { errors: 99 },
  },
  buses: { ffa0: { messages: 12, bytes: 4096, deviceCpu: null } },
  nodes: { linux: { cpuBusy: 0.5 } },
};

const evaluate = (text: string) => {
  const { expectation } = parseExpectation(text);
  if (expectation === null) throw new Error(`'${text}' does not parse`);
  return evaluateExpectation(expectation, report);
};

test('an outcome says what was there and what should have been', () => {
  expect(evaluate('disk0.latency.p99 < 80us')).toEqual({
    text: 'disk0.latency.p99 < 80us',
    passed: true,
    actual: 79_000,
    missing: null,
    expected: '< 80us',
  });
});

describe('passes or fails', () => {
  test.each([
    ['disk0.errors == 0', true],
    ['disk0.errors != 0', false],
    ['violations==0', true],
    ['disk0.latency.p99 < 79us', false],
    ['disk0.latency.p99 <= 79us', true],
    ['disk0.latency.p99 >= 79us', true],
    ['disk0.latency.p99 > 0.0789ms', true],
    ['disk0.throughput > 100MB/s', true],
    ['disk0.throughput > 1.6Gbit/s', false],
    ['buses.ffa0.bytes == 4KiB', true],
    ['buses.ffa0.messages == 12', true],
    ['nodes.linux.cpuBusy <= 50%', true],
    ['nodes.linux.cpuBusy < 50%', false],
    ['devices.disk0.errors == 0', true],
    ['simulatedPs == 500us', true],
    ['wallSeconds < 300ms', true],
    ['digest == "9f00c1"', true],
    ['digest != "9f00c1"', false],
    ['passed == true', true],
  ])('%s: %s', (text, passed) => {
    expect(evaluate(text).passed).toBe(passed);
  });
});

test('the name of a replicated device stands for all copies, and the first that fails is shown', () => {
  expect(evaluate('net.errors == 0')).toMatchObject({ passed: false, actual: 4 });
  expect(evaluate('net.errors <= 4')).toMatchObject({ passed: true, actual: 0 });
  expect(evaluate('net-10.errors == 0')).toMatchObject({ passed: true, actual: 0 });
});

test.each([
  ['disk0.nothing == 0', 'not in the report'],
  ['disk9.errors == 0', 'not in the report'],
  ['disk0.latency < 1s', 'not in the report'],
  ['disk0.constructor == 0', 'not in the report'],
  ['buses.ffa0.deviceCpu < 1', 'has no value'],
  ['disk0.latency.p50 < 1s', 'no request has completed'],
  ['disk0.latency.p50 > 1s', 'no request has completed'],
  ['disk0.latency.p50 != 1s', 'no request has completed'],
])('%s fails and says that it is %s', (text, missing) => {
  expect(evaluate(text)).toMatchObject({ passed: false, actual: null, missing });
});

test.each([
  ['disk0.errors', 'BAD_VALUE', 0],
  ['== 0', 'BAD_VALUE', 0],
  ['disk0.errors = 0', 'BAD_VALUE', 0],
  ['disk0.errors == zero', 'BAD_VALUE', 16],
  ['disk0.latency.p99 < 80 usec', 'BAD_UNIT', 20],
  ['disk0.latency.p99 < 0.1ps', 'BAD_VALUE', 20],
  ['passed > true', 'BAD_VALUE', 7],
  ['disk0.latency.p99 < 400', 'BAD_UNIT', 20],
  ['disk0.latency.p99 < 4KiB', 'BAD_UNIT', 20],
  ['simulatedPs < 4KiB', 'BAD_UNIT', 14],
  ['disk0.bytes == 1ms', 'BAD_UNIT', 15],
  ['disk0.throughput > 1GB', 'BAD_UNIT', 19],
])('%s is refused: %s at %i', (text, code, offset) => {
  expect(parseExpectation(text).error).toMatchObject({ code, offset });
});
