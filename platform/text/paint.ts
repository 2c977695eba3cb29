// How text looks where it is read: colours, and how wide it should be.

/** The outside of everything that is printed for people. */
export interface Paint {
  /** Characters that a line should keep to; Infinity where lines are not shown on a screen. */
  readonly columns: number;
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

/** Text as it is. */
export const PLAIN: Paint = {
  columns: Infinity,
  bold: (text) => text,
  dim: (text) => text,
  good: (text) => text,
  bad: (text) => text,
};

const ansi = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;

/** ANSI colours. */
export const COLOURED: Paint = {
  columns: Infinity,
  bold: ansi(1, 22),
  dim: ansi(2, 22),
  good: ansi(32, 39),
  bad: ansi(31, 39),
};
