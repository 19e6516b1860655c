import { plain } from '../lib/plain.ts';

/** Text from anywhere on one line of Markdown: no mark-up, no HTML, no link by itself, nothing unseen. */
export const escapeMarkdown = (text: string): string =>
  plain(text)
    .replace(/[\\`*_[\]<>|~&$!#@]/g, '\\$&')
    .replace(/:(?=\/)/g, '\\:')
    .replace(/\bwww\./gi, (start) => `${start.slice(0, -1)}\\.`);

/** A table; its cells are Markdown already. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  numbersFrom = 1,
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_, column) => (column < numbersFrom ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}

/** A figure of the report, with what it shows for readers who do not see it. */
export const image = (file: string, description: string): string =>
  `![${escapeMarkdown(description)}](${file})`;

export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined || !Number.isFinite(share)
    ? '–'
    : `${Number((100 * share).toFixed(1))}%`;

/** An amount with its interval. */
export const withInterval = (
  value: number | null | undefined,
  interval: { low: number; high: number } | null | undefined,
  format: (value: number) => string,
): string =>
  value === null || value === undefined
    ? '–'
    : interval
      ? `${format(value)} [${format(interval.low)}, ${format(interval.high)}]`
      : format(value);

/** Significant digits; a dash for what is not there. */
export const digits = (value: number | null | undefined, count = 3): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? '–'
    : String(Number(value.toPrecision(count)));

/** A number of things. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
