// Reports and listings of a small scenario, as they are printed. `npm run accept` takes a change over.
import { expect, test } from 'vitest';
import { tables } from '../../platform/cli/tables.ts';
import { runScenario } from '../../platform/index.ts';
import { anatomyText } from '../../platform/observe/anatomy/index.ts';
import { reportText } from '../../platform/observe/report/index.ts';
import { describeTopology } from '../../platform/scenario/index.ts';
import { PLAIN } from '../../platform/text/index.ts';

const FILE = 'scenarios/ffa/first-request.yaml';

const { topology, report, anatomy } = await runScenario(FILE, { workers: 0, anatomy: true });
/** What depends on the machine is set to round numbers. */
const steady = { ...report, wallSeconds: 0.25, eventsPerSecond: 1000, speedRatio: 0.001 };

const golden = (name: string) => `expected/${name}`;

test('the topology as check prints it', async () => {
  // The last section counts all constants of the profile, those of other devices too.
  const [text] = describeTopology(topology, { tables }).split('\nTiming:');
  await expect(text).toMatchFileSnapshot(golden('first-request.topology.txt'));
});

test('the report for people', async () => {
  const text = reportText(topology, steady, PLAIN);
  await expect(text).toMatchFileSnapshot(golden('first-request.report.txt'));
});

test('the anatomy of its request', async () => {
  const text = anatomyText(anatomy('disk0'), PLAIN);
  await expect(text).toMatchFileSnapshot(golden('first-request.anatomy.txt'));
});

test('report and anatomy on a screen of 80 columns', async () => {
  const narrow = { ...PLAIN, columns: 80 };
  const text = `${anatomyText(anatomy('disk0'), narrow)}\n${reportText(topology, steady, narrow)}`;
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  await expect(text).toMatchFileSnapshot(golden('first-request.narrow.txt'));
});
