// The JSON Schema of scenario files, composed from the same frame and definitions that the loader
// uses, so that editors complete and check what `busbar` accepts.
import { type ZodObject, type ZodType, z } from 'zod';
import type { ConstantDimension, Definition, Limits, Tables } from '../contracts/index.ts';
import { constantTable, writeQuantity } from '../timing/index.ts';
import { count, kindOfField, rate, size, time } from './fields.ts';
import {
  busFrame,
  DEVICE_NUMBER_MAX,
  deviceFrame,
  FAULT_ACTIONS,
  faultFrame,
  networkFrame,
  nodeFrame,
  OWN_KEYS,
  scenarioFrame,
  workloadFrame,
} from './schema.ts';

/** What copies may write in place of a number. */
const INDEX_TEXT = z.literal('{i}');

/** Keeps the description that the loader's frame has for a key. */
function redescribe(frame: ZodObject, key: string, schema: ZodType): ZodType {
  const description = (frame.shape[key] as ZodType).description ?? '';
  return schema.describe(description);
}

/** One object schema per type: the frame, `type` fixed, and the options of the type. */
function typedEntry(frame: ZodObject, table: Readonly<Record<string, Definition>>): ZodType {
  const variants = Object.values(table).map((definition) =>
    frame
      .extend(definition.options.shape)
      .extend({ type: z.literal(definition.type).describe(definition.doc) }),
  );
  const [first, ...rest] = variants;
  if (first === undefined) return frame;
  return z.discriminatedUnion('type', [first, ...rest]);
}

function faultEntry(tables: Tables): ZodType {
  const buses = Object.values(tables.buses);
  // Names can be completed, and refused, only when every bus says what crosses it.
  const closed = buses.every((definition) => definition.messages !== undefined);
  const messages = closed ? buses.flatMap((definition) => definition.messages ?? []) : [];
  const [first, ...rest] = new Set(messages);
  const shape: Record<string, ZodType> = {
    count: redescribe(
      faultFrame,
      'count',
      z.union([count({ min: 1 }), z.literal('always')]).optional(),
    ),
  };
  if (first !== undefined) {
    const names = z.enum([first, ...rest]).optional();
    for (const action of FAULT_ACTIONS) shape[action] = redescribe(faultFrame, action, names);
  }
  return faultFrame.extend(shape);
}

/** A field for a constant of each dimension. */
const FIELDS: Readonly<Record<ConstantDimension, (limits?: Limits) => ZodType>> = {
  time,
  rate,
  size,
  count,
};

function timingEntry(tables: Tables): ZodType {
  const fields = constantTable(tables).map(({ name, dimension, limits, doc }) => {
    return [name, FIELDS[dimension](limits).optional().describe(doc)] as const;
  });
  return z.strictObject(Object.fromEntries(fields)).optional();
}

function wholeScenario(tables: Tables): ZodObject {
  const place = z.union([count({ max: 1023 }), INDEX_TEXT]).optional();
  const number = z.union([count({ max: DEVICE_NUMBER_MAX }), INDEX_TEXT]);
  const node = nodeFrame.extend({ placement: redescribe(nodeFrame, 'placement', place) });
  const network = networkFrame.extend({
    placement: redescribe(networkFrame, 'placement', place),
  });
  const device = deviceFrame.extend({ number: redescribe(deviceFrame, 'number', number) });
  const named = (entry: ZodType) => z.record(z.string(), entry);
  const sections: Record<string, ZodType> = {
    timing: timingEntry(tables),
    nodes: named(node),
    buses: named(typedEntry(busFrame, tables.buses)).optional(),
    networks: named(network).optional(),
    devices: named(typedEntry(device, tables.devices)).optional(),
    workloads: z.array(typedEntry(workloadFrame, tables.workloads)).optional(),
    faults: z.array(faultEntry(tables)).optional(),
  };
  for (const [key, schema] of Object.entries(sections)) {
    sections[key] = redescribe(scenarioFrame, key, schema);
  }
  return scenarioFrame.extend(sections);
}

/** The JSON Schema (draft 7, which editors know best) of what a schema lets a scenario say. */
export function jsonSchemaOf(schema: ZodType): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      const definition = zodSchema._zod.def;
      // The limit of the number type itself says nothing to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // Defaults of quantities are plain numbers inside; a file writes them with their unit.
      if (definition.type !== 'default') return;
      const kind = kindOfField(zodSchema);
      if (kind === null || kind === 'inputFile') return;
      jsonSchema.default = writeQuantity(definition.defaultValue as number, kind);
    },
  });
}

/** Builds the JSON Schema of scenario files. */
export function scenarioSchema(tables: Tables): Readonly<Record<string, unknown>> {
  const description = "The file's own: a place for anchors that entries take over by `<<`.";
  return {
    ...jsonSchemaOf(wholeScenario(tables)),
    patternProperties: { [OWN_KEYS]: { description } },
    title: 'busbar scenario',
  };
}

/** The schema as the text of its file. */
export function scenarioSchemaText(tables: Tables): string {
  return `${JSON.stringify(scenarioSchema(tables), null, 2)}\n`;
}
