// Generators of values and messages, made from the hints that field codecs carry as plain data.
import fc from 'fast-check';
import type { Leg, LooseMessage } from '../../platform/virtio/messages/index.ts';
import type { FixedField, Layout, Sample, TailField } from '../../platform/wire/index.ts';

type Record_ = Record<string, unknown>;

/** Generates the values of a layout that it must be able to carry; tails have up to 40 units. */
export function valueArbitrary(layout: Layout): fc.Arbitrary<Record_> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(layout)) {
    if (field.form === 'fixed') parts[name] = sampleArbitrary(field.sample);
    if (field.form === 'absent') parts[name] = fc.constant(field.zero);
  }
  const tail = Object.entries(layout).find(([, field]) => field.form === 'tail');
  if (tail === undefined) return fc.record(parts);
  const [name, field] = tail as [string, TailField<unknown>];
  const count = field.countedBy === null ? undefined : layout[field.countedBy];
  return fc.record(parts).chain((value) => tailArbitrary(name, field, value, count));
}

/** Generates messages of one leg. */
export function messageArbitrary(leg: Leg, deviceBits = 16): fc.Arbitrary<LooseMessage> {
  const number = fc.integer({ min: 0, max: 2 ** deviceBits - 1 });
  const dev = leg.row.scope === 'bus' ? fc.constant(0) : number;
  return fc.record({
    type: fc.constant(leg.type),
    dev,
    token: fc.integer({ min: 0, max: 0xffff }),
    body: valueArbitrary(leg.layout.layout),
  });
}

function sampleArbitrary(sample: Sample): fc.Arbitrary<unknown> {
  switch (sample.kind) {
    case 'integer':
      return fc
        .integer({ min: 0, max: Math.floor(sample.max / sample.step) })
        .map((steps) => steps * sample.step);
    case 'bigint':
      return fc.bigInt({ min: 0n, max: sample.max });
    case 'uuid':
      return fc.uuid();
    case 'bytes':
      return fc.uint8Array({ minLength: sample.length, maxLength: sample.length });
    case 'tail':
      throw new Error('a tail needs its count');
  }
}

function tailArbitrary(
  name: string,
  field: TailField<unknown>,
  value: Record_,
  countField: unknown,
): fc.Arbitrary<Record_> {
  const step = stepOf(countField);
  const units = fc.integer({ min: 0, max: Math.floor(40 / step) }).map((n) => n * step);
  return units.chain((count) => {
    const size = field.bytesFor(count);
    const full = unitArbitrary(field, count, size).map((tail) => ({
      ...value,
      ...(field.countedBy === null ? {} : { [field.countedBy]: count }),
      [name]: tail,
    }));
    if (!field.optional) return full;
    return fc.oneof(full, fc.constant({ ...value, [name]: field.zero }));
  });
}

function unitArbitrary(field: TailField<unknown>, count: number, size: number) {
  if (field.sample.kind === 'tail' && field.sample.unit === 'word') {
    return fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), {
      minLength: count,
      maxLength: count,
    });
  }
  const bytes = fc.uint8Array({ minLength: size, maxLength: size });
  if (field.sample.kind !== 'tail' || field.sample.unit === 'byte') return bytes;
  return bytes.map((map) => {
    if (count % 8 !== 0) map[size - 1] &= (1 << (count % 8)) - 1;
    return map;
  });
}

function stepOf(field: unknown): number {
  const sample = (field as FixedField<number> | undefined)?.sample;
  return sample?.kind === 'integer' ? sample.step : 1;
}
