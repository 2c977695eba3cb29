// The `networks` section: switches and wires, and which devices hang on them. A switch gets a node of
// its own, so that frames cross between nodes like everything else does.
import type {
  BusPlan,
  DevicePlan,
  NetworkLinkPlan,
  NetworkPlan,
  NodePlan,
} from '../contracts/index.ts';
import type { Entry } from './copies.ts';
import { Names } from './names.ts';
import { networkFrame } from './schema.ts';
import { parseWith } from './typed-entry.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** A network while devices are being attached to it. */
interface OpenNetwork {
  readonly path: Path;
  readonly plan: Omit<NetworkPlan, 'links'>;
  readonly ends: Omit<NetworkLinkPlan, 'far'>[];
}

export class NetworkSection {
  readonly names: Names;
  readonly #source: YamlSource;
  readonly #nodes: NodePlan[];
  readonly #ports: number[];
  readonly #networks: OpenNetwork[] = [];

  /** Nodes of switches are appended to `nodes`; `ports` has the next free packet port by node. */
  constructor(source: YamlSource, nodes: NodePlan[], ports: number[]) {
    this.#source = source;
    this.#nodes = nodes;
    this.#ports = ports;
    this.names = new Names(source, 'network');
  }

  /** Parses all entries. `nodeNames` are taken: a switch is a node of its own name. */
  load(entries: readonly Entry[], nodeNames: Names): void {
    for (const [index, entry] of entries.entries()) {
      const { name, path } = entry;
      this.names.add(entry, index);
      if (nodeNames.knows(name)) {
        const message = `'${name}' is the name of a node`;
        this.#source.report({ code: 'DUPLICATE_NAME', path, at: 'key', message });
      }
      if (entry.broken) continue;
      const frame = parseWith(this.#source, networkFrame, { path, value: entry.raw });
      if (frame === null) continue;
      const { type, rate, latency, buffer, lossPerMillion, placement = null } = frame;
      const node = type === 'switch' ? this.#addNode(name, placement) : null;
      const plan = { index, name, type, rate, latency, buffer, lossPerMillion, node };
      this.#networks[index] = { path, plan, ends: [] };
    }
  }

  /** Attaches a device to the network that its option `network` names, if it has one. */
  attach(device: DevicePlan, bus: BusPlan, path: Path): void {
    const { network } = device.options;
    if (typeof network !== 'string') return;
    const index = this.names.find({ name: network, path: [...path, 'network'] });
    if (index === null || this.#networks[index] === undefined) return;
    const node = bus.device;
    this.#networks[index].ends.push({
      device: device.index,
      name: device.name,
      near: { node, port: this.#ports[node]++ },
    });
  }

  /** The networks with their cables. Reports wires that do not have two ends. */
  plans(): NetworkPlan[] {
    return this.#networks.map(({ path, plan, ends }) => {
      if (plan.type === 'wire' && ends.length !== 2) {
        this.#source.report({
          code: 'REFUSED',
          path: [...path, 'type'],
          at: 'value',
          message: `wire '${plan.name}' has ${ends.length} device${ends.length === 1 ? '' : 's'}`,
          expected: 'two devices with this network, or type: switch',
        });
      }
      return { ...plan, links: links(plan.node, ends) };
    });
  }

  #addNode(name: string, placement: number | null): number {
    const index = this.#nodes.length;
    // Its model needs neither CPU nor memory; these are the least that a node can have.
    this.#nodes.push({
      index,
      name,
      kind: 'switch',
      world: 'normal',
      cpus: 1,
      memory: 4096,
      placement,
    });
    return index;
  }
}

function links(node: number | null, ends: OpenNetwork['ends']): NetworkLinkPlan[] {
  return ends.map(({ device, name, near }, position) => {
    const far = node === null ? ends[1 - position]?.near : { node, port: position };
    return { device, name, near, far: far ?? near };
  });
}
