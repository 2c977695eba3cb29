// Nodes for unit tests: a kernel, and nodes on it as the default scenario describes them.

import { Kernel } from '../../platform/kernel/index.ts';
import type { EngineName } from '../../platform/machine/index.ts';
import { Node } from '../../platform/node/index.ts';
import type { LoadedScenario } from '../../platform/scenario/index.ts';
import { Costs } from '../../platform/timing/index.ts';
import { type ScenarioParts, topologyOf } from './scenarios.ts';

export interface TestNodes {
  readonly topology: LoadedScenario;
  readonly kernel: Kernel;
  /** The VM, with the driver side. */
  readonly linux: Node;
  /** The partition, with the device side. */
  readonly storage: Node;
}

/** Makes the two nodes of a scenario, without any model on them. */
export function testNodes(parts: ScenarioParts = {}, engine: EngineName = 'compiled'): TestNodes {
  const topology = topologyOf(parts);
  const kernel = new Kernel(topology.nodes.length);
  const [linux, storage] = topology.nodes.map(
    (plan) =>
      new Node({ plan, kernel, costs: new Costs(topology.profile), seed: topology.seed, engine }),
  );
  return { topology, kernel, linux, storage };
}
