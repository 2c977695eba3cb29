// A guest whose whole memory is mapped by the device model, as that of a VM is by its VMM: what the guest
// gives away once and for all, and the port through which the model reaches it.
import { MemoryHandles } from '../../platform/memory/index.ts';
import { type Node, PAGE_SIZE, RAM_BASE } from '../../platform/node/index.ts';
import { SharedMemoryPort, SharedMemoryTarget } from './shared-memory.ts';

/** The handle of all memory, which a guest shares first and alone. */
const GUEST_HANDLE = 1;

/** The model's window: no address lies beyond it, for the guest checks. */
const WINDOW = { handle: GUEST_HANDLE, length: Number.MAX_SAFE_INTEGER };

/** The nodes and ports of a bus, as its plan has them. */
interface Ends {
  readonly name: string;
  readonly driver: number;
  readonly driverPort: number;
  readonly device: number;
  readonly devicePort: number;
}

/** The device model's port to the guest of its bus. */
export function guestMemoryPort(node: Node, { driver, driverPort }: Ends): SharedMemoryPort {
  return new SharedMemoryPort({
    node,
    ownerNode: driver,
    ownerPort: driverPort,
    window: (address) => (address >= RAM_BASE ? WINDOW : null),
    offset: (address) => address - RAM_BASE,
  });
}

/** The guest's side: serves the port, and says of a byte whether the model may write it. */
export class GuestMemory {
  readonly target: SharedMemoryTarget;
  readonly #handles = new MemoryHandles();
  readonly #model: number;

  constructor(node: Node, { name, device, devicePort }: Ends) {
    this.#model = device;
    const { base, size } = node.memory;
    this.#handles.share(base, Math.floor(size / PAGE_SIZE), device, true);
    this.#handles.retrieve(GUEST_HANDLE, device);
    this.target = new SharedMemoryTarget({
      node,
      handles: this.#handles,
      borrowerNode: device,
      borrowerPort: devicePort,
      name,
    });
  }

  /** Whether the byte at an address is the guest's, and so the model's to write. */
  writable(address: number): boolean {
    const offset = address - RAM_BASE;
    return offset >= 0 && this.#handles.translate(GUEST_HANDLE, this.#model, offset, 1, true) >= 0;
  }
}
