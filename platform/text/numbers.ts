// Numbers with their units, as they are printed. Nothing here depends on the machine's locale.
import { formatTime, PS_PER_NS } from '../kernel/index.ts';

/** Writes a whole number with a comma between thousands. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Writes a share, 0 … 1, as a percentage. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0 %';
  return percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

/** Writes a number of bytes with a unit of 1024 that suits it. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** Writes bytes per second with a unit of 1000 that suits it. */
export function formatRate(bytesPerSecond: number): string {
  return scaled(bytesPerSecond, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']);
}

/** Writes a number of events with a unit of 1000 that suits it. */
export function formatEvents(count: number): string {
  return scaled(count, 1000, ['', 'k', 'M', 'G']).trimEnd();
}

/** Writes a latency of the report, which is in ns. */
export function formatLatency(ns: number): string {
  return formatTime(ns * PS_PER_NS);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let index = 0;
  let rest = value;
  while (rest >= base && index < units.length - 1) {
    rest /= base;
    index++;
  }
  const digits =
    Number.isInteger(rest) || rest >= 1000 ? Math.round(rest) : Number(rest.toPrecision(3));
  // Rounded up to the base, it is one of the next unit.
  if (digits >= base && index < units.length - 1) return `1 ${units[index + 1]}`;
  return `${digits} ${units[index]}`;
}
