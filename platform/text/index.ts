export { alignColumns, alignRows, type ColumnOptions, shorten, wrap, wrapLine } from './columns.ts';
export {
  formatBytes,
  formatCount,
  formatEvents,
  formatLatency,
  formatRate,
  formatShare,
} from './numbers.ts';
export { COLOURED, type Paint, PLAIN } from './paint.ts';
