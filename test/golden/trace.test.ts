// The messages of small scenarios, word by word and to the picosecond. Whatever changes what is said on
// a bus, or when, shows here. `npm run accept` takes a change over.
import { expect, test } from 'vitest';
import { runScenario } from '../../platform/index.ts';
import { type TraceFormat, traceLines } from '../../platform/observe/trace/index.ts';

async function traceOf(name: string, format: TraceFormat): Promise<string> {
  const options = { workers: 0, trace: true };
  const { topology, messages } = await runScenario(`scenarios/${name}.yaml`, options);
  return [...traceLines(format, topology, messages())].join('');
}

test.each([
  // A whole session and one request.
  'ffa/first-request',
  // Each end speaks a dialect of its own.
  'ffa/dialects',
  // Resets, after a driver left out a step.
  'ffa/area-missing',
  // Messages of the bus itself, on two buses of one node.
  'loopback/i2c-clock',
  // Answers to messages that are not what their sender meant.
  'pci/quirk-short-messages',
])('%s', async (name) => {
  const file = `expected/${name.replace('/', '-')}.trace.txt`;
  await expect(await traceOf(name, 'text')).toMatchFileSnapshot(file);
});

test('ffa/first-request as JSON Lines', async () => {
  const file = 'expected/ffa-first-request.trace.jsonl';
  await expect(await traceOf('ffa/first-request', 'jsonl')).toMatchFileSnapshot(file);
});
