import Table from 'cli-table3';
import { noiseRule } from '../lib/above-noise.ts';
import { plain } from './plain.ts';

export interface TokenRow {
  position: number;
  norm: number | null;
  /** Of the diff there; null where not measured. */
  aboveNoise: boolean | null;
  /** What the vector was multiplied by; null for methods without scales. */
  scale: number | null;
  tokens: { text: string | null; tokenId: number; probability: number | null }[];
}

/**
 * A token so that its spaces and controls show and nothing in it can steer a terminal: the leading space as ␣, other controls
 * and invisible characters escaped. A text that tells nothing, as of half a character, gives way to the id.
 */
export function visible(text: string | null, tokenId: number): string {
  if (text === null || /^\uFFFD*$/.test(text)) return `#${tokenId}`;
  return plain(text.replace(/ /g, '␣').replace(/\n/g, '⏎'));
}

const percent = (p: number | null): string => (p === null ? '?' : (100 * p).toFixed(p < 0.001 ? 2 : 1));

/** Marks a position whose diff is not above the noise. */
const noiseMark = '~';

const marked = ({ aboveNoise }: TokenRow): boolean => aboveNoise === false;

/** What the mark means, in a line, where one of these rows has it. */
export const noiseLegend = (rows: readonly TokenRow[]): string[] =>
  rows.some(marked)
    ? [`${noiseMark} the diff there is not above the noise, which asks for ${noiseRule}`]
    : [];

/** One line a position: its norm and its tokens with probabilities in percent; the scale where the method has one. */
export function renderTokens(rows: readonly TokenRow[], width: number): string {
  const scaled = rows.some(({ scale }) => scale !== null);
  const numbers = [rows.some(marked) ? 6 : 5, 10, ...(scaled ? [7] : [])];
  const borders = numbers.length + 2;
  const table = new Table({
    head: ['pos', '‖vector‖', ...(scaled ? ['scale'] : []), 'tokens, most likely first (probability in %)'],
    colAligns: [...numbers.map(() => 'right' as const), 'left'],
    style: { head: [], border: [], compact: true },
    wordWrap: true,
    colWidths: [...numbers, Math.max(40, width - numbers.reduce((a, b) => a + b) - borders)],
  });
  for (const row of rows) {
    const { position, norm, scale, tokens } = row;
    const list = tokens.map((token) => `${visible(token.text, token.tokenId)} ${percent(token.probability)}`);
    table.push([
      marked(row) ? `${position}${noiseMark}` : position,
      norm === null ? '?' : norm.toPrecision(4),
      ...(scaled ? [scale ?? '–'] : []),
      list.join('  '),
    ]);
  }
  return table.toString();
}
