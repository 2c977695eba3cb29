// A device's socket: where its cable is plugged in. It hands up the frames that arrive whole.
import type { NetworkAttachment } from '../contracts/index.ts';
import { assert } from '../errors.ts';
import type { Component, Packet } from '../kernel/index.ts';
import type { Node } from '../node/index.ts';
import { Cable } from './cable.ts';

/** Takes a frame that has arrived; the bytes are valid only during the call. */
export type FrameHandler = (bytes: Uint8Array, length: number) => void;

export class NetworkPort implements Component {
  /** The way out. Its sender paces itself, so nothing is dropped here. */
  readonly cable: Cable;
  readonly #handler: FrameHandler;

  constructor(node: Node, { network, link }: NetworkAttachment, handler: FrameHandler) {
    const random = node.random(`network/${network.name}/from ${link.name}`);
    this.cable = new Cable({ node, network, buffer: Infinity, far: link.far, random });
    this.#handler = handler;
    node.kernel.bindPort(link.near.port, node.add(this));
  }

  receive(packet: Packet): void {
    this.#handler(packet.bytes, packet.length);
  }

  deliver(): void {
    assert(false, 'a network port has no events but packets');
  }
}
