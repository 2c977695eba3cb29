// Message tables: each message written once, as data, with the checks that every table must pass
// and the TypeScript types of its messages.
import { assert } from '../errors.ts';
import { defineLayout, type Layout, type Value } from './layout.ts';

/** Name space of an id: one device's transport, or the bus itself. */
export type Scope = 'transport' | 'bus';

/** One message. A row with bit 6 of the id clear is answered; with it set it is an event. */
export interface MessageRow {
  readonly id: number;
  readonly scope: Scope;
  readonly sender: 'driver' | 'device' | 'either';
  readonly spec: string;
  readonly doc: string;
  /** Body of the request or event. Left out only by a message that exists as a response alone. */
  readonly request?: Layout;
  readonly response?: Layout;
  /** A device may lack it. */
  readonly optional?: boolean;
  /** A bus message whose header carries a device number all the same. */
  readonly namesDevice?: boolean;
}

export type MessageTable = Readonly<Record<string, MessageRow>>;

/** Bit of an id that makes the message an event. */
export const EVENT_BIT = 0x40;

/** Checks a table of messages and returns it with its exact type. A bad table is our own bug. */
export function defineMessages<const T extends MessageTable>(table: T): T {
  checkMessages(table);
  return table;
}

/** Asserts what every table must fulfil: names, unique ids, the event bit, sound layouts. */
export function checkMessages(table: MessageTable): void {
  const seen = new Map<string, string>();
  for (const [name, row] of Object.entries(table)) {
    const key = `${row.scope} id 0x${row.id.toString(16)}`;
    assert(/^[A-Z][A-Z0-9_]*$/.test(name), `message name ${name} is not SCREAMING_SNAKE`);
    assert(Number.isInteger(row.id) && row.id >= 0 && row.id <= 255, `${name}: ${key} is no byte`);
    assert(!seen.has(key), `messages ${seen.get(key)} and ${name} share ${key}`);
    seen.set(key, name);
    const isEvent = (row.id & EVENT_BIT) !== 0;
    const answered = row.response !== undefined;
    assert(isEvent !== answered, `${name}: bit 6 of ${key} and its response contradict each other`);
    assert(row.request !== undefined || answered, `${name} has no body at all`);
    if (row.request !== undefined) defineLayout(row.request);
    if (row.response !== undefined) defineLayout(row.response);
  }
}

/** The requests and events of a table, as a union told apart by `type`. */
export type RequestOf<T extends MessageTable> = {
  [K in keyof T & string]: T[K] extends { readonly request: infer L extends Layout }
    ? {
        readonly type: `req.${K}`;
        readonly dev: number;
        readonly token: number;
        readonly body: Value<L>;
      }
    : never;
}[keyof T & string];

/** The responses of a table, as a union told apart by `type`. */
export type ResponseOf<T extends MessageTable> = {
  [K in keyof T & string]: T[K] extends { readonly response: infer L extends Layout }
    ? {
        readonly type: `res.${K}`;
        readonly dev: number;
        readonly token: number;
        readonly body: Value<L>;
      }
    : never;
}[keyof T & string];

/** Any message of a table. */
export type MessageOf<T extends MessageTable> = RequestOf<T> | ResponseOf<T>;

/** The message of a table with this type, such as `res.GET_CONFIG`. */
export type MessageTyped<T extends MessageTable, K extends MessageOf<T>['type']> = Extract<
  MessageOf<T>,
  { readonly type: K }
>;
