// What cores may do with registers and memory beyond a root port, and how places there are named.

/** Device numbers on the bus within a switch; a link has one device. */
export const DEVICES_MAX = 32;
/** The greatest bus number; taken for the time being while it is not known how many there are. */
export const BUS_MAX = 0xff;

/** Whoever loads. It is called on the core that made the load. */
export interface LoadClient {
  /** All ones when nobody answered. The bytes are valid only during the call. */
  loaded(tag: number, bytes: Uint8Array, length: number): void;
  /** Called instead, by those who have it, when nobody answered: the root port knows. */
  unanswered?(tag: number): void;
}

/** A place in the configuration space of function 0 of a device, by bus number. */
export interface BusPlace {
  readonly bus: number;
  readonly device: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
}

/** A place in the configuration space of a function. */
export interface ConfigPlace {
  readonly functionId: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
}

/** Carries accesses of cores: a root port. All but `store` are called on a core, which waits. */
export interface RegisterPort {
  readonly way: {
    /** A store stalls its core until it has been served: `trapStore` is for it. */
    readonly storesTrap: boolean;
  };
  load(address: number, length: number, client: LoadClient, tag: number): void;
  /** Posted; the caller charges what it costs the core. */
  store(address: number, bytes: Uint8Array, from: number, length: number): void;
  trapStore(address: number, bytes: Uint8Array, length: number, client: LoadClient): void;
  readConfig(place: ConfigPlace, client: LoadClient, tag: number): void;
  writeConfig(place: ConfigPlace, value: number, client: LoadClient, tag: number): void;
  readBus(place: BusPlace, client: LoadClient, tag: number): void;
  writeBus(place: BusPlace, value: number, client: LoadClient, tag: number): void;
}
