// A small drawing of the topology for the head of a report: one row of two boxes a bus.
//
//   +-- linux -----------+                +-- storage ---------+
//   | vm, normal, 2 cpus |----- ffa0 -----| partition, secure  |
//   +--------------------+     ffa v1     +--------------------+
import type { BusPlan, NodePlan, Topology } from '../../contracts/index.ts';

/** Buses drawn; a large topology is better seen with `busbar check`. */
const BUSES_DRAWN_MAX = 4;
/** Characters of a list of names; the names that find no room are counted. */
const LIST_WIDTH_MAX = 44;
/** What is drawn around two lists of names: the sides of the boxes, and a bus of a usual name. */
const FRAME_WIDTH = 22;

/** Draws nodes, buses and what is at their ends, within `columns` characters where names allow. */
export function drawTopology(topology: Topology, columns: number): string[] {
  const room = Math.min(LIST_WIDTH_MAX, Math.floor((columns - FRAME_WIDTH) / 2));
  const drawn = topology.buses.slice(0, BUSES_DRAWN_MAX);
  const lines = drawn.flatMap((bus) => drawBus(topology, bus, room));
  const hidden = topology.buses.length - drawn.length;
  if (hidden > 0) lines.push(`… and ${hidden} more bus${hidden === 1 ? '' : 'es'}`);
  for (const { name, type, links } of topology.networks.slice(0, BUSES_DRAWN_MAX)) {
    const names = links.map(({ device }) => topology.devices[device].name);
    lines.push(`network ${name} (${type}): ${list(names, room)}`);
  }
  const joined = new Set(topology.buses.flatMap(({ driver, device }) => [driver, device]));
  const alone = topology.nodes.filter(({ index, kind }) => !joined.has(index) && kind !== 'switch');
  if (alone.length > 0)
    lines.push(
      `not on a bus: ${list(
        alone.map(({ name }) => name),
        room,
      )}`,
    );
  return lines;
}

function drawBus(topology: Topology, bus: BusPlan, room: number): string[] {
  const devices = topology.devices.filter((device) => device.bus === bus.index);
  const workloads = topology.workloads.filter(
    ({ device }) => topology.devices[device].bus === bus.index,
  );
  const left = box(
    topology.nodes[bus.driver],
    list(
      workloads.map(({ name }) => name),
      room,
    ),
  );
  const right = box(
    topology.nodes[bus.device],
    list(
      devices.map(({ name, type, number }) => `${name} (${type} ${number})`),
      room,
    ),
  );
  const height = Math.max(left.length, right.length);
  grow(left, height);
  grow(right, height);
  const labels = [bus.name, `${bus.type} ${bus.revision}`];
  const width = Math.max(...labels.map((label) => label.length)) + 4;
  return left.map((line, row) => {
    if (row === 1) return `${line}${middle(` ${labels[0]} `, width, '-')}${right[row]}`;
    return `${line}${middle(row === 2 ? labels[1] : '', width, ' ')}${right[row]}`;
  });
}

function box({ name, kind, world, cpus }: NodePlan, names: string): string[] {
  const text = [`${kind}, ${world}, ${cpus} cpu${cpus === 1 ? '' : 's'}`];
  if (names !== '') text.push(names);
  const width = Math.max(name.length + 4, ...text.map((line) => line.length));
  return [
    `+-- ${name} ${'-'.repeat(width - name.length - 2)}+`,
    ...text.map((line) => `| ${line.padEnd(width)} |`),
    `+${'-'.repeat(width + 2)}+`,
  ];
}

/** Adds empty rows above the lower edge. */
function grow(lines: string[], height: number): void {
  const blank = `|${' '.repeat(lines[0].length - 2)}|`;
  while (lines.length < height) lines.splice(-1, 0, blank);
}

function middle(text: string, width: number, fill: string): string {
  const before = Math.floor((width - text.length) / 2);
  return fill.repeat(before) + text + fill.repeat(width - text.length - before);
}

function list(names: readonly string[], room: number): string {
  if (names.length === 0) return '';
  let shown = 1;
  let width = names[0].length;
  while (shown < names.length && width + names[shown].length + 2 <= room) {
    width += names[shown++].length + 2;
  }
  const text = names.slice(0, shown).join(', ');
  const hidden = names.length - shown;
  return hidden > 0 ? `${text}, … ${hidden} more` : text;
}
