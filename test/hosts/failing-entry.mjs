// A worker entry whose disks fail 200 us into the run, in the way that the scenario's description says.
import { tables } from '../../dist/platform/cli/tables.js';
import { runGroupTask } from '../../dist/platform/hosts/worker-task.js';

const FAIL_AT = 200_000_000;

const failures = {
  error: () => {
    throw new TypeError('a model has broken');
  },
  livelock: (node, id) => node.kernel.schedule(id, 0, 0),
  exit: () => process.exit(3),
  memory: () => {
    const hoard = [];
    for (;;) hoard.push(new Array(100_000).fill(hoard.length));
  },
};

export default function run(task) {
  const fail = failures[task.topology.description];
  const { blk } = tables.devices;
  const create = (environment) => {
    const { node } = environment;
    const id = node.add({ deliver: () => fail(node, id) });
    node.kernel.schedule(id, FAIL_AT, 0);
    return blk.create(environment);
  };
  return runGroupTask(task, { ...tables, devices: { ...tables.devices, blk: { ...blk, create } } });
}
