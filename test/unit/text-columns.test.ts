// Tables and prose for people, on screens wide and narrow.
import { describe, expect, test } from 'vitest';
import { alignColumns, alignRows, shorten, wrap, wrapLine } from '../../platform/text/index.ts';

const WORDS = [
  ['a', 'one', 'short'],
  ['long', 'two', 'a sentence that goes on for longer than the screen is wide'],
];

describe('columns', () => {
  test('are aligned, numbers flush right, with nothing at the ends of lines', () => {
    const rows = [
      ['name', 'count'],
      ['x', '12,000'],
      ['longer', ''],
    ];
    expect(alignColumns(rows, { right: 1 })).toEqual([
      'name     count',
      'x       12,000',
      'longer',
    ]);
    expect(alignColumns(rows)).toEqual(['name    count', 'x       12,000', 'longer']);
  });

  test('of numbers move together where the screen is too narrow', () => {
    const rows = [['load', '100', '200', '300']];
    expect(alignColumns(rows, { right: 1, columns: 19 })).toEqual(['load  100  200  300']);
    expect(alignColumns(rows, { right: 1, columns: 18 })).toEqual(['load 100 200 300']);
  });

  test('wrap the words of the last one, and rows stay apart', () => {
    expect(alignRows(WORDS, { columns: 40 })).toEqual([
      ['a     one  short'],
      [
        'long  two  a sentence that goes on for',
        '           longer than the screen is',
        '           wide',
      ],
    ]);
  });

  test('put the words below where there is hardly room beside', () => {
    expect(alignColumns(WORDS, { columns: 34 })).toEqual([
      'a     one  short',
      'long  two',
      '      a sentence that goes on for',
      '      longer than the screen is',
      '      wide',
    ]);
  });

  test('are stood across by a row of one cell', () => {
    const rows = [['a', 'b'], ['… 40 more like these'], ['cc', 'd']];
    expect(alignColumns(rows)).toEqual(['a   b', '… 40 more like these', 'cc  d']);
  });

  test('may be none', () => {
    expect(alignColumns([])).toEqual([]);
    expect(alignColumns([[]])).toEqual(['']);
  });
});

describe('prose', () => {
  test('is broken between words', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('incomprehensible word', 5)).toEqual(['incomprehensible', 'word']);
    expect(wrap('anything', Infinity)).toEqual(['anything']);
  });

  test('goes on further in than it began', () => {
    expect(wrapLine('  one two three', 11)).toEqual(['  one two', '    three']);
    expect(wrapLine('  one two three', 15)).toEqual(['  one two three']);
  });

  test('is cut with dots', () => {
    expect([shorten('abcdef', 6), shorten('abcdef', 5)]).toEqual(['abcdef', 'abcd…']);
  });
});
